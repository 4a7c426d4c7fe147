// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/sql_prepared.hpp"

#include <algorithm>

namespace leasehold::mysql {

// Servers compare names by a collation: other letters than these may be equal to each other. A backslash is an escape in some
// modes only.
bool is_carried(std::string_view name, std::string_view text) noexcept {
    const bool plain = std::ranges::all_of(
        name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$'; });
    return plain && !name.empty() && !text.empty() && text.find('\\') == std::string_view::npos &&
           text.find('\0') == std::string_view::npos;
}

std::string prepare_statement(std::string_view name, std::string_view text) {
    std::string sql = "PREPARE `";
    (sql += name) += "` FROM '";
    for (const char c : text) {
        if (c == '\'') sql += c;
        sql += c;
    }
    return sql += '\'';
}

bool SqlPrepared::set(std::string_view name, SqlTextRef text) {
    erase(name);
    std::size_t bytes = text ? text->text.size() + text->reading.size() : 0;
    for (const Named& one : named_) bytes += one.text ? one.text->text.size() + one.text->reading.size() : 0;
    if (named_.size() >= most || bytes > most_bytes) return false;
    named_.push_back({std::string(name), std::move(text)});
    return true;
}

void SqlPrepared::erase(std::string_view name) {
    std::erase_if(named_, [name](const Named& one) { return one.name == name; });
}

SqlTextRef SqlPrepared::text(std::string_view name) const noexcept {
    const Named* const found = find(name);
    return found == nullptr ? nullptr : found->text;
}

const SqlPrepared::Named* SqlPrepared::find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(named_, name, &Named::name);
    return found == named_.end() ? nullptr : &*found;
}

}  // namespace leasehold::mysql
