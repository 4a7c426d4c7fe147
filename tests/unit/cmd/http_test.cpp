// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/http.hpp"

#include <gtest/gtest.h>

namespace leasehold::cmd {
namespace {

constexpr std::string_view whole =
    "HTTP/1.1 403 Forbidden\r\nServer: x\r\ncontent-length:  5 \r\nContent-Type: application/json\r\n\r\nhello";
constexpr std::string_view chunked =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";

TEST(HttpReply, IsTheSameHoweverItIsCut) {
    for (const std::string_view text : {whole, chunked}) {
        for (std::size_t cut = 0; cut < text.size(); ++cut) {
            const ParsedReply part = parse_reply(text.substr(0, cut), false);
            EXPECT_FALSE(part.complete) << cut;
            EXPECT_FALSE(part.wrong) << cut;
            EXPECT_FALSE(parse_reply(text.substr(0, cut), true).complete) << "cut off at " << cut;
        }
        const ParsedReply parsed = parse_reply(text, false);
        EXPECT_TRUE(parsed.complete);
        EXPECT_EQ(parsed.reply.body, "hello");
    }
    EXPECT_EQ(parse_reply(whole, false).reply.status, 403);
}

TEST(HttpReply, WithoutALengthEndsWithTheConnection) {
    constexpr std::string_view text = "HTTP/1.0 200 OK\r\n\r\nhello";
    EXPECT_FALSE(parse_reply(text, false).complete);
    EXPECT_EQ(parse_reply(text, true).reply.body, "hello");
}

TEST(HttpReply, WhatIsNoHttpIsWrongAtOnce) {
    for (const std::string_view text : {"N", "SSH-2.0-x\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
                                        "HTTP/1.1 999 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"}) {
        EXPECT_TRUE(parse_reply(text, false).wrong) << text;
    }
    EXPECT_TRUE(parse_reply("HTTP/1.1 200 OK\r\n" + std::string(70'000, 'x'), false).wrong);
}

}  // namespace
}  // namespace leasehold::cmd
