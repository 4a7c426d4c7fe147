// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/variants.hpp"

#include <gtest/gtest.h>

using namespace leasehold::postgres;

namespace {

Settings of(std::initializer_list<std::pair<const char*, const char*>> list) {
    Settings made;
    for (const auto& [name, value] : list) EXPECT_TRUE(made.set(name, value));
    return made;
}

TEST(PostgresVariants, OnlyWhatAConnectionsStartCanSetIsTakenOut) {
    Settings asked = of({{"work_mem", "1MB"}, {"Ignore_System_Indexes", "on"}, {"post_auth_delay", "0"}});
    const Settings start = take_start_only(asked);
    EXPECT_EQ(asked, of({{"work_mem", "1MB"}}));
    EXPECT_EQ(start, of({{"ignore_system_indexes", "on"}, {"post_auth_delay", "0"}}));
    EXPECT_TRUE(take_start_only(asked).empty());
}

TEST(PostgresVariants, EqualSetsHaveOneNumberAndOthersAnother) {
    Variants all;
    const VariantRef one = all.intern(of({{"post_auth_delay", "0"}}));
    ASSERT_TRUE(one);
    EXPECT_NE(one->id, 0u);
    EXPECT_EQ(all.intern(of({{"post_auth_delay", "0"}})), one);
    EXPECT_NE(all.intern(of({{"post_auth_delay", "1"}}))->id, one->id);
    EXPECT_EQ(all.find(one->id)->parameters, of({{"post_auth_delay", "0"}}));
    EXPECT_EQ(all.find(77), nullptr);
    EXPECT_EQ(all.find(Variants::none_left), nullptr);
}

TEST(PostgresVariants, TheirNumberIsLimitedAndThoseThatNobodyUsesMakeRoom) {
    Variants all(2);
    const VariantRef one = all.intern(of({{"post_auth_delay", "1"}}));
    const std::uint64_t second = all.intern(of({{"post_auth_delay", "2"}}))->id;
    EXPECT_NE(all.find(second), nullptr);  // not at once: its backends may be wanted again
    VariantRef third = all.intern(of({{"post_auth_delay", "3"}}));
    ASSERT_TRUE(third);
    EXPECT_EQ(all.find(second), nullptr);
    EXPECT_EQ(all.intern(of({{"post_auth_delay", "4"}})), nullptr);
    EXPECT_EQ(all.intern(of({{"post_auth_delay", "1"}})), one);
    third.reset();
    const VariantRef fourth = all.intern(of({{"post_auth_delay", "4"}}));
    ASSERT_TRUE(fourth);
    EXPECT_GT(fourth->id, second);  // a number is never given twice
}

}  // namespace
