// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/seam.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace leasehold;
using postgres::Seam;

namespace {

std::string message(char type, std::size_t body) {
    const std::size_t length = body + 4;
    std::string made{type};
    for (const int shift : {24, 16, 8, 0}) made += static_cast<char>(length >> shift);
    return made + std::string(body, 'x');
}

std::size_t pass(Seam& seam, std::string_view bytes, bool to_end = false) {
    return seam.pass(wire::as_bytes(bytes), to_end);
}

TEST(PostgresSeam, KnowsWhereMessagesEndHoweverTheyAreCut) {
    const std::string stream = message('d', 10) + message('d', 0) + message('k', 70'000) + message('Z', 1);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{7}, stream.size()}) {
        Seam seam;
        std::size_t ends = 0;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            const std::string part = stream.substr(at, piece);
            EXPECT_EQ(pass(seam, part), part.size());
            if (piece == 1) ends += seam.between() ? 1 : 0;
        }
        EXPECT_TRUE(seam.between());
        EXPECT_EQ(ends, piece == 1 ? 4u : 0u);
    }
}

TEST(PostgresSeam, StopsAtTheEndOfTheMessageOnItsWay) {
    const std::string first = message('d', 10), second = message('d', 5);
    Seam seam;
    EXPECT_EQ(pass(seam, first + second, true), 0u);
    EXPECT_EQ(pass(seam, first.substr(0, 3)), 3u);  // in the middle of a header
    EXPECT_FALSE(seam.between());
    EXPECT_EQ(pass(seam, first.substr(3) + second, true), first.size() - 3);
    EXPECT_TRUE(seam.between());
    EXPECT_EQ(pass(seam, first.substr(0, 8)), 8u);  // and of a body
    EXPECT_EQ(pass(seam, first.substr(8, 2), true), 2u);
    EXPECT_FALSE(seam.between());
    EXPECT_EQ(pass(seam, first.substr(10) + second, true), first.size() - 10);
    EXPECT_TRUE(seam.between());
}

TEST(PostgresSeam, AStreamWithALengthThatCannotBeHasNoEndAnyMore) {
    for (const std::string_view broken :
         {std::string_view("d\0\0\0\3x", 6), std::string_view("d\xff\xff\xff\xffx", 6)}) {
        Seam seam;
        EXPECT_EQ(pass(seam, broken), broken.size());
        EXPECT_FALSE(seam.between());
        EXPECT_EQ(pass(seam, message('d', 1), true), 6u);
        EXPECT_FALSE(seam.between());
    }
}

}  // namespace
