// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/postgres/session_model.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres::model {
namespace {

TrackerOptions options(wire::LeaseMode mode = wire::LeaseMode::transaction) {
    TrackerOptions all;
    all.mode = mode;
    for (const auto& [name, value] : Server().settings) all.parameters.emplace_back(name, value);
    return all;
}

// One session and two backends that it visits by turns.
class Tracking : public ::testing::Test {
  protected:
    void open(TrackerOptions with) {
        session = std::make_unique<Session>(std::move(with), [this] { return choose(); });
    }
    void SetUp() override { open(options()); }
    Backend* choose() {
        if (!available) return nullptr;
        turn = 1 - turn;
        return turn == 0 ? &first : &second;
    }
    std::string ask(const Raw& bytes, std::size_t step = 0) {
        session->send(bytes, step);
        session->pump(step);
        return readable(session->received());
    }
    std::string ask(Client& of, std::size_t step = 0) { return ask(of.take(), step); }

    Backend first{200}, second{200};
    int turn = 1;
    bool available = true;
    std::unique_ptr<Session> session;
    Client client;
};

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
    const Raw program = client.query("BEGIN").parse("a", "SELECT $").bind_with("a", "x").describe('P', "").execute().sync()
                            .query("COMMIT").bind_with("a", "y").execute().sync().bind("nope").sync().close('S', "a").sync()
                            .query("SET TimeZone=Asia/Tokyo").query("SHOW TimeZone").take();
    const std::string whole = ask(program);
    open(options());
    EXPECT_EQ(ask(program, 1), whole);
    EXPECT_EQ(whole, "C(BEGIN) Z(T) 1 2 T D(SELECT $x) C(SELECT 1) Z(T) C(COMMIT) Z(I) 2 D(SELECT $y) C(SELECT 1) Z(I) "
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
    for (const auto& [type, body] : std::vector<std::pair<char, std::string>>{
             {'Q', "no end"}, {'P', "no end"}, {'P', std::string("a\0no end", 8)}, {'B', std::string("a\0b", 3)}, {'D', "S"},
             {'E', ""}, {'C', "Sx"}, {'Q', std::string("a\0b", 3)}}) {
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
              "C(BEGIN) Z(T) E(E 54000 too many prepared statements in this session (prepared_per_client)) Z(E) C(ROLLBACK) Z(I)");
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

TEST_F(Tracking, PinsWhatCannotBeCarriedToTheSessionsEnd) {
    EXPECT_EQ(ask(client.query("SET work_mem=1")), "C(SET) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "SET work_mem");
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
    EXPECT_EQ(ask(client.parse("a", "SET work_mem=1").sync()), "1 Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(ask(client.bind("a").execute().sync()), "2 C(SET) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "SET work_mem");
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
    EXPECT_EQ(ask(client.query("BEGIN").query("SET DateStyle=SQL").query("ROLLBACK").query("SHOW DateStyle")),
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
    EXPECT_EQ(ask(client.query("SHOW application_name")), "S(application_name=shop) T D(shop) C(SELECT 1) Z(I)");
    ask(client.query("SET application_name=till"));
    EXPECT_EQ(session->tracker.application(), "till");
    ask(client.query("SET extra_float_digits=1"));
    EXPECT_EQ(session->tracker.pin(), "SET extra_float_digits");
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
    EXPECT_EQ(ask(client.raw('f', std::string("no\0", 3)).raw('d', "late").sync()), "E(E 57014 COPY from stdin failed) Z(I)");
    EXPECT_FALSE(session->tracker.attached());
}

TEST_F(Tracking, LeavesTheLadderAnAccountOfWhatIsUnfinished) {
    session->send(client.query("BEGIN").parse("", "SELECT 1").bind("").execute().sync().query("SELECT 2").parse("", "x").take());
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
    session->send(client.query("SELECT " + std::string(1000, 'x')).take());
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
    for (const auto& [type, body] : std::vector<std::pair<char, std::string>>{
             {'1', ""}, {'Z', "X"}, {'Z', ""}, {'R', std::string(4, '\0')}, {'K', std::string(8, '\0')}, {'?', ""}, {'2', ""}, {'S', "x"}}) {
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
    session->send(client.query("SELECT " + std::string(5000, 'x')).take());
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
