// SPDX-License-Identifier: Apache-2.0
// The cache of shared texts, for any dialect: which stay, which go, and when.
#include "dialects/wire/text_cache.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace leasehold::wire {
namespace {

struct Words : CachedText<Words> {
    struct Key {
        std::string_view text;
        friend bool operator==(const Key&, const Key&) = default;
        [[nodiscard]] std::size_t hash() const noexcept { return text.size(); }  // collides
        [[nodiscard]] std::size_t size() const noexcept { return text.size(); }
    };
    explicit Words(const Key& key) : text(key.text) {}
    [[nodiscard]] Key key() const noexcept { return {text}; }
    std::string text;
    int filled = 0;
};
using Cache = TextCache<Words>;
using Ref = TextRef<Words>;

Ref intern(Cache& cache, std::string_view text) { return cache.intern({text}); }

TEST(TextCache, GivesEqualTextsOneNumberAndFillsThemOnce) {
    Cache cache(1 << 20);
    const auto fill = [](Words& words) { ++words.filled; };
    const Ref one = cache.intern({"one"}, fill), same = cache.intern({"one"}, fill),
              other = cache.intern({"two"}, fill);
    EXPECT_EQ(&*one, &*same);
    EXPECT_EQ(one->filled, 1);
    EXPECT_NE(one->id, other->id);
    EXPECT_EQ(cache.size(), 2u);
}

TEST(TextCache, KeepsUnusedTextsWhileThereIsRoomAndDropsTheLongestUnusedFirst) {
    Cache cache(4000);
    const std::uint64_t first = intern(cache, std::string(1000, 'a'))->id;
    const std::uint64_t second = intern(cache, std::string(1000, 'b'))->id;
    EXPECT_EQ(intern(cache, std::string(1000, 'a'))->id, first);  // now used later than b
    (void)intern(cache, std::string(2000, 'c'));
    EXPECT_EQ(intern(cache, std::string(1000, 'a'))->id, first);
    EXPECT_NE(intern(cache, std::string(1000, 'b'))->id, second);
    EXPECT_LE(cache.bytes(), 4000u);
}

TEST(TextCache, RefusesWhatDoesNotFitBesideTextsInUse) {
    Cache cache(16 * 1024);
    const Ref used = intern(cache, std::string(2000, 'u'));
    const std::size_t before = cache.bytes();
    for (int n = 0; n < 100; ++n) {
        EXPECT_TRUE(intern(cache, std::string(1000, 'x') + std::to_string(n)));
        EXPECT_LE(cache.bytes(), 16u * 1024);
        EXPECT_GE(cache.bytes(), before);
    }
    EXPECT_FALSE(intern(cache, std::string(15000, 'y'))) << "all of it, and no room";
    EXPECT_EQ(&*intern(cache, std::string(2000, 'u')), &*used);
}

TEST(TextCache, OfAThreadIsOneWhileSomebodyHoldsIt) {
    const auto a = Cache::local(1000);
    EXPECT_EQ(a, Cache::local(5000));
}

TEST(TextCache, TextsThatAreNotKeptCostNothing) {
    Cache cache(1000);
    const Ref text = cache.unkept([](Words& words) { words.filled = 7; });
    EXPECT_FALSE(text->kept);
    EXPECT_NE(text->id, 0u);
    EXPECT_EQ(text->filled, 7);
    EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace leasehold::wire
