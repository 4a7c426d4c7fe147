// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/known_functions.hpp"

#include <gtest/gtest.h>

namespace leasehold::wire {
namespace {

using Look = KnownFunctions::Look;

void trust(KnownFunctions& functions, std::string_view name) {
    for (std::uint32_t i = 0; i < KnownFunctions::clean_for_trust; ++i) {
        EXPECT_EQ(functions.due(name), Look::always) << i;
        functions.judge(name, true);
    }
}

TEST(KnownFunctions, AreLookedAtUntilTheyHaveBeenCleanLongEnough) {
    KnownFunctions functions(0.01);
    trust(functions, "f");
    EXPECT_EQ(functions.due("g"), Look::always) << "another one";
    std::size_t looks = 0;
    for (int i = 0; i < 1000; ++i) looks += functions.due("f") == Look::sample;
    EXPECT_NEAR(static_cast<double>(looks), 10, 1) << "one in a hundred";
}

TEST(KnownFunctions, BeginAnewWhenTheyLeftSomethingOrWereReplaced) {
    KnownFunctions functions(0.01);
    trust(functions, "f");
    functions.judge("f", false);
    trust(functions, "f");
    EXPECT_EQ(functions.due("f"), Look::none);
    KnownFunctions::replaced();
    trust(functions, "f");
    functions.judge("f", true);
    KnownFunctions::replaced();
    EXPECT_EQ(functions.due("f"), Look::always);
}

TEST(KnownFunctions, CountByTheShareInForce) {
    KnownFunctions none(0);
    EXPECT_EQ(none.due("f"), Look::none);
    KnownFunctions all(1);
    EXPECT_TRUE(all.all());
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(all.due("f"), Look::always);
        all.judge("f", true);
    }
    all.set_share(0.5);
    EXPECT_FALSE(all.all());
    EXPECT_EQ(all.due("f"), Look::none);
    EXPECT_EQ(all.due("f"), Look::sample);
}

TEST(KnownFunctions, DoNotGrowWithoutALimit) {
    KnownFunctions functions(0.01);
    trust(functions, "trusted");
    for (std::size_t i = 0; i < 3 * KnownFunctions::most; ++i) functions.judge("f" + std::to_string(i), true);
    EXPECT_LE(functions.size(), KnownFunctions::most);
    EXPECT_EQ(functions.due("trusted"), Look::none) << "those that nobody trusts yet go first";
}

}  // namespace
}  // namespace leasehold::wire
