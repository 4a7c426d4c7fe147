// SPDX-License-Identifier: Apache-2.0
#include "daemon/standing.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon {
namespace {

TEST(Standing, NothingIsPausedOrDisabledAtFirst) {
    const Standing standing;
    EXPECT_FALSE(standing.paused("orders"));
    EXPECT_FALSE(standing.disabled("orders"));
}

TEST(Standing, OnePoolIsPausedByItsNameAlone) {
    Standing standing;
    EXPECT_TRUE(standing.pause("orders"));
    EXPECT_FALSE(standing.pause("orders"));
    EXPECT_TRUE(standing.paused("orders"));
    EXPECT_FALSE(standing.paused("Orders"));
    EXPECT_TRUE(standing.resume("orders"));
    EXPECT_FALSE(standing.resume("orders"));
    EXPECT_FALSE(standing.paused("orders"));
}

TEST(Standing, AllPausedHoldsForPoolsToComeUntilAllAreResumed) {
    Standing standing;
    EXPECT_TRUE(standing.pause(""));
    EXPECT_FALSE(standing.pause(""));
    EXPECT_TRUE(standing.paused("made later"));
    EXPECT_FALSE(standing.pause("orders"));  // it is so already
    EXPECT_TRUE(standing.resume(""));
    EXPECT_FALSE(standing.resume(""));
    EXPECT_FALSE(standing.paused("made later"));
    EXPECT_FALSE(standing.paused("orders"));
}

TEST(Standing, OneResumedOfAllGoesOnAndIsMeantByTheNextPauseOfAll) {
    Standing standing;
    (void)standing.pause("");
    EXPECT_TRUE(standing.resume("orders"));
    EXPECT_FALSE(standing.paused("orders"));
    EXPECT_TRUE(standing.paused("stock"));
    EXPECT_TRUE(standing.pause("orders"));
    EXPECT_TRUE(standing.paused("orders"));
    EXPECT_TRUE(standing.resume("orders"));
    EXPECT_TRUE(standing.pause(""));
    EXPECT_TRUE(standing.paused("orders"));
}

TEST(Standing, ResumeOfAllMeansThosePausedByName) {
    Standing standing;
    (void)standing.pause("orders");
    EXPECT_TRUE(standing.resume(""));
    EXPECT_FALSE(standing.paused("orders"));
}

TEST(Standing, DisabledIsByNameAndAnotherMatter) {
    Standing standing;
    EXPECT_TRUE(standing.disable("orders"));
    EXPECT_FALSE(standing.disable("orders"));
    EXPECT_TRUE(standing.disabled("orders"));
    EXPECT_FALSE(standing.paused("orders"));
    EXPECT_FALSE(standing.resume(""));
    EXPECT_TRUE(standing.disabled("orders"));
    EXPECT_TRUE(standing.enable("orders"));
    EXPECT_FALSE(standing.enable("orders"));
}

TEST(Standing, AForgottenPoolBeginsAnew) {
    Standing standing;
    (void)standing.pause("orders");
    (void)standing.disable("orders");
    standing.forget("orders");
    EXPECT_FALSE(standing.paused("orders"));
    EXPECT_FALSE(standing.disabled("orders"));
    (void)standing.pause("");
    (void)standing.resume("orders");
    standing.forget("orders");
    EXPECT_TRUE(standing.paused("orders"));  // what is said of all holds for it
}

}  // namespace
}  // namespace leasehold::daemon
