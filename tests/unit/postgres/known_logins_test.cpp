// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/known_logins.hpp"

#include <gtest/gtest.h>

using namespace leasehold::postgres;

namespace {

Settings of(std::initializer_list<std::pair<const char*, std::string>> list) {
    Settings made;
    for (const auto& [name, value] : list) EXPECT_TRUE(made.set(name, value));
    return made;
}

TEST(PostgresKnownLogins, APlainApplicationNameMakesNoDifference) {
    EXPECT_EQ(KnownLogins::key({}, 0), "");
    EXPECT_EQ(KnownLogins::key(of({{"application_name", "psql"}}), 0), "");
    EXPECT_NE(KnownLogins::key(of({{"application_name", "caf\xc3\xa9"}}), 0), "");
    EXPECT_NE(KnownLogins::key(of({{"application_name", std::string(64, 'x')}}), 0), "");
    EXPECT_EQ(KnownLogins::key(of({{"application_name", std::string(63, 'x')}}), 0), "");
    EXPECT_EQ(KnownLogins::key(of({{"TimeZone", "CET"}, {"application_name", "a"}}), 0),
              KnownLogins::key(of({{"timezone", "CET"}}), 0));
}

TEST(PostgresKnownLogins, OtherSettingsAndVariantsDo) {
    const std::string key = KnownLogins::key(of({{"a.b", "1"}}), 0);
    EXPECT_NE(key, KnownLogins::key(of({{"a.b", "2"}}), 0));
    EXPECT_NE(key, KnownLogins::key(of({{"a.b", "1"}}), 1));
    EXPECT_NE(key, KnownLogins::key(of({{"a.b1", ""}}), 0));
    EXPECT_NE(KnownLogins::key({}, 1), KnownLogins::key({}, 2));
}

TEST(PostgresKnownLogins, WhatIsRememberedIsFoundAndReplacedAndForgotten) {
    KnownLogins known;
    EXPECT_EQ(known.find("a"), nullptr);
    known.remember("a", {{"TimeZone", "CET"}});
    ASSERT_NE(known.find("a"), nullptr);
    EXPECT_EQ(known.find("a")->front().second, "CET");
    known.remember("a", {{"TimeZone", "EET"}});
    EXPECT_EQ(known.find("a")->front().second, "EET");
    EXPECT_EQ(known.size(), 1u);
    known.clear();
    EXPECT_EQ(known.find("a"), nullptr);
}

TEST(PostgresKnownLogins, TheLongestUnusedGoFirst) {
    KnownLogins known;
    known.remember("first", {});
    for (std::size_t i = 1; i < KnownLogins::most; ++i) known.remember(std::to_string(i), {});
    EXPECT_EQ(known.size(), KnownLogins::most);
    EXPECT_NE(known.find("first"), nullptr);
    known.remember("one more", {});
    EXPECT_EQ(known.size(), KnownLogins::most);
    EXPECT_NE(known.find("first"), nullptr);
    EXPECT_EQ(known.find("1"), nullptr);
}

TEST(PostgresKnownLogins, TheirMemoryIsBoundedToo) {
    KnownLogins known;
    for (int i = 0; i < 100; ++i) known.remember(std::to_string(i), {{"a.b", std::string(50'000, 'x')}});
    EXPECT_LE(known.size() * 50'000, KnownLogins::most_bytes);
    EXPECT_GE(known.size(), 10u);
    known.remember("huge", {{"a.b", std::string(KnownLogins::most_bytes, 'x')}});
    EXPECT_EQ(known.find("huge"), nullptr);
    EXPECT_NE(known.find("99"), nullptr);
}

}  // namespace
