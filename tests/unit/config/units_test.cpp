// SPDX-License-Identifier: Apache-2.0
#include "config/units.hpp"

#include <gtest/gtest.h>

namespace leasehold::config {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreSecondsUnlessAUnitSaysOtherwise) {
    EXPECT_EQ(parse_duration("30").value, 30s);
    EXPECT_EQ(parse_duration("0.5").value, 500ms);
    EXPECT_EQ(parse_duration("0").value, 0ms);
    EXPECT_EQ(parse_duration("250ms").value, 250ms);
    EXPECT_EQ(parse_duration("30s").value, 30s);
    EXPECT_EQ(parse_duration("5m").value, 5min);
    EXPECT_EQ(parse_duration("1h").value, 1h);
    EXPECT_EQ(parse_duration("1.5h").value, 90min);
}

TEST(Durations, AreRefusedWhenTheyAreNone) {
    for (const char* text :
         {"", "s", ".5", "5.", "1 s", "1e3", "0x10", "inf", "nan", "1d", "1us", "1M", "+5", "five", "5m30s", "1s "}) {
        EXPECT_FALSE(parse_duration(text).value.has_value()) << text;
        EXPECT_FALSE(parse_duration(text).message.empty()) << text;
    }
    EXPECT_EQ(parse_duration("-1").message, "must not be negative");
    EXPECT_EQ(parse_duration("5 min").suggestion, "write 250ms, 30s, 5m or 1h");
    EXPECT_EQ(parse_duration("5min").suggestion, "minutes are written 5m");
}

TEST(Durations, AreNeverRoundedToNothing) {
    // 0 means "off" nearly everywhere.
    EXPECT_EQ(parse_duration("0.0001").message, "is shorter than a millisecond");
    EXPECT_EQ(parse_duration("0.4ms").message, "is shorter than a millisecond");
}

TEST(Durations, HaveAnEnd) {
    EXPECT_TRUE(parse_duration("87600h").value.has_value());
    EXPECT_EQ(parse_duration("87601h").message, "is longer than ten years");
    EXPECT_FALSE(parse_duration(std::string(400, '9')).value.has_value());
    EXPECT_FALSE(parse_duration(std::string(1'000'000, '9') + "h").value.has_value());
}

TEST(Durations, RenderInTheLargestWholeUnit) {
    EXPECT_EQ(render_duration(0ms), "0");
    EXPECT_EQ(render_duration(250ms), "250ms");
    EXPECT_EQ(render_duration(30s), "30s");
    EXPECT_EQ(render_duration(90s), "90s");
    EXPECT_EQ(render_duration(5min), "5m");
    EXPECT_EQ(render_duration(2h), "2h");
}

TEST(Sizes, CountBytes) {
    EXPECT_EQ(parse_size("0").value, 0u);
    EXPECT_EQ(parse_size("512").value, 512u);
    EXPECT_EQ(parse_size("512B").value, 512u);
    EXPECT_EQ(parse_size("10KiB").value, 10240u);
    EXPECT_EQ(parse_size("64MiB").value, 64u << 20);
    EXPECT_EQ(parse_size("1GiB").value, 1u << 30);
    EXPECT_EQ(parse_size("1.5KiB").value, 1536u);
    EXPECT_EQ(parse_size("10KB").suggestion, "write KiB");
    EXPECT_EQ(parse_size("10m").suggestion, "write MiB");
    EXPECT_EQ(parse_size("1.5").message, "is no whole number of bytes");
    for (const char* text : {"", "-1", "KiB", "10 KiB", "1e9", "1025GiB", "10X"})
        EXPECT_FALSE(parse_size(text).value.has_value()) << text;
}

TEST(Shares, ArePercentagesOrAll) {
    EXPECT_EQ(parse_share("all").value, 1.0);
    EXPECT_EQ(parse_share("100%").value, 1.0);
    EXPECT_EQ(parse_share("0%").value, 0.0);
    EXPECT_DOUBLE_EQ(parse_share("1%").value.value_or(0), 0.01);
    EXPECT_DOUBLE_EQ(parse_share("0.5%").value.value_or(0), 0.005);
    EXPECT_EQ(parse_share("101%").message, "is more than 100%");
    for (const char* text : {"", "0.01", "1", "%", "-1%", "ALL", "1 %"})
        EXPECT_FALSE(parse_share(text).value.has_value()) << text;
}

TEST(Counts, AreDecimalAndWhole) {
    EXPECT_EQ(parse_count("0").value, 0);
    EXPECT_EQ(parse_count("-1").value, -1);
    EXPECT_EQ(parse_count("10000").value, 10000);
    EXPECT_EQ(parse_count("010").message, "begins with a zero");
    EXPECT_EQ(parse_count("99999999999999999999").message, "is too large");
    for (const char* text : {"", "-", "+1", "1.0", "1_000", "0x10", "1e3", " 1", "1 ", "--1", "true"}) {
        EXPECT_FALSE(parse_count(text).value.has_value()) << text;
    }
}

}  // namespace
}  // namespace leasehold::config
