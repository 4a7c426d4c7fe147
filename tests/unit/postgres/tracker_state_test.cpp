// SPDX-License-Identifier: Apache-2.0
// State: what is carried, what pins, the modes, copies, and what others are told.
#include "tests/unit/postgres/session_fixture.hpp"

#include <algorithm>

namespace leasehold::postgres::model {
namespace {

TEST_F(Tracking, PinsWhatCannotBeCarriedToTheSessionsEnd) {
    EXPECT_EQ(ask(client.query("SET temp_buffers=900")), "C(SET) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "SET temp_buffers");
    EXPECT_TRUE(session->tracker.dirty());
    EXPECT_TRUE(session->tracker.attached());
    ask(client.query("SELECT 1"));
    EXPECT_EQ(session->leases, 1u);
    EXPECT_EQ(ask(client.query("DISCARD ALL")), "C(DISCARD ALL) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_FALSE(session->tracker.dirty());
    EXPECT_FALSE(session->tracker.attached());
}

TEST_F(Tracking, PinsByPreparedStatementsToo) {
    EXPECT_EQ(ask(client.parse("a", "SET temp_buffers=900").sync()), "1 Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(ask(client.bind("a").execute().sync()), "2 C(SET) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "SET temp_buffers");
}

// What was removed is kept until nothing outstanding may bring it back: more than so much is not begun.
TEST_F(Tracking, WaitsInPipelinesThatRemoveNamesWithoutEnd) {
    for (int i = 0; i < 3000; ++i) client.parse("a", "SELECT " + std::to_string(i)).close('S', "a");
    session->send(client.sync().take());
    EXPECT_LE(session->backend->server.parses, 1000u);
    session->pump();
    EXPECT_EQ(first.server.parses, 3000u);
    const std::string all = readable(session->received());
    EXPECT_EQ(std::ranges::count(all, '3'), 3000);
    EXPECT_TRUE(all.ends_with("3 Z(I)"));
}

TEST_F(Tracking, SoilsWithoutPinning) {
    session->send(client.query("DO x").take());
    EXPECT_TRUE(session->tracker.dirty());
    session->pump();
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_TRUE(session->tracker.dirty());  // asked after the lease
    EXPECT_TRUE(first.lease.dirty);
    ask(client.query("SELECT 1"));
    EXPECT_FALSE(session->tracker.dirty());
}

TEST_F(Tracking, CarriesReportedSettingsAndTellsTheClient) {
    EXPECT_EQ(ask(client.query("SET DateStyle=German")), "C(SET) S(DateStyle=German) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_NE(session->tracker.fingerprint(), 0u);
    EXPECT_EQ(ask(client.query("SHOW DateStyle")), "T D(German) C(SELECT 1) Z(I)");
    EXPECT_EQ(
        ask(client.query("BEGIN").query("SET DateStyle=SQL").query("ROLLBACK").query("SHOW DateStyle")),
        "C(BEGIN) Z(T) C(SET) S(DateStyle=SQL) Z(T) C(ROLLBACK) S(DateStyle=German) Z(I) T D(German) C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.query("SET DateStyle=ISO, MDY")), "C(SET) S(DateStyle=ISO, MDY) Z(I)");
    EXPECT_EQ(session->tracker.fingerprint(), 0u);  // the backends' own default
}

TEST_F(Tracking, BringsStartupSettingsAndTheirChangesAlong) {
    TrackerOptions with = options();
    with.startup.set("application_name", "shop");
    with.startup.set("extra_float_digits", "2");
    open(with);
    EXPECT_EQ(session->tracker.application(), "shop");
    EXPECT_EQ(ask(client.query("SHOW application_name")), "T D(shop) C(SELECT 1) S(application_name=shop) Z(I)");
    ask(client.query("SET application_name=till"));
    EXPECT_EQ(session->tracker.application(), "till");
    ask(client.query("SET extra_float_digits=1"));
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(session->tracker.settings().find("extra_float_digits"), "1");
    ask(client.query("RESET extra_float_digits"));  // to what was asked for, not to the server's default
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(ask(client.query("SHOW extra_float_digits")), "T D(2) C(SELECT 1) Z(I)");
}

TEST_F(Tracking, PinsTheRuleByWhichTextsAreRead) {
    ask(client.query("SET standard_conforming_strings=off"));
    EXPECT_EQ(session->tracker.pin(), "SET standard_conforming_strings");
}

TEST_F(Tracking, PinsClientEncodingsThatHideQuotes) {
    second.server.force("client_encoding", "SJIS");
    TrackerOptions with = options();
    with.startup.set("client_encoding", "SJIS");
    open(with);
    EXPECT_NE(session->tracker.pin(), "");
    EXPECT_TRUE(session->tracker.dirty());
}

TEST_F(Tracking, TellsTheClientOfAnotherServersParameters) {
    second.server.force("server_version", "16.1");
    second.lease.reported.set("server_version", "16.1");
    ask(client.query("SELECT 1"));
    EXPECT_EQ(ask(client.query("SELECT 1")), "S(server_version=16.1) T D(SELECT 1) C(SELECT 1) Z(I)");
}

TEST_F(Tracking, PassesWhatComesBetweenRequestsOn) {
    ask(client.query("BEGIN"));
    first.server.notify();
    session->pump();
    EXPECT_EQ(readable(session->received()), "A");
    EXPECT_EQ(session->last, wire::Verdict::Kind::more);
}

TEST_F(Tracking, DoesNotPassAFarewellOn) {
    ask(client.query("BEGIN"));
    session->send(client.query("SELECT 1").take());
    (void)first.server.take_output();
    first.server.farewell("57P01");
    session->pump(1);
    EXPECT_TRUE(session->lost);
    EXPECT_EQ(readable(session->received()), "");
}

TEST_F(Tracking, KeepsASessionsLeaseInSessionMode) {
    open(options(wire::LeaseMode::session));
    EXPECT_EQ(session->tracker.pin(), "");
    ask(client.query("SELECT 1"));
    EXPECT_EQ(session->tracker.pin(), "session mode");
    EXPECT_FALSE(session->tracker.dirty());
    ask(client.parse("a", "SELECT 1").sync().bind("a").execute().sync());
    EXPECT_EQ(session->leases, 1u);
    EXPECT_GE(session->boundaries, 2u);
}

TEST_F(Tracking, RefusesToBeginInStatementMode) {
    open(options(wire::LeaseMode::statement));
    const std::string refused = "E(E 25001 transaction blocks are not allowed in statement mode) Z(I)";
    EXPECT_EQ(ask(client.query("BEGIN")), refused);
    EXPECT_EQ(ask(client.query("SELECT 1; start transaction")), refused);
    EXPECT_EQ(ask(client.parse("", "BEGIN").bind("").execute().sync()), refused);
    EXPECT_EQ(session->leases, 0u);
    EXPECT_EQ(ask(client.query("SELECT 1").query("BEGIN").query("SELECT 2")),
              "T D(SELECT 1) C(SELECT 1) Z(I) " + refused + " T D(SELECT 2) C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.parse("", "INSERT").bind("").execute().parse("b", "BEGIN").bind("b").execute().sync()),
              "1 2 C(INSERT) " + refused);
}

TEST_F(Tracking, RefusesARequestForWhichThereIsNoBackend) {
    available = false;
    wire::Diagnostics none = failure(Fault::pool_timeout, "no backend within 30 s");
    wire::Outbox out;
    const auto refuse = [&] {
        EXPECT_TRUE(session->wants_lease);
        EXPECT_EQ(session->tracker.refuse(none, out), wire::Aftermath::lives);
        Raw error;
        out.flatten(error);
        out.clear();
        session->send(Raw{0}, 0);  // wakes the relay: the held request is presented again
        return readable(error);
    };
    session->send(client.query("SELECT 1").take());
    EXPECT_EQ(refuse(), "E(E 53300 no backend within 30 s)");
    EXPECT_EQ(readable(session->received()), "Z(I)");
}

TEST_F(Tracking, SkipsARefusedPipelineToItsSync) {
    available = false;
    wire::Diagnostics none = failure(Fault::pool_timeout, "no backend");
    wire::Outbox out;
    session->send(client.parse("a", "SELECT 1").bind("a").execute().sync().take());
    ASSERT_TRUE(session->wants_lease);
    EXPECT_EQ(session->tracker.refuse(none, out), wire::Aftermath::lives);
    session->send(client.flush().take());
    EXPECT_EQ(readable(session->received()), "Z(I)");
    EXPECT_FALSE(session->wants_lease);
    available = true;
    EXPECT_EQ(ask(client.bind("a").sync()), "E(E 26000 prepared statement \"a\" does not exist) Z(I)");
}

TEST_F(Tracking, FollowsCopyIn) {
    EXPECT_EQ(ask(client.query("COPY IN")), "G");
    EXPECT_TRUE(session->tracker.busy());
    EXPECT_EQ(ask(client.raw('d', "row").raw('d', std::string(100000, 'x')).sync().flush()), "");
    EXPECT_EQ(ask(client.raw('c', "")), "C(COPY 1) Z(I)");
    EXPECT_FALSE(session->tracker.attached());
    EXPECT_EQ(ask(client.query("COPY IN").raw('d', "row").raw('c', "").query("SELECT 1")),
              "G C(COPY 1) Z(I) T D(SELECT 1) C(SELECT 1) Z(I)");  // without waiting
    EXPECT_EQ(ask(client.query("COPY IN")), "G");
    EXPECT_EQ(ask(client.raw('f', std::string("no\0", 3)).query("SELECT 1")),
              "E(E 57014 COPY from stdin failed) Z(I) T D(SELECT 1) C(SELECT 1) Z(I)");
}

TEST_F(Tracking, FollowsCopyInOfTheExtendedProtocolWhichIgnoresASync) {
    EXPECT_EQ(ask(client.parse("", "COPY IN").bind("").execute().sync()), "1 2 G");
    EXPECT_TRUE(session->tracker.attached());
    EXPECT_EQ(ask(client.raw('d', "row").raw('c', "").sync()), "C(COPY 1) Z(I)");
    EXPECT_FALSE(session->tracker.attached());
    EXPECT_EQ(ask(client.parse("", "COPY IN").bind("").execute().sync()), "1 2 G");
    EXPECT_EQ(ask(client.raw('f', std::string("no\0", 3)).raw('d', "late").sync()),
              "E(E 57014 COPY from stdin failed) Z(I)");
    EXPECT_FALSE(session->tracker.attached());
}

TEST_F(Tracking, EndsTheLeaseBehindTheLastMessageOfACopyThatHasFailedMeanwhile) {
    EXPECT_EQ(ask(client.query("COPY IN")), "G");
    const Raw data = client.raw('d', std::string(200'000, 'x')).take();
    wire::Outbox to_client, to_backend;
    Tracker& tracker = session->tracker;
    wire::Verdict verdict = tracker.from_client(Bytes(data).first(100'000), to_backend, to_client);
    EXPECT_EQ(verdict.consumed, 100'000u);
    wire::Writer reply;
    error_response(reply, Severity::error, {"23514", 0, "no such row", true});
    ready_for_query(reply, 'I');
    verdict = tracker.from_backend(reply.bytes(), to_client, to_backend);
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::more);  // the server is in the middle of a message
    verdict = tracker.from_client(Bytes(data).subspan(100'000, 50'000), to_backend, to_client);
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::more);
    Raw rest(data.begin() + 150'000, data.end());
    const Raw late = client.raw('d', "late").raw('c', "").take();
    rest.insert(rest.end(), late.begin(), late.end());
    verdict = tracker.from_client(rest, to_backend, to_client);
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::boundary);
    EXPECT_EQ(verdict.consumed, data.size() - 150'000);
    tracker.detach();
    to_backend.clear();
    verdict = tracker.from_client(late, to_backend, to_client);  // as a server: dropped
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::more);
    EXPECT_EQ(verdict.consumed, late.size());
    EXPECT_TRUE(to_backend.empty());
}

TEST_F(Tracking, LeavesTheLadderAnAccountOfWhatIsUnfinished) {
    session->send(
        client.query("BEGIN").parse("", "SELECT 1").bind("").execute().sync().query("SELECT 2").parse("", "x").take());
    session->tracker.detach();
    const Unfinished& left = first.lease.unfinished;
    ASSERT_EQ(left.requests.size(), 3u);
    EXPECT_EQ(left.requests[1], Unfinished::Request::extended);
    EXPECT_EQ(left.requests[2], Unfinished::Request::simple);
    EXPECT_TRUE(left.without_sync);
    EXPECT_TRUE(first.lease.outstanding());
    EXPECT_FALSE(first.lease.half_message());
}

TEST_F(Tracking, KnowsHalfMessagesOfEitherSide) {
    const Raw query = client.query(std::string(200000, 'x')).take();
    session->send(Bytes(query).first(100000));
    session->tracker.detach();
    EXPECT_EQ(first.lease.half_sent, query.size() - 100000);
    open(options());
    session->send(client.query("SELECT " + std::string(20000, 'x')).take());
    wire::Outbox to_client, to_backend;
    const Raw reply = second.server.take_output();
    (void)session->tracker.from_backend(Bytes(reply).first(500), to_client, to_backend);
    session->tracker.detach();
    EXPECT_GT(second.lease.unfinished.body_left, 0u);
}

TEST_F(Tracking, RemembersTheTransactionsStatements) {
    ask(client.query("BEGIN").query("UPDATE t SET a = 'secret' WHERE b = 7"));
    ask(client.parse("a", "INSERT INTO t VALUES (5)").bind("a").execute().sync());
    EXPECT_EQ(session->tracker.transcript(false),
              (std::vector<std::string>{"BEGIN", "UPDATE t SET a = ? WHERE b = ?", "INSERT INTO t VALUES (?)"}));
    EXPECT_EQ(session->tracker.transcript(true).at(1), "UPDATE t SET a = 'secret' WHERE b = 7");
    for (int i = 0; i < 30; ++i) ask(client.query("SELECT " + std::string(400, 'x')));
    EXPECT_EQ(session->tracker.transcript(true).size(), 16u);
    EXPECT_EQ(session->tracker.transcript(true).at(0).size(), 256u);
    ask(client.query("COMMIT"));
    EXPECT_EQ(session->tracker.transcript(true).back(), "COMMIT");  // the last one's
    ask(client.query("SELECT 1"));
    EXPECT_EQ(session->tracker.transcript(true), (std::vector<std::string>{"SELECT 1"}));
}

TEST_F(Tracking, GivesUpOnAServerThatBreaksTheProtocol) {
    for (const auto& [type, body] : std::vector<std::pair<char, std::string>>{{'1', ""},
                                                                              {'Z', "X"},
                                                                              {'Z', ""},
                                                                              {'R', std::string(4, '\0')},
                                                                              {'K', std::string(8, '\0')},
                                                                              {'?', ""},
                                                                              {'2', ""},
                                                                              {'S', "x"}}) {
        open(options());
        session->send(client.query("SELECT 1").take());
        (void)first.server.take_output();
        (void)second.server.take_output();
        Client server;
        const Raw bytes = server.raw(static_cast<std::uint8_t>(type), body).take();
        wire::Outbox to_client, to_backend;
        EXPECT_EQ(session->tracker.from_backend(bytes, to_client, to_backend).kind, wire::Verdict::Kind::fatal) << type;
    }
}

TEST_F(Tracking, WritesNothingOfItsOwnIntoAMessage) {
    ask(client.query("BEGIN"));
    session->send(client.query("SELECT " + std::string(20000, 'x')).take());
    const Raw reply = first.server.take_output();
    wire::Outbox to_client, to_backend;
    const wire::Verdict verdict = session->tracker.from_backend(Bytes(reply).first(1000), to_client, to_backend);
    EXPECT_EQ(verdict.consumed, 1000u);
    to_client.clear();
    session->tracker.farewell(failure(Fault::shutting_down), to_client);
    EXPECT_TRUE(to_client.empty());
}

}  // namespace
}  // namespace leasehold::postgres::model
