// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/prepared.hpp"

#include "dialects/postgres/unnamed.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

TEST(StatementCache, GivesTextsThatWereReadAlikeOneNumber) {
    StatementCache cache(1 << 20);
    constexpr std::string_view tail("SELECT 1\0\0\0", 11);
    const TextRef a = cache.intern({tail}), b = cache.intern({tail});
    const TextRef other_types = cache.intern({std::string_view("SELECT 1\0\0\1\0\0\0\x17", 15)});
    const TextRef other_rules = cache.intern({tail, false});
    const TextRef other_date = cache.intern({tail, true, 7});
    EXPECT_EQ(a->id, b->id);
    EXPECT_NE(a->id, other_types->id);
    EXPECT_NE(a->id, other_rules->id);
    EXPECT_NE(a->id, other_date->id);
    EXPECT_EQ(a->text(), "SELECT 1");
    EXPECT_EQ(cache.size(), 4u);
}

TEST(Namespace, CutsNamesAsTheServerDoes) {
    StatementCache cache(1 << 20);
    Namespace names;
    names.add(std::string(63, 'n'), cache.intern({"x"}));
    EXPECT_NE(names.find(std::string(80, 'n')), nullptr);
    EXPECT_EQ(names.find(std::string(62, 'n')), nullptr);
}

TEST(Namespace, RestoresWhatWasRemovedUntilItSettles) {
    StatementCache cache(1 << 20);
    Namespace names;
    Namespace::Named& named = names.add("a", cache.intern({"x"}));
    names.remove(named);
    EXPECT_EQ(names.find("a"), nullptr);
    Namespace::Named& again = names.add("a", cache.intern({"y"}));
    names.erase(again);
    names.restore(named);
    ASSERT_EQ(names.find("a"), &named);
    EXPECT_EQ(named.second->tail, "x");
    names.clear();
    EXPECT_EQ(names.size(), 0u);
    names.settle();
    names.add("a", cache.intern({"z"}));
    EXPECT_EQ(names.size(), 1u);
}

TEST(Namespace, IsCrowdedByWhatIsKeptUntilItSettles) {
    Namespace names;
    for (int i = 0; i < 2000 && !names.crowded(); ++i) names.remove(names.add("p", {}));
    EXPECT_TRUE(names.crowded());
    names.settle();
    EXPECT_FALSE(names.crowded());
}

TEST(HeldStatements, NameTheLeastRecentlyUsedAsSurplus) {
    HeldStatements held(2);
    EXPECT_EQ(held.surplus(), 0u);
    held.add(1);
    held.add(2);
    EXPECT_EQ(held.surplus(), 1u);
    EXPECT_TRUE(held.touch(1));
    EXPECT_EQ(held.surplus(), 2u);
    held.remove(2);
    EXPECT_EQ(held.surplus(), 0u);
    EXPECT_FALSE(held.touch(2));
    held.clear();
    EXPECT_EQ(held.size(), 0u);
}

TEST(HeldStatements, AreOldForThoseWhoParseAfterAChangeOfWhatNamesMean) {
    HeldStatements held(3);
    held.add(1);
    EXPECT_TRUE(held.parsed_since(1, SchemaClock::last_change()));
    const std::uint64_t alone = SchemaClock::tick_alone();
    EXPECT_FALSE(held.parsed_since(1, alone));  // to the one session
    EXPECT_TRUE(held.parsed_since(1, SchemaClock::last_change()));
    SchemaClock::tick();
    EXPECT_FALSE(held.parsed_since(1, SchemaClock::last_change()));
    EXPECT_TRUE(held.touch(1));  // held all the same: names given before go on meaning it
    held.add(1);
    EXPECT_TRUE(held.parsed_since(1, SchemaClock::last_change()));
    held.age(1);
    EXPECT_FALSE(held.parsed_since(1, 1));
    EXPECT_FALSE(held.parsed_since(2, 0));
    held.age(2);
}

TEST(HeldStatements, HaveRoomForOneAtLeast) {
    HeldStatements held(0);
    EXPECT_EQ(held.surplus(), 0u);
    held.add(4);
    EXPECT_EQ(held.surplus(), 4u);
}

TEST(BackendNames, AreNumbers) { EXPECT_EQ(BackendName(18446744073709551615ull).view(), "lh_18446744073709551615"); }

wire::Bytes bytes(std::string_view text) { return wire::as_bytes(text); }

TEST(UnnamedStatements, FallBackToTheConfirmedOneWhenLaterOnesAreSkipped) {
    Unnamed unnamed;
    const std::uint64_t first = unnamed.send(Digest(), bytes("first"));
    (void)unnamed.send(Digest(), bytes("second"));
    const std::uint64_t third = unnamed.send(Digest(), bytes("third"));
    unnamed.confirm(first);
    EXPECT_EQ(wire::as_text(unnamed.message()), "third");
    unnamed.revert(false, 0);
    EXPECT_EQ(unnamed.sent(), first);
    EXPECT_EQ(wire::as_text(unnamed.message()), "first");
    EXPECT_GT(unnamed.send(Digest(), bytes("fourth")), third);
}

TEST(UnnamedStatements, LoseTheirTextRatherThanMistakeItInLongPipelines) {
    Unnamed unnamed;
    std::vector<std::uint64_t> serials;
    for (int i = 0; i < 50; ++i) serials.push_back(unnamed.send(Digest(), bytes(std::to_string(i))));
    for (std::size_t i = 0; i < serials.size(); ++i) {
        unnamed.confirm(serials[i]);
        unnamed.revert(true, serials[i]);
        const std::string_view text = wire::as_text(unnamed.message());
        EXPECT_TRUE(text.empty() || text == std::to_string(i)) << i << " " << text;
    }
    EXPECT_EQ(wire::as_text(unnamed.message()), "49");
}

TEST(UnnamedStatements, AreGoneWhenDropped) {
    Unnamed unnamed;
    unnamed.confirm(unnamed.send(Digest(), bytes("x")));
    unnamed.send_drop();
    EXPECT_TRUE(unnamed.message().empty());
    unnamed.confirm(0);
    EXPECT_EQ(unnamed.confirmed(), 0u);
}

}  // namespace
}  // namespace leasehold::postgres
