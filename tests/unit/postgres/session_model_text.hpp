// SPDX-License-Identifier: Apache-2.0
// How the server of session_model.hpp reads its few statements.
#pragma once

#include <algorithm>
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

[[nodiscard]] inline bool has_rows(std::string_view sql) { return starts(sql, "SELECT") || starts(sql, "SHOW"); }

[[nodiscard]] inline std::size_t parameters_of(std::string_view sql) {
    return static_cast<std::size_t>(std::count(sql.begin(), sql.end(), '$'));
}

}  // namespace leasehold::postgres::model
