// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/known_functions.hpp"

#include <gtest/gtest.h>

namespace leasehold::wire {
namespace {

void trust(KnownFunctions& functions, std::string_view name) {
    for (std::uint32_t i = 0; i < KnownFunctions::clean_for_trust; ++i) {
        EXPECT_TRUE(functions.due(name)) << i;
        functions.judge(name, true);
    }
}

TEST(KnownFunctions, AreLookedAtUntilTheyHaveBeenCleanLongEnough) {
    KnownFunctions functions(0.01);
    trust(functions, "f");
    EXPECT_TRUE(functions.due("g")) << "another one";
    std::size_t looks = 0;
    for (int i = 0; i < 1000; ++i) looks += functions.due("f");
    EXPECT_NEAR(static_cast<double>(looks), 10, 1) << "one in a hundred";
}

TEST(KnownFunctions, BeginAnewWhenTheyLeftSomethingOrWereReplaced) {
    KnownFunctions functions(0.01);
    trust(functions, "f");
    functions.judge("f", false);
    trust(functions, "f");
    EXPECT_FALSE(functions.due("f"));
    KnownFunctions::replaced();
    trust(functions, "f");
    functions.judge("f", true);
    KnownFunctions::replaced();
    EXPECT_TRUE(functions.due("f"));
}

TEST(KnownFunctions, CountByTheShareInForce) {
    KnownFunctions none(0);
    EXPECT_FALSE(none.due("f"));
    KnownFunctions all(1);
    EXPECT_TRUE(all.all());
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(all.due("f"));
        all.judge("f", true);
    }
    all.set_share(0.5);
    EXPECT_FALSE(all.all());
    EXPECT_FALSE(all.due("f"));
    EXPECT_TRUE(all.due("f"));
}

TEST(KnownFunctions, DoNotGrowWithoutALimit) {
    KnownFunctions functions(0.01);
    trust(functions, "trusted");
    for (std::size_t i = 0; i < 3 * KnownFunctions::most; ++i) functions.judge("f" + std::to_string(i), true);
    EXPECT_LE(functions.size(), KnownFunctions::most);
    EXPECT_FALSE(functions.due("trusted")) << "those that nobody trusts yet go first";
}

}  // namespace
}  // namespace leasehold::wire
