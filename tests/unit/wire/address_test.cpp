// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/address.hpp"

#include <gtest/gtest.h>

namespace leasehold::wire {
namespace {

TEST(ServerAddress, OfAPeerIsItsAddressAndPort) {
    EXPECT_EQ(address_of("127.0.0.1:5432")->text(), "127.0.0.1:5432");
    EXPECT_EQ(address_of("[fe80::1]:3306")->host, "fe80::1");
    EXPECT_EQ(address_of("[fe80::1]:3306")->port, 3306);
    for (const char* none : {"unix", "gone", "", "host:", "host:x", "host:99999"})
        EXPECT_FALSE(address_of(none)) << none;
}

TEST(ServerAddress, WhatMustReachAConnectionsServerGoesToItsPeer) {
    const ServerAddress named{"db.internal", 3306};
    EXPECT_EQ(reached(named, "192.0.2.7:3306").text(), "192.0.2.7:3306");
    EXPECT_EQ(reached(named, "gone").text(), "db.internal:3306");
    const ServerAddress local{"/run/mysqld/mysqld.sock", 0};
    EXPECT_EQ(reached(local, "unix").text(), "/run/mysqld/mysqld.sock");
    EXPECT_EQ(reached(local, "1.2.3.4:5").text(), "/run/mysqld/mysqld.sock");
}

}  // namespace
}  // namespace leasehold::wire
