// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/hosts.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

TEST(MysqlRole, IsReadFromTheUrl) {
    EXPECT_EQ(role_of(""), Role::any);
    EXPECT_EQ(role_of("any"), Role::any);
    EXPECT_EQ(role_of("primary"), Role::primary);
    EXPECT_EQ(role_of("replica"), Role::replica);
}

TEST(MysqlRole, IsWhatTheServerSaysOfReadOnly) {
    struct Row {
        const char* read_only;
        bool primary, replica;
    };
    for (const Row& row : {Row{"0", true, false}, Row{"OFF", true, false}, Row{"1", false, true},
                           Row{"NO_LOCK_NO_ADMIN", false, true}, Row{"", false, false}}) {
        EXPECT_TRUE(fits_role(Role::any, row.read_only));
        EXPECT_EQ(fits_role(Role::primary, row.read_only), row.primary) << row.read_only;
        EXPECT_EQ(fits_role(Role::replica, row.read_only), row.replica) << row.read_only;
    }
    EXPECT_NE(unfit_because(Role::primary), unfit_because(Role::replica));
    EXPECT_EQ(unfit_because(Role::any), "");
}

}  // namespace
}  // namespace leasehold::mysql
