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

// For a table whose rows lie in `parts` places (workers): give each place's rows once, from any thread; `done` is
// called with all of them in the places' order, on the thread that gives the last.
using Part = std::function<void(std::size_t index, Rows rows)>;
[[nodiscard]] Part join(std::size_t parts, Done done);

[[nodiscard]] std::string upper(std::string_view text);  // ASCII

}  // namespace leasehold::daemon::admin
