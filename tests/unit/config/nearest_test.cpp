// SPDX-License-Identifier: Apache-2.0
#include "config/nearest.hpp"

#include "config/keys.hpp"

#include <gtest/gtest.h>

namespace leasehold::config {
namespace {

std::string_view pool_key(std::string_view word) {
    const auto known = key_names(Part::pool);
    return nearest(word, std::span(known));
}

TEST(Nearest, FindsWhatWasMeant) {
    EXPECT_EQ(pool_key("pool_sise"), "pool_size");
    EXPECT_EQ(pool_key("pool-size"), "pool_size");
    EXPECT_EQ(pool_key("PoolSize"), "pool_size");
    EXPECT_EQ(pool_key("max_overlfow"), "max_overflow");
    EXPECT_EQ(pool_key("recycle"), "pool_recycle");
    EXPECT_EQ(pool_key("pool_mode"), "mode");
    EXPECT_EQ(pool_key("rul"), "url");
}

TEST(Nearest, IsSilentWhenNothingIsNear) {
    EXPECT_EQ(pool_key("frobnicate"), "");
    EXPECT_EQ(pool_key("x"), "");
    EXPECT_EQ(pool_key(""), "");
    EXPECT_EQ(pool_key(std::string(1'000'000, 'p')), "");
    EXPECT_EQ(nearest("x", std::vector<std::string>{}), "");
}

}  // namespace
}  // namespace leasehold::config
