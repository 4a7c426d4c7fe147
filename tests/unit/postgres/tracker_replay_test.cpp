// SPDX-License-Identifier: Apache-2.0
// Settings in front of a client's first request: one write, replies that the client does not see, and a request that is
// not carried out when one of them is refused.
#include "tests/unit/postgres/loss_fixture.hpp"

#include <algorithm>

namespace leasehold::postgres::model {
namespace {

// A session with a setting, whose next backend lacks it; whole, and byte by byte.
class InFront : public ::testing::TestWithParam<std::size_t> {
  protected:
    void SetUp() override {
        session = std::make_unique<Session>(options(), [this] { return ++turn % 2 == 0 ? renewed() : &second; });
        ask(client.query("SET work_mem=1"));  // on the second
    }
    std::string ask(Client& of) {
        session->send(of.take(), GetParam());
        session->pump(GetParam());
        return readable(session->received());
    }
    // The first backend; a new one where that was lost.
    Backend* renewed() {
        if (first && !first->leased) return first.get();
        auto made = std::make_unique<Backend>(200);
        made->server.refuses = refuses;
        if (first) lost.push_back(std::move(first));
        first = std::move(made);
        return first.get();
    }
    // What ran on the last of them.
    std::vector<std::string> ran() { return std::exchange(first->server.executed, {}); }
    static bool has(const std::vector<std::string>& all, std::string_view one) {
        return std::ranges::find(all, one) != all.end();
    }
    // The session goes on, on the other backend, which has its setting.
    void goes_on() { EXPECT_EQ(ask(client.query("SHOW work_mem")), "T D(1) C(SELECT 1) Z(I)"); }

    const std::string sets = "SELECT pg_catalog.set_config('work_mem','1',false)";
    std::string refuses;  // by those to come
    std::unique_ptr<Backend> first;
    std::vector<std::unique_ptr<Backend>> lost;
    Backend second{200};
    int turn = 0;
    std::unique_ptr<Session> session;
    Client client;
};
INSTANTIATE_TEST_SUITE_P(Steps, InFront, ::testing::Values(0u, 1u));

TEST_P(InFront, AreSentInOneWriteWithTheRequest) {
    session->send(client.query("SHOW work_mem").take(), GetParam());
    EXPECT_EQ(ran(), (std::vector<std::string>{"BEGIN", sets, "COMMIT", "SHOW work_mem"})) << "before any reply";
    session->pump(GetParam());
    EXPECT_EQ(readable(session->received()), "T D(1) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->leases, 2u);
    EXPECT_EQ(session->boundaries, 2u);
    EXPECT_TRUE(first->lease.held == session->tracker.settings());
    goes_on();
    EXPECT_EQ(ask(client.query("SELECT 1")), "T D(SELECT 1) C(SELECT 1) Z(I)");
    EXPECT_EQ(ran(), (std::vector<std::string>{"SELECT 1"})) << "it has them";
}

TEST_P(InFront, StandInFrontOfAPipelineToo) {
    EXPECT_EQ(ask(client.parse("a", "SHOW work_mem").bind("a").describe('P', "").execute().sync()),
              "1 2 T D(1) C(SELECT 1) Z(I)");
    EXPECT_EQ(ran(), (std::vector<std::string>{"BEGIN", sets, "COMMIT", "SHOW work_mem"}));
    goes_on();
    EXPECT_EQ(ask(client.bind("a").execute().sync()), "2 D(1) C(SELECT 1) Z(I)");
}

TEST_P(InFront, AreNotTakenBackWithTheRequest) {
    EXPECT_EQ(ask(client.query("ERR")), "E(E 22012 division by zero) Z(I)");
    EXPECT_EQ(first->server.settings["work_mem"], "1");
    EXPECT_TRUE(first->lease.held == session->tracker.settings());
    goes_on();
}

TEST_P(InFront, ARefusedOneTakesThePlaceOfTheReply) {
    refuses = "work_mem";
    const std::string refused = "E(E 22023 invalid value for parameter \"work_mem\")";
    EXPECT_EQ(ask(client.query("CREATE TABLE t")), refused + " Z(I)");
    EXPECT_EQ(ran(), (std::vector<std::string>{"BEGIN", sets})) << "nothing of the request";
    EXPECT_FALSE(session->tracker.attached());
    goes_on();
}

TEST_P(InFront, ARefusedOneTakesThePlaceOfAPipelinesReplies) {
    refuses = "work_mem";
    const std::string refused = "E(E 22023 invalid value for parameter \"work_mem\")";
    EXPECT_EQ(ask(client.parse("a", "CREATE TABLE t").bind("a").execute().sync()), refused + " Z(I)");
    EXPECT_EQ(ran(), (std::vector<std::string>{"BEGIN", sets}));
    goes_on();
    EXPECT_EQ(ask(client.raw('F', std::string(12, '\0'))), refused + " Z(I)");
    EXPECT_FALSE(has(ran(), "function call"));
    goes_on();
    // Up to the Sync that comes later.
    EXPECT_EQ(ask(client.parse("", "CREATE TABLE t").bind("").execute().flush()), refused);
    EXPECT_EQ(ask(client.parse("", "CREATE TABLE u").bind("").execute()), "");
    EXPECT_EQ(ask(client.sync()), "Z(I)");
    EXPECT_FALSE(has(ran(), "CREATE TABLE t"));
    goes_on();
}

// Behind a Sync the server would carry out what follows, with whatever settings it has.
TEST_P(InFront, NothingFollowsTheFirstRequestBeforeTheyStand) {
    refuses = "work_mem";
    session->send(client.query("CREATE TABLE t").query("CREATE TABLE u").query("SHOW work_mem").take(), GetParam());
    EXPECT_EQ(first->server.messages, 10u);
    session->pump(GetParam());
    EXPECT_EQ(readable(session->received()),
              "E(E 22023 invalid value for parameter \"work_mem\") Z(I) C(CREATE) Z(I) "
              "T D(1) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->leases, 3u);
    EXPECT_FALSE(has(ran(), "CREATE TABLE t"));
}

TEST_P(InFront, APipelineGoesOnBehindThem) {
    EXPECT_EQ(ask(client.query("SHOW work_mem").parse("", "SHOW work_mem").bind("").execute().sync().query("SELECT 2")),
              "T D(1) C(SELECT 1) Z(I) 1 2 D(1) C(SELECT 1) Z(I) T D(SELECT 2) C(SELECT 1) Z(I)");
}

// What EXECUTE needs is prepared in a segment of its own, behind whose Sync nothing is skipped any more.
TEST_P(InFront, AreConfirmedBeforeStatementsThatNameOthers) {
    ask(client.query("SELECT 1"));
    EXPECT_EQ(ask(client.query("PREPARE q AS SHOW work_mem")), "C(PREPARE) Z(I)");  // on the second
    EXPECT_TRUE(first->lease.held.erase("work_mem"));
    first->server.force("work_mem", "");
    session->send(client.query("EXECUTE q").take(), GetParam());
    EXPECT_FALSE(has(ran(), "EXECUTE lh_1"));
    session->pump(GetParam());
    EXPECT_EQ(readable(session->received()), "D(1) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->leases, 4u);
    EXPECT_TRUE(second.lease.held.erase("work_mem"));
    second.server.refuses = "work_mem";
    second.server.executed.clear();
    EXPECT_EQ(ask(client.query("EXECUTE q")), "E(E 22023 invalid value for parameter \"work_mem\") Z(I)");
    EXPECT_EQ(second.server.executed, (std::vector<std::string>{"BEGIN", sets}));
}

TEST_P(InFront, ARequestThatWaitsForThemOutlivesTheirBackend) {
    ask(client.query("PREPARE q AS SHOW work_mem"));  // on the first
    EXPECT_TRUE(second.lease.held.erase("work_mem"));
    session->send(client.query("EXECUTE q").take(), GetParam());
    EXPECT_EQ(session->lose(), wire::Aftermath::lives);
    EXPECT_EQ(readable(session->received()), "");
    EXPECT_EQ(ask(client.query("SELECT 2")), "D(1) C(SELECT 1) Z(I) T D(SELECT 2) C(SELECT 1) Z(I)");
}

TEST_P(InFront, NoOtherSessionsUnnamedStatementIsMet) {
    ask(client.query("SELECT 1"));
    ask(client.query("SET work_mem=2"));  // on the second
    EXPECT_EQ(ask(client.bind("").execute().sync()), "E(E 26000 unnamed prepared statement does not exist) Z(I)");
    EXPECT_TRUE(has(ran(), "COMMIT"));
    EXPECT_EQ(ask(client.parse("", "SHOW work_mem").sync()), "1 Z(I)");
    second.server.force("work_mem", "");
    EXPECT_TRUE(second.lease.held.erase("work_mem"));
    EXPECT_TRUE(first->lease.held.erase("work_mem"));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(client.bind("").execute().sync()), "2 D(2) C(SELECT 1) Z(I)");
}

TEST_P(InFront, AServersFarewellAmongThemProvesThatNothingWasCarriedOut) {
    session->send(client.query("CREATE TABLE t").take(), GetParam());
    (void)first->server.take_output();
    first->server.farewell("57P01");
    session->pump(GetParam());
    EXPECT_TRUE(session->lost);
    EXPECT_EQ(session->lose(), wire::Aftermath::lives);
    EXPECT_EQ(readable(session->received()),
              "E(E 40001 transaction lost: not executed: the server connection was lost) Z(I)");
    goes_on();
}

TEST_P(InFront, ALossWithoutAWordLeavesTheOutcomeUnknown) {
    session->send(client.query("CREATE TABLE t").take(), GetParam());
    EXPECT_EQ(session->lose(), wire::Aftermath::lives);
    EXPECT_NE(readable(session->received()).find("E(E 40003"), std::string::npos);
    goes_on();
}

TEST_P(InFront, WhoLeavesAmongThemLeavesWordHowFarTheyWere) {
    session->send(client.query("CREATE TABLE t").take(), GetParam());
    session->tracker.detach();
    EXPECT_EQ(first->lease.unfinished.in_front, 3u);
    EXPECT_TRUE(first->lease.unfinished.without_sync);
    EXPECT_EQ(first->lease.unfinished.requests, std::vector{Unfinished::Request::simple});
}

TEST_P(InFront, ReportsOfThemAreNoNewsForTheClient) {
    EXPECT_EQ(ask(client.query("SET TimeZone=Asia/Tokyo")), "C(SET) S(TimeZone=Asia/Tokyo) Z(I)");  // on the first
    EXPECT_EQ(ask(client.query("SHOW TimeZone")), "T D(Asia/Tokyo) C(SELECT 1) Z(I)");
    EXPECT_EQ(second.lease.reported.find("TimeZone"), "Asia/Tokyo");
    EXPECT_TRUE(second.lease.held == session->tracker.settings());
}

// The server reports what differs from its last report, and has not reported what was sent in front.
TEST_P(InFront, WhatTheRequestChangesBackIsToldAllTheSame) {
    EXPECT_EQ(ask(client.query("SET TimeZone=Asia/Tokyo")), "C(SET) S(TimeZone=Asia/Tokyo) Z(I)");
    EXPECT_EQ(ask(client.query("SET TimeZone=UTC")), "C(SET) S(TimeZone=UTC) Z(I)");
    EXPECT_FALSE(session->tracker.settings().contains("TimeZone"));
    EXPECT_TRUE(second.lease.held == session->tracker.settings());
    EXPECT_EQ(ask(client.query("SHOW TimeZone")), "T D(UTC) C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.query("SHOW TimeZone")), "T D(UTC) C(SELECT 1) Z(I)");
}

TEST_P(InFront, OneThatIsChangedBackForATransactionReturnsAtItsEnd) {
    EXPECT_EQ(ask(client.query("SET TimeZone=Asia/Tokyo")), "C(SET) S(TimeZone=Asia/Tokyo) Z(I)");
    EXPECT_EQ(ask(client.query("BEGIN; SET LOCAL TimeZone=UTC")), "C(BEGIN) C(SET) S(TimeZone=UTC) Z(T)");
    EXPECT_EQ(ask(client.query("COMMIT")), "C(COMMIT) S(TimeZone=Asia/Tokyo) Z(I)");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(client.query("SHOW TimeZone")), "T D(Asia/Tokyo) C(SELECT 1) Z(I)");
}

TEST_P(InFront, WhatDecidesWhatAStatementSeesIsNotAmongThem) {
    ask(client.query("SET search_path=s1"));  // on the first
    second.server.executed.clear();
    ask(client.query("SELECT 1"));
    EXPECT_EQ(second.server.executed, std::vector<std::string>{"SELECT 1"}) << "aligned before";
    EXPECT_EQ(second.server.settings["search_path"], "s1");
}

}  // namespace
}  // namespace leasehold::postgres::model
