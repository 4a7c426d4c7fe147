// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/replies.hpp"

#include "tests/unit/mysql/packets.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

using namespace test;
using Event = Reply::Event;

// Feeds in growing pieces of every size; what is behind the reply must stay.
Event follow(Reply& reply, const Raw& bytes, Shape shape, bool deprecate_eof, std::size_t step) {
    reply.start(shape, deprecate_eof);
    std::size_t at = 0;
    for (std::size_t seen = step;; seen += step) {
        const Event event = reply.advance(Bytes(bytes).first(std::min(seen, bytes.size())), at);
        if (event == Event::infile) continue;
        if (event != Event::more) {
            EXPECT_LE(at, bytes.size());
            return event;
        }
        if (seen >= bytes.size()) return event;
    }
}

Reply complete(const Raw& bytes, Shape shape = Shape::query, bool deprecate_eof = false) {
    Reply last;
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, bytes.size() + 1}) {
        Reply reply;
        EXPECT_EQ(follow(reply, bytes, shape, deprecate_eof, step), Event::complete) << step;
        // One byte less is not enough.
        Reply shorter;
        EXPECT_EQ(follow(shorter, Raw(bytes.begin(), bytes.end() - 1), shape, deprecate_eof, step), Event::more)
            << step;
        last = reply;
    }
    return last;
}

TEST(MysqlReplies, OkErrAndRowsEndWhereTheyEnd) {
    EXPECT_EQ(complete(ok(1, in_trans | autocommit)).status(), in_trans | autocommit);
    EXPECT_TRUE(complete(err(1, 1146)).failed());
    EXPECT_EQ(complete(err(1, 1146)).error(), 1146);
    EXPECT_TRUE(complete(rows("5")).had_rows());
    EXPECT_EQ(complete(ok(1, autocommit, 7)).insert_id(), 7u);
    EXPECT_TRUE(complete(ok(1, autocommit, 0, 3)).warned());
    EXPECT_FALSE(complete(err(1, 1146)).has_status());
}

TEST(MysqlReplies, DeprecateEofLeavesOutTheFirstEofOnly) {
    const Raw reply = packet({1}, 1) + column(2) + row(3, "a") + ok_eof(4, in_trans);
    EXPECT_EQ(complete(reply, Shape::query, true).status(), in_trans);
    const Raw none = packet({1}, 1) + column(2) + ok_eof(3);
    (void)complete(none, Shape::query, true);
}

TEST(MysqlReplies, FurtherResultsBelongToTheReply) {
    const Reply reply =
        complete(rows("1", autocommit | more_results) + ok(6, autocommit | more_results, 9) + rows("2", in_trans, 7));
    EXPECT_EQ(reply.status(), in_trans);
    EXPECT_EQ(reply.insert_id(), 9u);
    EXPECT_TRUE(complete(rows("1", autocommit | more_results) + err(6, 1064)).failed());
}

TEST(MysqlReplies, AnErrorMayStandInPlaceOfARow) {
    const Raw reply = packet({1}, 1) + column(2) + eof(3) + row(4, "x") + err(5, 1317);
    EXPECT_EQ(complete(reply).error(), 1317);
}

TEST(MysqlReplies, ACursorEndsWithItsColumns) {
    const Raw reply = packet({1}, 1) + column(2) + eof(3, autocommit | 0x40);
    (void)complete(reply);
    (void)complete(row(1, "a") + row(2, "b") + eof(3, 0x80), Shape::fetch);
}

TEST(MysqlReplies, PreparedStatementsComeWithTheirDefinitions) {
    const auto head = [](std::uint8_t columns, std::uint8_t parameters) {
        return packet({0, 42, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0}, 1);
    };
    EXPECT_EQ(complete(head(0, 0), Shape::prepare).statement(), 42u);
    (void)complete(head(1, 0) + column(2) + eof(3), Shape::prepare);
    (void)complete(head(0, 2) + column(2) + column(3) + eof(4), Shape::prepare);
    (void)complete(head(1, 1) + column(2) + eof(3) + column(4) + eof(5), Shape::prepare);
    (void)complete(head(1, 1) + column(2) + column(3), Shape::prepare, true);
    EXPECT_TRUE(complete(err(1, 1295), Shape::prepare).failed());
}

// What was passed on in part leaves no room for an error when its server dies.
TEST(MysqlReplies, OfDefinitionsNothingIsTakenBeforeAllAreThere) {
    for (const bool deprecate_eof : {false, true}) {
        const Raw no_eof;
        const Raw prepared = packet({0, 42, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0}, 1) + column(2) + column(3) +
                             (deprecate_eof ? no_eof : eof(4)) + column(5) + (deprecate_eof ? no_eof : eof(6));
        const Raw rows = packet({2}, 1) + column(2) + column(3) + (deprecate_eof ? no_eof : eof(4));
        for (const auto& [bytes, shape] : {std::pair(prepared, Shape::prepare), std::pair(rows, Shape::query)}) {
            Reply reply;
            reply.start(shape, deprecate_eof);
            std::size_t at = 0;
            for (std::size_t seen = 0; seen < bytes.size(); ++seen) {
                EXPECT_EQ(reply.advance(Bytes(bytes).first(seen), at), Event::more);
                EXPECT_EQ(at, 0u) << seen;
                EXPECT_TRUE(reply.untouched());
            }
            EXPECT_EQ(reply.advance(bytes, at), shape == Shape::prepare ? Event::complete : Event::more);
            EXPECT_EQ(at, bytes.size());
        }
    }
}

TEST(MysqlReplies, OtherShapes) {
    (void)complete(packet(raw("Uptime: 5"), 1), Shape::statistics);
    (void)complete(column(1) + column(2) + eof(3), Shape::field_list);
    (void)complete(eof(1), Shape::simple);
    (void)complete(ok_eof(1), Shape::simple);
    (void)complete(ok(1), Shape::simple);
}

TEST(MysqlReplies, AFileIsAskedForBeforeTheReplyEnds) {
    const Raw bytes = packet(raw("\xFB"
                                 "file"),
                             1);
    Reply reply;
    reply.start(Shape::query, false);
    std::size_t at = 0;
    EXPECT_EQ(reply.advance(bytes, at), Event::infile);
    EXPECT_EQ(at, bytes.size());
    EXPECT_EQ(reply.advance(bytes, at), Event::more);
    (void)complete(bytes + ok(5));
}

TEST(MysqlReplies, RowsOfSixteenMegabytesContinue) {
    Raw big(0xFFFFFF, 'x');
    big[0] = 0xFE;  // a field whose length takes eight bytes: no end of rows
    const Raw reply = packet({1}, 1) + column(2) + eof(3) + packet(big, 4) + packet({}, 5) + packet(big, 6) +
                      packet(Raw{0xFE}, 7) + eof(8);
    Reply one;
    EXPECT_EQ(follow(one, reply, Shape::query, false, reply.size()), Event::complete);
    Reply pieces;
    EXPECT_EQ(follow(pieces, reply, Shape::query, false, 100003), Event::complete);
    Reply deprecated;
    const Raw other = packet({1}, 1) + column(2) + packet(big, 4) + packet({}, 5) + ok_eof(6);
    EXPECT_EQ(follow(deprecated, other, Shape::query, true, 100003), Event::complete);
}

TEST(MysqlReplies, AFarewellStaysWhereItIs) {
    for (const unsigned number : {1927u, 4031u, 1053u}) {
        const Raw bytes = err(0, number);
        Reply reply;
        reply.start(Shape::query, false);
        std::size_t at = 0;
        EXPECT_EQ(reply.advance(bytes, at), Event::farewell);
        EXPECT_EQ(at, 0u);
    }
}

TEST(MysqlReplies, WhatIsNotTheProtocolIsSaidToBeBad) {
    for (const Raw& bytes :
         {packet({}, 1), packet({0}, 1), packet({5, 1}, 1), packet({0xFC}, 1), packet({0xFE, 1, 2}, 1),
          packet({1}, 1) + column(2) + row(3, "x"), packet({1}, 1) + column(2) + packet({0xFE, 0, 0}, 3)}) {
        Reply reply;
        EXPECT_EQ(follow(reply, bytes, Shape::query, false, 1), Event::bad);
    }
    Reply simple;
    EXPECT_EQ(follow(simple, rows("1"), Shape::simple, false, 1), Event::bad);
}

TEST(MysqlReplies, ErrorsFitOnlyBetweenPackets) {
    const Raw bytes = rows("abc");
    Reply reply;
    reply.start(Shape::query, false);
    std::size_t at = 0;
    EXPECT_TRUE(reply.untouched());
    EXPECT_TRUE(reply.error_fits());
    (void)reply.advance(Bytes(bytes).first(8), at);
    EXPECT_EQ(at, 0u) << "among the columns none would fit: they are waited for";
    EXPECT_TRUE(reply.untouched());
    (void)reply.advance(Bytes(bytes).first(bytes.size() - 9), at);
    EXPECT_FALSE(reply.untouched());
    EXPECT_TRUE(reply.error_fits());
    EXPECT_EQ(reply.next_sequence(), 5);
}

TEST(MysqlReplies, NoiseIsSurvived) {
    std::uint32_t x = 1;
    for (int round = 0; round < 20000; ++round) {
        Raw noise = round % 2 == 0 ? Raw{} : packet({1}, 1) + column(2);
        for (int i = 0; i < 24; ++i)
            noise.push_back(static_cast<std::uint8_t>((x = x * 1664525u + 1013904223u) >> (i % 3 == 0 ? 30 : 24)));
        Reply reply;
        (void)follow(reply, noise, static_cast<Shape>(round % 6), round % 3 == 0, 5);
    }
}

}  // namespace
}  // namespace leasehold::mysql
