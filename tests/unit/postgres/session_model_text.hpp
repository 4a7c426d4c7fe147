// SPDX-License-Identifier: Apache-2.0
// How the server of session_model.hpp reads its few statements.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres::model {

[[nodiscard]] inline bool starts(std::string_view text, std::string_view with) {
    return text.substr(0, with.size()) == with;
}

[[nodiscard]] inline std::vector<std::string> split(std::string_view sql) {
    std::vector<std::string> all;
    while (!sql.empty()) {
        const std::size_t end = std::min(sql.find(';'), sql.size());
        std::string one(sql.substr(0, end));
        one.erase(0, one.find_first_not_of(' ') == std::string::npos ? one.size() : one.find_first_not_of(' '));
        if (!one.empty()) all.push_back(one);
        sql.remove_prefix(std::min(end + 1, sql.size()));
    }
    return all;
}

// set_config('name','value',true) or set_config('name',NULL,false), as often as it is there.
struct SetConfig {
    std::string name;
    std::optional<std::string> value;
    bool local = false;
};
[[nodiscard]] inline std::vector<SetConfig> set_configs(std::string_view sql) {
    constexpr std::string_view begins = "set_config('";
    std::vector<SetConfig> all;
    for (std::size_t at = sql.find(begins); at != std::string_view::npos; at = sql.find(begins)) {
        sql.remove_prefix(at + begins.size());
        SetConfig& one = all.emplace_back();
        one.name = sql.substr(0, sql.find('\''));
        sql.remove_prefix(one.name.size() + 2);
        if (sql.front() == '\'') {
            const std::size_t end = sql.find("',", 1);
            one.value = sql.substr(1, end - 1);
            sql.remove_prefix(end + 1);
        }
        one.local = starts(sql.substr(sql.find(',') + 1), "true");
    }
    return all;
}

[[nodiscard]] inline bool has_rows(std::string_view sql) { return starts(sql, "SELECT") || starts(sql, "SHOW"); }

[[nodiscard]] inline std::size_t parameters_of(std::string_view sql) {
    return static_cast<std::size_t>(std::count(sql.begin(), sql.end(), '$'));
}

}  // namespace leasehold::postgres::model
