// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/table.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

Table named(std::string name) {
    Table table;
    table.name = std::move(name);
    table.gather = [](const Done& done) { done({}); };
    return table;
}

TEST(Tables, AreFoundInAnyCase) {
    Tables tables;
    tables.add(named("pools"));
    ASSERT_NE(tables.find("POOLS"), nullptr);
    EXPECT_EQ(tables.find("Pools")->name, "POOLS");
    EXPECT_EQ(tables.find("pool"), nullptr);
    EXPECT_EQ(tables.find(""), nullptr);
}

TEST(Tables, HaveOneNameEach) {
    Tables tables;
    tables.add(named("POOLS"));
    EXPECT_THROW(tables.add(named("pools")), std::logic_error);
}

TEST(Tables, AreListedByName) {
    Tables tables;
    for (const char* name : {"SERVERS", "CLIENTS", "POOLS"}) tables.add(named(name));
    std::string names;
    for (const auto& table : tables.list()) names += table->name + ' ';
    EXPECT_EQ(names, "CLIENTS POOLS SERVERS ");
}

TEST(TableJoin, WaitsForEveryPartAndKeepsTheirOrder) {
    std::optional<Rows> got;
    const Part<Row> part = join<Row>(3, [&](Rows rows) { got = std::move(rows); });
    part(2, {{"c"}});
    part(0, {{"a"}, {"b"}});
    EXPECT_FALSE(got);
    part(1, {});
    EXPECT_EQ(got, (Rows{{"a"}, {"b"}, {"c"}}));
}

TEST(TableJoin, CountsAPartThatComesTwiceOnce) {
    int calls = 0;
    const Part<Row> part = join<Row>(2, [&](const Rows&) { ++calls; });
    part(0, {});
    part(0, {});
    part(7, {});
    EXPECT_EQ(calls, 0);
    part(1, {});
    part(1, {});
    EXPECT_EQ(calls, 1);
}

TEST(TableJoin, OfNothingIsDoneAtOnce) {
    int calls = 0;
    (void)join<Row>(0, [&](const Rows& rows) { calls += rows.empty() ? 1 : 0; });
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace leasehold::daemon::admin
