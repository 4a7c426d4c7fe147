// SPDX-License-Identifier: Apache-2.0
// Statements that a session has prepared in SQL, by their names: kept by the session, and noted of a backend that has them.
// Plain values.
#pragma once

#include "dialects/mysql/statements.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::mysql {

struct SqlText {
    std::string text, reading;  // and the settings that it was prepared under: reading_of()
    std::shared_ptr<const Statement> statement{};
    friend bool operator==(const SqlText& a, const SqlText& b) noexcept {
        return a.text == b.text && a.reading == b.reading;
    }
};
using SqlTextRef = std::shared_ptr<const SqlText>;

// Whether a text of this name can be prepared again, on any backend.
[[nodiscard]] bool is_carried(std::string_view name, std::string_view text) noexcept;
// PREPARE of it.
[[nodiscard]] std::string prepare_statement(std::string_view name, std::string_view text);

// Of a session, or of a backend: there a name without a text may be anybody's.
class SqlPrepared {
  public:
    static constexpr std::size_t most = 64, most_bytes = 64 * 1024;

    // False: there is no room, and none of that name.
    [[nodiscard]] bool set(std::string_view name, SqlTextRef text);
    void erase(std::string_view name);
    void clear() noexcept { named_.clear(); }
    [[nodiscard]] bool empty() const noexcept { return named_.empty(); }
    [[nodiscard]] bool holds(std::string_view name) const noexcept { return find(name) != nullptr; }
    // Null: none, or not known.
    [[nodiscard]] SqlTextRef text(std::string_view name) const noexcept;

  private:
    struct Named {
        std::string name;
        SqlTextRef text;
    };
    [[nodiscard]] const Named* find(std::string_view name) const noexcept;
    std::vector<Named> named_;
};

}  // namespace leasehold::mysql
