// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/buffer.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace leasehold::wire;

namespace {

std::string flat(Outbox& outbox) {
    std::vector<std::uint8_t> bytes;
    outbox.flatten(bytes);
    return std::string(bytes.begin(), bytes.end());
}

TEST(Outbox, MergesAdjacentBorrowedBytesIntoOneSegment) {
    const std::string input = "abcdef";
    Outbox out;
    out.pass(as_bytes(input).subspan(0, 2));
    out.pass(as_bytes(input).subspan(2, 3));
    ASSERT_EQ(out.segments().size(), 1u);
    EXPECT_EQ(out.segments()[0].borrowed, as_bytes(input).data());
    EXPECT_EQ(flat(out), "abcde");
}

TEST(Outbox, KeepsBorrowedAndOwnBytesInOrder) {
    const std::string input = "abcdef";
    Outbox out;
    out.own().text("1");
    out.pass(as_bytes(input).first(3));
    out.own().text("2");
    out.own().text("3");
    out.pass(as_bytes(input).subspan(3));
    EXPECT_EQ(out.size(), 9u);
    EXPECT_EQ(flat(out), "1abc23def");
    EXPECT_EQ(out.segments().size(), 4u);
}

TEST(Outbox, IsEmptyAgainAfterClear) {
    Outbox out;
    EXPECT_TRUE(out.empty());
    out.own().text("x");
    EXPECT_FALSE(out.empty());
    out.clear();
    EXPECT_TRUE(out.empty());
    out.own().text("y");
    EXPECT_EQ(flat(out), "y");
}

TEST(Inbox, GivesBackWhatWasNotConsumed) {
    Inbox in;
    in.append(as_bytes("hello world"));
    in.consume(6);
    EXPECT_EQ(as_text(in.bytes()), "world");
    in.append(as_bytes("!"));
    EXPECT_EQ(as_text(in.bytes()), "world!");
    in.consume(6);
    EXPECT_TRUE(in.empty());
}

TEST(Inbox, KeepsOnlyWhatWasFilledOfThePreparedRoom) {
    Inbox in;
    in.append(as_bytes("ab"));
    const auto room = in.prepare(100);
    room[0] = 'c';
    in.commit(100, 1);
    EXPECT_EQ(as_text(in.bytes()), "abc");
}

TEST(Inbox, DoesNotGrowWhileAConsumerKeepsUp) {
    Inbox in;
    const std::string piece(50'000, 'x');
    for (int i = 0; i < 1000; ++i) {
        in.append(as_bytes(piece));
        in.consume(in.size() - 10);
    }
    EXPECT_EQ(in.size(), 10u);
}

}  // namespace
