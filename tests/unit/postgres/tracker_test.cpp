// SPDX-License-Identifier: Apache-2.0
// Messages: what is passed on, held back, answered, renamed.
#include "tests/unit/postgres/session_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

TEST_F(Tracking, PassesASimpleQueryOnAsItIs) {
    wire::Outbox to_backend, to_client;
    const Raw query = client.query("SELECT 1").take();
    EXPECT_EQ(session->tracker.from_client(query, to_backend, to_client).kind, wire::Verdict::Kind::lease);
    session->tracker.attach(first.lease);
    EXPECT_EQ(session->tracker.from_client(query, to_backend, to_client).consumed, query.size());
    ASSERT_EQ(to_backend.segments().size(), 1u);
    EXPECT_EQ(to_backend.segments()[0].borrowed, query.data());
    EXPECT_TRUE(session->tracker.busy());
    first.server.feed(query);
    const Raw reply = first.server.take_output();
    const wire::Verdict verdict = session->tracker.from_backend(reply, to_client, to_backend);
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::boundary);
    EXPECT_EQ(verdict.consumed, reply.size());
    ASSERT_EQ(to_client.segments().size(), 1u);
    EXPECT_EQ(to_client.segments()[0].borrowed, reply.data());
    EXPECT_FALSE(session->tracker.busy());
}

TEST_F(Tracking, PassesAnUnnamedExtendedQueryOnAsItIs) {
    wire::Outbox to_backend, to_client;
    const Raw query = client.parse("", "SELECT 1").bind("").describe('P', "").execute().sync().take();
    EXPECT_EQ(session->tracker.from_client(query, to_backend, to_client).kind, wire::Verdict::Kind::lease);
    first.lease.unnamed = {99, 1};  // somebody else's
    session->tracker.attach(first.lease);
    (void)session->tracker.from_client(query, to_backend, to_client);
    ASSERT_EQ(to_backend.segments().size(), 1u);
    EXPECT_EQ(to_backend.segments()[0].borrowed, query.data());
}

TEST_F(Tracking, EndsALeaseAtIdleReadyForQueryOnly) {
    EXPECT_EQ(ask(client.query("BEGIN")), "C(BEGIN) Z(T)");
    EXPECT_TRUE(session->tracker.attached());
    EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::active);
    EXPECT_EQ(ask(client.query("ERR")), "E(E 22012 division by zero) Z(E)");
    EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::failed);
    EXPECT_EQ(session->boundaries, 0u);
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    EXPECT_FALSE(session->tracker.attached());
    EXPECT_EQ(session->leases, 1u);
}

TEST_F(Tracking, DoesNotTakeAFlushForTheEndOfALease) {
    EXPECT_EQ(ask(client.parse("", "SELECT 1").bind("").execute().flush()), "1 2 D(SELECT 1) C(SELECT 1)");
    EXPECT_TRUE(session->tracker.attached());
    EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::active);  // its implicit transaction is open
    EXPECT_FALSE(session->tracker.busy());
    EXPECT_EQ(ask(client.sync()), "Z(I)");
    EXPECT_FALSE(session->tracker.attached());
}

TEST_F(Tracking, IsNoBoundaryWhileMoreWasSent) {
    session->send(client.query("SELECT 1").query("SELECT 2").take());
    EXPECT_EQ(session->leases, 1u);
    session->pump();
    EXPECT_EQ(session->boundaries, 1u);
    EXPECT_EQ(readable(session->received()), "T D(SELECT 1) C(SELECT 1) Z(I) T D(SELECT 2) C(SELECT 1) Z(I)");
}

TEST_F(Tracking, WaitsForAWholePipelineBeforeItWantsALease) {
    available = false;
    const Raw pipeline = client.parse("", "SELECT 1").bind("").execute().take();
    session->send(pipeline);
    EXPECT_FALSE(session->wants_lease);
    session->send(client.sync().take());
    EXPECT_TRUE(session->wants_lease);
}

TEST_F(Tracking, WantsALeaseForALongPipelineBeforeItEnds) {
    available = false;
    for (int i = 0; i < 3000; ++i) client.bind("");
    session->send(client.take());
    EXPECT_TRUE(session->wants_lease);
}

TEST_F(Tracking, AnswersByItselfWhatNeedsNoServer) {
    EXPECT_EQ(ask(client.sync()), "Z(I)");
    EXPECT_EQ(ask(client.flush()), "");
    EXPECT_EQ(ask(client.close('S', "unknown").sync()), "3 Z(I)");
    EXPECT_EQ(ask(client.raw('d', "x").raw('c', "").sync()), "Z(I)");
    EXPECT_EQ(session->leases, 0u);
    ask(client.terminate());
    EXPECT_TRUE(session->closed);
}

TEST_F(Tracking, IsTheSameByteByByteInBothDirections) {
    const Raw program = client.query("BEGIN")
                            .parse("a", "SELECT $")
                            .bind_with("a", "x")
                            .describe('P', "")
                            .execute()
                            .sync()
                            .query("COMMIT")
                            .bind_with("a", "y")
                            .execute()
                            .sync()
                            .bind("nope")
                            .sync()
                            .close('S', "a")
                            .sync()
                            .query("SET TimeZone=Asia/Tokyo")
                            .query("SHOW TimeZone")
                            .take();
    const std::string whole = ask(program);
    open(options());
    EXPECT_EQ(ask(program, 1), whole);
    EXPECT_EQ(whole,
              "C(BEGIN) Z(T) 1 2 T D(SELECT $x) C(SELECT 1) Z(T) C(COMMIT) Z(I) 2 D(SELECT $y) C(SELECT 1) Z(I) "
              "E(E 26000 prepared statement \"nope\" does not exist) Z(I) 3 Z(I) C(SET) S(TimeZone=Asia/Tokyo) Z(I) "
              "T D(Asia/Tokyo) C(SELECT 1) Z(I)");
}

TEST_F(Tracking, RefusesLengthsAndTypesThatCannotBe) {
    for (const std::uint32_t length : {0u, 3u, 0x80000000u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
        open(options());
        wire::Writer out;
        out.u8('Q');
        out.u32be(length);
        const std::string answer = ask(Raw(out.bytes().begin(), out.bytes().end()));
        EXPECT_TRUE(session->fatal) << length;
        EXPECT_EQ(answer.substr(0, 30), "E(F 08P01 terminating connecti") << length;
    }
    for (const char type : {'A', 'Z', 'p', '\0', 'q'}) {
        open(options());
        ask(client.raw(static_cast<std::uint8_t>(type), ""));
        EXPECT_TRUE(session->fatal) << type;
    }
    for (const auto& [type, body] : std::vector<std::pair<char, std::string>>{{'Q', "no end"},
                                                                              {'P', "no end"},
                                                                              {'P', std::string("a\0no end", 8)},
                                                                              {'B', std::string("a\0b", 3)},
                                                                              {'D', "S"},
                                                                              {'E', ""},
                                                                              {'C', "Sx"},
                                                                              {'Q', std::string("a\0b", 3)}}) {
        open(options());
        ask(client.raw(static_cast<std::uint8_t>(type), body).sync());
        EXPECT_TRUE(session->fatal) << type;
    }
}

TEST_F(Tracking, StreamsLongMessagesAndReadsThemAlong) {
    const std::string filler(300000, 'x');
    const std::string long_query = "SELECT '" + filler + "'; SET work_mem=1";
    EXPECT_EQ(ask(client.query(long_query), 5000).substr(0, 2), "T ");
    EXPECT_EQ(session->tracker.pin(), "SET work_mem");
    EXPECT_EQ(first.server.executed.size(), 2u);
    EXPECT_EQ(ask(client.bind_with("", std::string(200000, 'p')).sync(), 9000),
              "E(E 26000 unnamed prepared statement does not exist) Z(I)");
}

TEST_F(Tracking, StreamsLongMessagesUnderOtherNames) {
    const std::string sql = "SELECT $" + std::string(500000, 'x'), value(300000, 'v');
    EXPECT_EQ(ask(client.parse("a", sql).sync(), 30000), "1 Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    for (int i = 0; i < 2; ++i) {
        const std::string got = ask(client.bind_with("a", value).execute().sync(), 11000);
        EXPECT_EQ(got, "2 D(" + sql + value + ") C(SELECT 1) Z(I)");
    }
    EXPECT_EQ(session->leases, 3u);
}

TEST_F(Tracking, KeepsAParseThatIsTooLongToCarryWhereItIs) {
    const std::string sql = "SELECT " + std::string(2u << 20, 'x');
    EXPECT_EQ(ask(client.parse("big", sql).sync(), 60000), "1 Z(I)");
    EXPECT_EQ(session->tracker.pin(), "prepared statement too large to be carried");
    EXPECT_EQ(ask(client.bind("big").execute().sync()).substr(0, 11), "2 D(SELECT ");
    EXPECT_EQ(session->leases, 1u);
    open(options());
    EXPECT_EQ(ask(client.parse("", sql).bind("").execute().sync(), 60000).substr(0, 6), "1 2 D(");
    EXPECT_EQ(session->tracker.pin(), "prepared statement too large to be carried");
}

TEST_F(Tracking, ParsesAStatementOnEachBackendOnceAndThenAnswersItself) {
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").sync()), "1 Z(I)");
    EXPECT_EQ(ask(client.bind("a").execute().sync()), "2 D(SELECT 1) C(SELECT 1) Z(I)");  // the other backend
    EXPECT_EQ(first.server.parses + second.server.parses, 2u);
    EXPECT_EQ(ask(client.close('S', "a").sync()), "3 Z(I)");
    EXPECT_EQ(ask(client.parse("b", "SELECT 1").sync()), "1 Z(I)");
    EXPECT_EQ(ask(client.bind("b").execute().sync()), "2 D(SELECT 1) C(SELECT 1) Z(I)");
    EXPECT_EQ(first.server.parses + second.server.parses, 2u);
    EXPECT_EQ(first.server.prepared.size(), 1u);
}

TEST_F(Tracking, ReportsAnInjectedParsesFailureAsTheReply) {
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").sync()), "1 Z(I)");
    session->send(client.bind("a").execute().sync().take());
    second.server = Server();  // its reply is replaced by a failure
    wire::Writer out;
    wire::Diagnostics error;
    error.sqlstate = "42P01";
    error.message = "relation \"t\" does not exist";
    error_response(out, Severity::error, error);
    ready_for_query(out, 'I');
    wire::Outbox to_client, to_backend;
    const wire::Verdict verdict = session->tracker.from_backend(out.bytes(), to_client, to_backend);
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::boundary);
    Raw got;
    to_client.flatten(got);
    EXPECT_EQ(readable(got), "E(E 42P01 relation \"t\" does not exist) Z(I)");
    EXPECT_EQ(second.lease.statements.size(), 0u);
}

TEST_F(Tracking, LimitsTheStatementsOfOneClient) {
    TrackerOptions few = options();
    few.prepared_per_client = 2;
    open(few);
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").parse("b", "SELECT 2").sync()), "1 1 Z(I)");
    EXPECT_EQ(ask(client.parse("c", "SELECT 3").bind("c").sync()),
              "E(E 54000 too many prepared statements in this session (prepared_per_client)) Z(I)");
    EXPECT_EQ(ask(client.query("BEGIN").parse("c", "SELECT 3").sync().query("ROLLBACK")),
              "C(BEGIN) Z(T) E(E 54000 too many prepared statements in this session (prepared_per_client)) Z(E) "
              "C(ROLLBACK) Z(I)");
    EXPECT_EQ(ask(client.close('S', "a").parse("c", "SELECT 3").sync()), "3 1 Z(I)");
}

TEST_F(Tracking, NeverBindsAnotherSessionsUnnamedStatement) {
    EXPECT_EQ(ask(client.parse("", "SELECT secret").sync()), "1 Z(I)");  // on the first
    Session other(options(), [this] { return &first; });
    other.send(client.bind("").execute().sync().take());
    other.pump();
    EXPECT_EQ(readable(other.received()), "E(E 26000 unnamed prepared statement does not exist) Z(I)");
    EXPECT_EQ(ask(client.bind("").execute().sync()), "2 D(SELECT secret) C(SELECT 1) Z(I)");  // on the second
}

TEST_F(Tracking, DestroysTheUnnamedStatementWithASimpleQuery) {
    EXPECT_EQ(ask(client.parse("", "SELECT 1").sync().query("SELECT 2").bind("").sync()),
              "1 Z(I) T D(SELECT 2) C(SELECT 1) Z(I) E(E 26000 unnamed prepared statement does not exist) Z(I)");
    EXPECT_EQ(ask(client.bind("").sync()), "E(E 26000 unnamed prepared statement does not exist) Z(I)");
}

TEST_F(Tracking, AnswersSqlDeallocateOfACarriedStatement) {
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").sync().query("DEALLOCATE a").query("DEALLOCATE PREPARE a")),
              "1 Z(I) C(DEALLOCATE) Z(I) E(E 26000 prepared statement \"PREPARE a\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.parse("b", "SELECT 1").sync()), "1 Z(I)");
    EXPECT_EQ(ask(client.query("DEALLOCATE b")), "C(DEALLOCATE) Z(I)");
    EXPECT_EQ(ask(client.bind("b").sync()), "E(E 26000 prepared statement \"b\" does not exist) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
}

}  // namespace
}  // namespace leasehold::postgres::model
