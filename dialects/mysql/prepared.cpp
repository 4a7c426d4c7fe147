// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/prepared.hpp"

#include "dialects/wire/writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace leasehold::mysql {
namespace {

// What says nothing about the meaning of a text.
constexpr std::array<std::string_view, 16> harmless{
    "innodb_lock_wait_timeout",
    "interactive_timeout",
    "lock_wait_timeout",
    "long_query_time",
    "max_execution_time",
    "max_statement_time",
    "net_read_timeout",
    "net_write_timeout",
    "role",
    "timestamp",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "unique_checks",
    "wait_timeout",
};

}  // namespace

// --- readings --------------------------------------------------------------------------------------------------

std::string reading_of(const Settings& settings) {
    wire::Writer out;
    out.u8(settings.charset);
    out.u8(settings.database ? 1 : 0);
    out.lenenc_text(settings.database ? std::string_view(*settings.database) : std::string_view());
    for (const auto& [name, literal] : settings.variables) {
        if (std::ranges::binary_search(harmless, std::string_view(name))) continue;
        out.lenenc_text(name);
        out.lenenc_text(literal);
    }
    return std::string(wire::as_text(out.bytes()));
}

std::string reading_of(const Settings& settings, std::uint64_t session) {
    wire::Writer out;
    out.lenenc_text({});
    out.lenenc_text(std::to_string(session));
    return reading_of(settings) + std::string(wire::as_text(out.bytes()));
}

Settings settings_of(std::string_view reading) {
    Settings settings;
    wire::Cursor cursor(wire::as_bytes(reading));
    settings.charset = cursor.u8();
    const bool named = cursor.u8() != 0;
    const std::string_view database = cursor.lenenc_text();
    if (named) settings.database = database;
    while (cursor.ok() && cursor.remaining() > 0) {
        const std::string_view name = cursor.lenenc_text();
        const std::string_view literal = cursor.lenenc_text();
        if (cursor.ok() && !name.empty()) settings.variables.emplace_back(name, literal);
    }
    return settings;
}

std::vector<std::string> reading_change(const Settings& from, const Settings& to, bool ignore_space) {
    std::vector<std::string> statements;
    if (from.charset == to.charset && from.variables == to.variables) return statements;
    const auto of_charset = [](std::string_view name) {
        return name == names_key || name.starts_with("character_set_") || name == "collation_connection";
    };
    bool charset = from.charset != to.charset;
    std::string sql;
    const auto item = [&sql](std::string_view first, std::string_view second, std::string_view third = {}) {
        sql += sql.empty() ? "SET " : ", ";
        (((sql += first) += second) += third);
    };
    for (const auto& [name, literal] : from.variables) {
        if (to.holds(name)) continue;
        if (of_charset(name)) {
            charset = true;
        } else if (name == "sql_mode" && ignore_space) {
            item("SESSION sql_mode=", "CONCAT(@@global.sql_mode,',IGNORE_SPACE')");
        } else {
            item("SESSION ", name, "=DEFAULT");
        }
    }
    for (const auto& [name, literal] : to.variables) {
        if (name == names_key) {
            item("NAMES ", literal);
        } else {
            item("SESSION ", name, "=" + literal);
        }
    }
    if (charset) statements = charset_statements(to.charset);
    if (!sql.empty()) statements.push_back(std::move(sql));
    return statements;
}

// --- a session's -----------------------------------------------------------------------------------------------

ClientStatement& ClientStatements::open(TextRef text, std::uint16_t parameters, std::uint16_t columns) {
    const std::uint32_t number = last_ = next_;
    ClientStatement& opened = open_[number];
    opened.text = std::move(text);
    opened.parameters = parameters;
    opened.columns = columns;
    do {
        if (++next_ == last_prepared) next_ = 1;
    } while (open_.contains(next_));
    return opened;
}

ClientStatement* ClientStatements::find(std::uint32_t& number, bool mariadb) noexcept {
    const auto found = open_.find(mariadb && number == last_prepared ? last_ : number);
    if (found == open_.end()) return nullptr;
    number = found->first;
    return &found->second;
}

void ClientStatements::clear() noexcept {
    open_.clear();
    last_ = 0;
}

void ClientStatements::forgive() noexcept {
    for (auto& [number, statement] : open_) statement.failed.reset();
}

// --- a backend's -----------------------------------------------------------------------------------------------

HeldStatement* HeldStatements::find(std::uint64_t text, std::uint32_t owner) noexcept {
    HeldStatement* found = nullptr;
    const auto [first, end] = by_text_.equal_range(text);
    for (auto it = first; it != end; ++it) {
        if (it->second->owner != 0 && it->second->owner != owner) continue;
        if (found == nullptr || it->second->owner != 0) found = &*it->second;
    }
    if (found == nullptr || found == &order_.back()) return found;
    for (auto it = first; it != end; ++it) {
        if (&*it->second == found) order_.splice(order_.end(), order_, it->second);
    }
    return found;
}

HeldStatement& HeldStatements::add(std::uint64_t text, std::uint32_t number) {
    const auto at = order_.insert(order_.end(), HeldStatement{text, number, 0, {}, false, 0, 0});
    by_text_.emplace(text, at);
    return *at;
}

void HeldStatements::own(HeldStatement& statement, std::uint32_t owner, std::string_view why) noexcept {
    if (statement.owner == 0) ++owned_;
    statement.owner = owner;
    statement.why = why;
}

void HeldStatements::disown(HeldStatement& statement) noexcept {
    if (statement.owner != 0) --owned_;
    statement.owner = 0;
    statement.why = {};
    statement.cursor = false;
}

void HeldStatements::disown_all() noexcept {
    for (HeldStatement& held : order_) disown(held);
}

void HeldStatements::remove(Order::iterator at) {
    closing_.push_back(at->number);
    disown(*at);
    const auto [first, end] = by_text_.equal_range(at->text);
    for (auto it = first; it != end; ++it) {
        if (it->second != at) continue;
        by_text_.erase(it);
        break;
    }
    order_.erase(at);
}

void HeldStatements::drop(HeldStatement& statement) {
    const auto [first, end] = by_text_.equal_range(statement.text);
    for (auto it = first; it != end; ++it) {
        if (&*it->second == &statement) return remove(it->second);
    }
}

void HeldStatements::evict(std::size_t room) {
    for (auto at = order_.begin(); at != order_.end() && order_.size() + room > limit_;) {
        const auto candidate = at++;
        if (candidate->owner == 0) remove(candidate);
    }
}

void HeldStatements::supersede(std::uint64_t text) {
    for (;;) {
        const auto [first, end] = by_text_.equal_range(text);
        const auto free = std::find_if(first, end, [](const auto& entry) { return entry.second->owner == 0; });
        if (free == end) return;
        remove(free->second);
    }
}

void HeldStatements::clear() noexcept {
    order_.clear();
    by_text_.clear();
    closing_.clear();
    owned_ = 0;
}

std::string_view HeldStatements::pin() const noexcept {
    std::string_view why;
    each_owned([&why](const HeldStatement& held) { why = held.why; });
    return why;
}

}  // namespace leasehold::mysql
