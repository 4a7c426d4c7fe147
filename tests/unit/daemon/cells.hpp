// SPDX-License-Identifier: Apache-2.0
// A table's row by the names of its columns.
#pragma once

#include "daemon/admin/tables.hpp"

#include <gtest/gtest.h>

#include <map>

namespace leasehold::daemon::admin {

inline constexpr SystemTime new_year{std::chrono::seconds(1767225600)};  // 2026

// Fails when there are more or fewer values than columns.
inline std::map<std::string, std::string> by_name(const Columns& columns, const Row& row) {
    std::map<std::string, std::string> result;
    EXPECT_EQ(columns.size(), row.size());
    for (std::size_t i = 0; i < columns.size() && i < row.size(); ++i) {
        EXPECT_TRUE(result.emplace(columns[i].name, row[i].value_or("NULL")).second) << columns[i].name << " twice";
    }
    return result;
}

}  // namespace leasehold::daemon::admin
