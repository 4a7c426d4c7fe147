// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/leaks.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

LeakRecord record(std::string function, std::string kind = "setting", std::string what = "work_mem") {
    LeakRecord made;
    made.pool = "orders";
    made.holder.session = 7;
    made.holder.user = "app";
    made.function = std::move(function);
    made.kind = std::move(kind);
    made.what = std::move(what);
    made.statement = "SELECT f(?)";
    return made;
}

TEST(LeakRecords, AreOneForAPoolFunctionKindAndSetting) {
    LeakRecords records;
    records.add(record("f"));
    records.add(record("g"));
    records.add(record("f", "temporary object", ""));
    records.add(record("f", "setting", "search_path"));
    LeakRecord last = record("f");
    last.holder.session = 8;
    records.add(last);
    const Rows rows = leaks_rows({}, records.snapshot(), {});
    ASSERT_EQ(rows.size(), 4u);
    for (const Row& row : rows) ASSERT_EQ(row.size(), leaks_columns().size());
    EXPECT_EQ(rows[0][5], "8") << "the latest";
    EXPECT_EQ(rows[0][6], "f");
    EXPECT_EQ(rows[0][7], "setting");
    EXPECT_EQ(rows[0][8], "work_mem");
    EXPECT_EQ(rows[0][9], "SELECT f(?)");
    EXPECT_EQ(rows[0][10], "2");
    EXPECT_EQ(rows[1][8], "search_path");
    EXPECT_EQ(rows[2][8], std::nullopt);
    EXPECT_EQ(rows[3][6], "g");
}

TEST(LeakRecords, AreBoundedInNumberAndLength) {
    LeakRecords records(3);
    for (int i = 0; i < 10; ++i) records.add(record("f" + std::to_string(i)));
    EXPECT_EQ(records.snapshot().size(), 3u);
    EXPECT_EQ(records.snapshot().front().function, "f9");
    LeakRecord large = record("");
    large.function = large.what = large.statement = std::string(10'000, 'x');
    records.add(large);
    const LeakRecord kept = records.snapshot().front();
    EXPECT_LT(kept.function.size(), 300u);
    EXPECT_LT(kept.what.size(), 300u);
    EXPECT_LT(kept.statement.size(), 1100u);
    EXPECT_EQ(leaks_rows({}, {record("")}, {})[0][6], std::nullopt);
}

}  // namespace
}  // namespace leasehold::daemon::admin
