// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/ping.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using test::Script;
using wire::errc;
using wire::Writer;

const auto make = [] { return std::make_unique<Ping>(); };

Script answered_by(ByteVector bytes, std::error_code end = {}) {
    return Script().expect_write(built([](Writer& w) { query(w, ""); })).read(std::move(bytes)).expect_done(end);
}
ByteVector pong(char status = 'I') {
    return built([status](Writer& w) {
        empty_query_response(w);
        ready_for_query(w, status);
    });
}

TEST(PostgresPing, AnIdleBackendAnswers) { test::play_all(answered_by(pong()), make); }

TEST(PostgresPing, ABackendInATransactionIsNotClean) {
    for (const char status : {'T', 'E'}) {
        Ping ping;
        test::play(answered_by(pong(status), errc::protocol_violation), ping);
        EXPECT_EQ(ping.status(), status);
        EXPECT_NE(ping.diagnostics().message.find("transaction"), std::string::npos);
    }
}

TEST(PostgresPing, AReplyToSomethingElseIsNoPong) {
    test::play_all(answered_by(built([](Writer& w) { ready_for_query(w, 'I'); }), errc::protocol_violation), make);
    test::play_all(answered_by(built([](Writer& w) {
                                   command_complete(w, "SELECT 1");
                                   ready_for_query(w, 'I');
                               }),
                               errc::protocol_violation),
                   make);
}

TEST(PostgresPing, AServersErrorIsKept) {
    const Script script = answered_by(built([](Writer& w) {
                                          error_response(w, Severity::error, {"53200", 0, "out of memory", false});
                                          ready_for_query(w, 'I');
                                      }),
                                      errc::server_error);
    test::play_all(script, make);
    Ping ping;
    test::play(script, ping);
    EXPECT_EQ(ping.diagnostics().sqlstate, "53200");
    EXPECT_TRUE(ping.diagnostics().from_server);
}

TEST(PostgresPing, ParametersAndNoticesOnTheWayAreTakenAlong) {
    const Script script = answered_by(built([](Writer& w) {
        parameter_status(w, "TimeZone", "UTC");
        notice_response(w, Severity::notice, {"00000", 0, std::string(200'000, 'x'), false});
        empty_query_response(w);
        ready_for_query(w, 'I');
    }));
    Ping ping;
    test::play(script, ping);
    EXPECT_EQ(ping.changes(), (Changes{{"TimeZone", "UTC"}}));
}

TEST(PostgresPing, WhatComesBehindTheReplyIsLeft) {
    ByteVector bytes = pong();
    bytes.push_back('E');
    Ping ping;
    test::play(answered_by(bytes).leaving({'E'}), ping);
}

TEST(PostgresPing, HostileServersAreNotWaitedFor) {
    const Script script = answered_by(pong());
    test::play_hostile(script, make, {'p'});
    test::play_hostile(script, make, {'Z', 0, 0, 0, 3});
    test::play_hostile(script, make, {'Z', 0, 1, 0, 0});
    test::play_hostile(script, make, {'Z', 0, 0, 0, 5, 'X'});
    test::play_hostile(script, make, {'S', 0, 0, 0, 5, 'X'});
    test::play_hostile(script, make, {'C', 0, 0, 0, 5, 'X'});
    test::play_hostile(script, make, {'G', 0, 0, 0, 7, 0, 0, 0});
    test::play_hostile(script, make, {'D', 0x40, 0, 0, 0});
    test::play_noise(script, make, 5, 2000);
}

TEST(PostgresReplyReader, PassesOverBodiesOfAnySizeWithoutCollectingThem) {
    ReplyReader reader(3);
    std::size_t at = 0;
    const ByteVector tail{1, 2};
    EXPECT_EQ(reader.next(tail, at).kind, ReplyReader::Event::Kind::more);
    EXPECT_EQ(at, 2u);
    at = 0;
    // The rest of that body, then a row of a gigabyte, of which only the header is ever asked for.
    const ByteVector head{9, 'D', 0x3F, 0xFF, 0xFF, 0xFF};
    EXPECT_EQ(reader.next(head, at).type, 'D');
    EXPECT_EQ(at, head.size());
    const ByteVector chunk(1u << 20, 7);
    std::uint64_t left = 0x3FFFFFFF - 4;
    while (left > 0) {
        at = 0;
        const auto n = std::min<std::uint64_t>(left, chunk.size());
        EXPECT_EQ(reader.next(wire::Bytes(chunk).first(n), at).kind, ReplyReader::Event::Kind::more);
        ASSERT_EQ(at, n);
        left -= n;
    }
    at = 0;
    EXPECT_EQ(reader.next(ByteVector{'Z', 0, 0, 0, 5, 'I'}, at).type, 'Z');
}

}  // namespace
}  // namespace leasehold::postgres
