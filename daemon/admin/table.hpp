// SPDX-License-Identifier: Apache-2.0
// The one kind of table that the console shows. Whoever has something to show registers one by name; it is asked for
// its rows each time, and may collect them from several workers.
#pragma once

#include "dialects/dialect.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::daemon::admin {

// Who may: `read` everybody whom the console lets in, `administer` those named in admin.users.
enum class Permission : std::uint8_t { read, administer };
[[nodiscard]] std::string_view to_string(Permission permission) noexcept;

using Row = std::vector<std::optional<std::string>>;  // as many as there are columns; none is SQL's NULL
using Rows = std::vector<Row>;
// Called exactly once, on any thread, perhaps before gather() returns.
using Done = std::function<void(Rows)>;
using Gather = std::function<void(Done)>;

struct Table {
    std::string name;  // "POOLS", in capitals
    std::vector<dialects::Column> columns;
    Permission permission = Permission::read;
    std::string description;
    Gather gather;
};

// Thread-safe. A table stays until the process ends.
class Tables {
  public:
    void add(Table table);  // throws std::logic_error when the name is taken
    [[nodiscard]] std::shared_ptr<const Table> find(std::string_view name) const;  // in any case; null when unknown
    [[nodiscard]] std::vector<std::shared_ptr<const Table>> list() const;          // by name

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const Table>, std::less<>> tables_;
};

// For what lies in `parts` places (workers): give each place's share once, from any thread; `done` is called with all
// of them in the places' order, on the thread that gives the last.
template <class T>
using Part = std::function<void(std::size_t index, std::vector<T> share)>;
template <class T>
[[nodiscard]] Part<T> join(std::size_t parts, std::function<void(std::vector<T>)> done) {
    struct Joint {
        std::mutex mutex;
        std::vector<std::optional<std::vector<T>>> shares;
        std::size_t missing = 0;
        std::function<void(std::vector<T>)> done;
    };
    auto joint = std::make_shared<Joint>();
    joint->shares.resize(parts);
    joint->missing = parts;
    joint->done = std::move(done);
    if (parts == 0) joint->done({});
    return [joint](std::size_t index, std::vector<T> share) {
        std::vector<T> all;
        {
            const std::lock_guard lock(joint->mutex);
            if (index >= joint->shares.size() || joint->shares[index]) return;
            joint->shares[index] = std::move(share);
            if (--joint->missing > 0) return;
            for (auto& one : joint->shares) {
                all.insert(all.end(), std::make_move_iterator(one->begin()), std::make_move_iterator(one->end()));
            }
        }
        joint->done(std::move(all));
    };
}

[[nodiscard]] std::string upper(std::string_view text);  // ASCII

}  // namespace leasehold::daemon::admin
