// SPDX-License-Identifier: Apache-2.0
#include "daemon/places.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

using namespace leasehold::daemon;

namespace {

using Kind = Places::Kind;

TEST(Places, ThereAreAsManyAsTheLimitAndOneMoreWhenOneIsGivenBack) {
    Places places;
    Places::Place one = places.take(Kind::client, {}, 2);
    Places::Place two = places.take(Kind::client, {}, 2);
    EXPECT_TRUE(one && two);
    EXPECT_FALSE(places.take(Kind::client, {}, 2));
    EXPECT_EQ(places.clients(), 2);
    one = {};
    EXPECT_EQ(places.clients(), 1);
    EXPECT_TRUE(places.take(Kind::client, {}, 2));
}

TEST(Places, UsersAndAddressesAreCountedEachByItself) {
    Places places;
    const Places::Place app = places.take(Kind::user, "app", 1);
    EXPECT_FALSE(places.take(Kind::user, "app", 1));
    EXPECT_TRUE(places.take(Kind::user, "other", 1));
    EXPECT_TRUE(places.take(Kind::address, "app", 1));
    EXPECT_EQ(places.taken(Kind::user, "app"), 1);
    EXPECT_EQ(places.clients(), 0);
}

TEST(Places, ALimitOfZeroRefusesNobodyAndALaterOneCountsThoseWhoAreThere) {
    Places places;
    std::vector<Places::Place> taken;
    for (int i = 0; i < 5; ++i) taken.push_back(places.take(Kind::user, "app", 0));
    EXPECT_FALSE(places.take(Kind::user, "app", 3));
    taken.resize(2);
    EXPECT_TRUE(places.take(Kind::user, "app", 3));
}

TEST(Places, NobodyIsRememberedWhoHasNoClient) {
    Places places;
    for (int i = 0; i < 1000; ++i) {
        const Places::Place user = places.take(Kind::user, "user-" + std::to_string(i), 5);
        const Places::Place address = places.take(Kind::address, "10.0.0." + std::to_string(i), 5);
        EXPECT_EQ(places.remembered(), 2u);
    }
    EXPECT_EQ(places.remembered(), 0u);
    EXPECT_EQ(places.taken(Kind::user), 0);
}

TEST(Places, APlaceThatIsMovedIsGivenBackOnce) {
    Places places;
    {
        Places::Place first = places.take(Kind::user, "app", 0);
        Places::Place second = std::move(first);
        EXPECT_FALSE(first);  // NOLINT: what a moved-from place says is the point
        second = places.take(Kind::user, "other", 0);
        EXPECT_EQ(places.taken(Kind::user, "app"), 0);
    }
    EXPECT_EQ(places.taken(Kind::user), 0);
}

TEST(Places, FromManyThreadsNeverMoreThanTheLimit) {
    Places places;
    std::vector<std::thread> threads;
    std::atomic<int> most{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                const Places::Place client = places.take(Kind::client, {}, 3);
                const Places::Place user = places.take(Kind::user, "app", 2);
                if (user) {
                    int seen = most.load();
                    const int now = places.taken(Kind::user, "app");
                    while (now > seen && !most.compare_exchange_weak(seen, now)) {
                    }
                }
                EXPECT_LE(places.clients(), 3);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(most.load(), 2);
    EXPECT_EQ(places.clients(), 0);
    EXPECT_EQ(places.remembered(), 0u);
}

TEST(Places, AnAddressIsTheSameWhateverItsPortOrSocket) {
    EXPECT_EQ(address_key("10.0.0.7:51234"), "10.0.0.7");
    EXPECT_EQ(address_key("[::ffff:10.0.0.7]:51234"), "10.0.0.7");
    EXPECT_EQ(address_key("[2001:db8::1]:51234"), "2001:db8::1");
    EXPECT_EQ(address_key("[fe80::1%eth0]:1"), "fe80::1%eth0");
    EXPECT_EQ(address_key("unix"), "unix");
    EXPECT_EQ(address_key(""), "");
    EXPECT_EQ(address_key(1000u), "unix:1000");
}

}  // namespace
