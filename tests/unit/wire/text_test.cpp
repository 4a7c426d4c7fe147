// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace leasehold::wire {
namespace {

TEST(Text, IsCutBetweenCharacters) {
    EXPECT_EQ(shortened("abc", 3), "abc");
    EXPECT_EQ(shortened("abcd", 3), "abc");
    EXPECT_EQ(shortened("a\u00e9\u20ac", 6), "a\u00e9\u20ac");
    EXPECT_EQ(shortened("a\u00e9\u20ac", 5), "a\u00e9");
    EXPECT_EQ(shortened("a\u00e9\u20ac", 2), "a");
    EXPECT_EQ(shortened("\u20ac", 0), "");
}

TEST(Text, HexadecimalDigitsAreReadInEitherCase) {
    EXPECT_EQ(hex_digit('0'), 0);
    EXPECT_EQ(hex_digit('9'), 9);
    EXPECT_EQ(hex_digit('a'), 10);
    EXPECT_EQ(hex_digit('F'), 15);
    for (const char c : {'g', 'G', '/', ':', '@', '`', '\0'}) EXPECT_EQ(hex_digit(c), -1) << c;
}

TEST(Text, WordsAreFoundWithoutCaseAndReplaced) {
    constexpr std::array<std::string_view, 2> words{"gone away", "lost"};
    EXPECT_TRUE(contains_any("the server has Gone Away", words));
    EXPECT_FALSE(contains_any("the server has gone", words));
    EXPECT_EQ(without("LOST: gone away, lost again", words, "ended"), "ended: ended, ended again");
}

TEST(Text, IsMadeUtf8ByteByByte) {
    for (const char* whole : {"", "a", "\xc3\xa9", "\xe2\x82\xac x", "\xf0\x9f\x98\x80"})
        EXPECT_EQ(as_utf8(whole), whole);
    EXPECT_EQ(as_utf8("caf\xe9"), "caf?");
    EXPECT_EQ(as_utf8("\xe9t\xe9"), "?t?");
    EXPECT_EQ(as_utf8("\xc3"), "?") << "cut short";
    EXPECT_EQ(as_utf8("\xc0\xaf"), "??") << "overlong";
    EXPECT_EQ(as_utf8("\xed\xa0\x80"), "???") << "a surrogate";
    EXPECT_EQ(as_utf8("\xf4\x90\x80\x80"), "????") << "beyond U+10FFFF";
}

}  // namespace
}  // namespace leasehold::wire
