// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/hosts.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using namespace std::chrono_literals;
using test::built;
using test::ByteVector;
using test::Script;
using wire::Writer;

const HostTable::Time start = HostTable::Time() + 1000h;
const std::vector<std::string> abc{"a:1", "b:1", "c:1"};

std::vector<std::size_t> order(const HostTable& table, HostTable::Time now) {
    std::vector<std::size_t> hosts;
    for (const HostTable::Turn& turn : table.turns(abc, now)) hosts.push_back(turn.host);
    return hosts;
}
using Order = std::vector<std::size_t>;

// --- the back-off ---------------------------------------------------------------------------------------------------

TEST(PostgresHosts, AreTriedInTheUrlsOrder) {
    const HostTable table([] { return 0.0; });
    EXPECT_EQ(order(table, start), (Order{0, 1, 2}));
    for (const HostTable::Turn& turn : table.turns(abc, start)) EXPECT_EQ(turn.not_before, start);
}

TEST(PostgresHosts, AFailedOneIsTriedLastUntilItsTimeComes) {
    HostTable table([] { return 0.0; });
    table.failed("a:1", start, 0ms);
    EXPECT_EQ(order(table, start + 99ms), (Order{1, 2, 0}));
    EXPECT_EQ(table.turns(abc, start + 1ms).back().not_before, start + 100ms);
    EXPECT_EQ(order(table, start + 100ms), (Order{0, 1, 2}));
}

TEST(PostgresHosts, TheBackOffDoublesUpToTenSeconds) {
    HostTable table([] { return 0.0; });
    auto now = start;
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 10000ms, 10000ms}) {
        table.failed("a:1", now, 0ms);
        EXPECT_EQ(table.due("a:1") - now, pause);
        now = table.due("a:1");
    }
    for (int i = 0; i < 5000; ++i) {
        table.failed("a:1", now, 0ms);
        now = table.due("a:1");
    }
    EXPECT_LE(table.due("a:1") - now, 10s);
}

TEST(PostgresHosts, SuccessForgetsTheFailures) {
    HostTable table([] { return 0.0; });
    table.failed("a:1", start, 0ms);
    table.failed("a:1", start + 1s, 0ms);
    table.answered("a:1");
    EXPECT_EQ(order(table, start + 1s), (Order{0, 1, 2}));
    table.failed("a:1", start + 2s, 0ms);
    EXPECT_EQ(table.due("a:1") - (start + 2s), 100ms);
    table.answered("never:1");
}

TEST(PostgresHosts, JitterStaysWithinAFifth) {
    for (const double extreme : {-1.0, 1.0}) {
        HostTable table([extreme] { return extreme; });
        table.failed("a:1", start, 0ms);
        EXPECT_EQ(table.due("a:1") - start, extreme < 0 ? 80ms : 120ms);
    }
    HostTable table;
    for (int i = 0; i < 1000; ++i) {
        const std::string host = "h" + std::to_string(i);
        table.failed(host, start, 0ms);
        EXPECT_GE(table.due(host) - start, 80ms);
        EXPECT_LE(table.due(host) - start, 120ms);
    }
}

// A host that swallows packets costs its share of a dial each time: it is left alone for longer than that.
TEST(PostgresHosts, OneThatLetsUsWaitIsLeftAloneForLonger) {
    HostTable table([] { return 0.0; });
    table.failed("a:1", start, 1500ms);
    EXPECT_EQ(table.due("a:1") - start, 6s);
    table.failed("b:1", start, 5s);
    EXPECT_EQ(table.due("b:1") - start, 10s);
}

TEST(PostgresHosts, AttemptsSideBySideAreOneFailure) {
    HostTable table([] { return 0.0; });
    for (int i = 0; i < 10; ++i) table.failed("a:1", start + std::chrono::milliseconds(i), 0ms);
    EXPECT_EQ(table.due("a:1") - start, 100ms);
}

TEST(PostgresHosts, OfThoseThatBackOffTheFirstDueIsTheFirst) {
    HostTable table([] { return 0.0; });
    table.failed("c:1", start, 0ms);
    table.failed("a:1", start + 10ms, 0ms);
    table.failed("b:1", start + 5ms, 0ms);
    const auto turns = table.turns(abc, start + 20ms);
    EXPECT_EQ(order(table, start + 20ms), (Order{2, 1, 0}));
    EXPECT_EQ(turns[0].not_before, start + 100ms);
    EXPECT_EQ(turns[2].not_before, start + 110ms);
}

// The pool waits between its dials by itself; twice the wait would find a restarted server late.
TEST(PostgresHosts, ASingleOneIsNeverWaitedFor) {
    HostTable table([] { return 0.0; });
    const std::vector<std::string> one{"a:1"};
    table.failed("a:1", start, 2s);
    EXPECT_EQ(table.turns(one, start).front().not_before, start);
    EXPECT_TRUE(table.turns({}, start).empty());
}

TEST(PostgresHosts, AnOldProtocolIsRememberedForAnHour) {
    HostTable table;
    EXPECT_FALSE(table.only_3_0("a:1", start));
    table.speaks_only_3_0("a:1", start);
    EXPECT_TRUE(table.only_3_0("a:1", start + 59min));
    EXPECT_FALSE(table.only_3_0("a:1", start + 61min));
    EXPECT_FALSE(table.only_3_0("b:1", start));
}

TEST(PostgresHosts, EachHasItsShareOfTheTime) {
    EXPECT_EQ(share(start, start + 6s, 3), start + 2s);
    EXPECT_EQ(share(start + 2s, start + 6s, 2), start + 4s);
    EXPECT_EQ(share(start + 2s, start + 6s, 1), start + 6s);
    EXPECT_EQ(share(start + 7s, start + 6s, 2), start + 6s);
    EXPECT_EQ(share(start, start + 6s, 0), start + 6s);
}

// --- target_session_attrs -------------------------------------------------------------------------------------------

TEST(PostgresTargetSession, ReadsLibpqsWords) {
    EXPECT_EQ(target_session(""), TargetSession::any);
    EXPECT_EQ(target_session("any"), TargetSession::any);
    EXPECT_EQ(target_session("read-write"), TargetSession::read_write);
    EXPECT_EQ(target_session("read-only"), TargetSession::read_only);
    EXPECT_EQ(target_session("primary"), TargetSession::primary);
    EXPECT_EQ(target_session("standby"), TargetSession::standby);
    EXPECT_EQ(target_session("prefer-standby"), TargetSession::prefer_standby);
}

TEST(PostgresTargetSession, JudgesByWhatTheServerSaysAtLogin) {
    const ServerRole primary{"off", "off"}, standby{"on", "off"}, read_only_primary{"off", "on"};
    struct Row {
        TargetSession wanted;
        bool primary, standby, read_only_primary;
    };
    const Row rows[] = {
        {TargetSession::any, true, true, true},        {TargetSession::read_write, true, false, false},
        {TargetSession::read_only, false, true, true}, {TargetSession::primary, true, false, true},
        {TargetSession::standby, false, true, false},  {TargetSession::prefer_standby, false, true, false}};
    for (const Row& row : rows) {
        SCOPED_TRACE(static_cast<int>(row.wanted));
        EXPECT_EQ(judge(row.wanted, primary), row.primary ? Fit::fits : Fit::unfit);
        EXPECT_EQ(judge(row.wanted, standby), row.standby ? Fit::fits : Fit::unfit);
        EXPECT_EQ(judge(row.wanted, read_only_primary), row.read_only_primary ? Fit::fits : Fit::unfit);
        EXPECT_EQ(unfit_because(row.wanted).empty(), row.wanted == TargetSession::any);
    }
}

TEST(PostgresTargetSession, AsksServersThatDoNotSay) {
    EXPECT_EQ(judge(TargetSession::any, ServerRole{}), Fit::fits);
    for (const ServerRole& role : {ServerRole{}, ServerRole{"on", ""}, ServerRole{"", "on"}}) {
        EXPECT_EQ(judge(TargetSession::read_write, role), Fit::ask_read_only);
        EXPECT_EQ(judge(TargetSession::read_only, role), Fit::ask_read_only);
    }
    EXPECT_EQ(judge(TargetSession::primary, ServerRole{}), Fit::ask_recovery);
    EXPECT_EQ(judge(TargetSession::standby, ServerRole{"", "off"}), Fit::ask_recovery);
    EXPECT_EQ(judge(TargetSession::prefer_standby, ServerRole{}), Fit::ask_recovery);
    EXPECT_TRUE(judge(TargetSession::read_write, false));
    EXPECT_FALSE(judge(TargetSession::read_write, true));
    EXPECT_TRUE(judge(TargetSession::read_only, true));
    EXPECT_FALSE(judge(TargetSession::primary, true));
    EXPECT_TRUE(judge(TargetSession::standby, true));
}

ByteVector reply(std::string_view tag, char status = 'I') {
    return built([&](Writer& w) {
        const Field fields[] = {{"?column?"}};
        row_description(w, fields);
        const std::optional<std::string> row[] = {std::string("1")};
        if (tag == "SELECT 1") data_row(w, row);
        command_complete(w, tag);
        ready_for_query(w, status);
    });
}

TEST(PostgresAskRole, TheCountOfRowsIsTheAnswer) {
    for (const Fit question : {Fit::ask_read_only, Fit::ask_recovery}) {
        const auto make = [question] { return std::make_unique<AskRole>(question); };
        const ByteVector asked = test::bytes_of(AskRole(question).resume({}, {}).output);
        for (const bool yes : {true, false}) {
            const Script script = Script().expect_write(asked).read(reply(yes ? "SELECT 1" : "SELECT 0")).expect_done();
            test::play_all(script, make);
            AskRole ask(question);
            test::play(script, ask);
            EXPECT_EQ(ask.answer(), yes);
        }
        const Script script = Script().expect_write(asked).read(reply("SELECT 1")).expect_done();
        test::play_hostile(script, make, reply("SELECT 2"));
        test::play_hostile(script, make, reply("SHOW"));
        test::play_hostile(script, make, reply("SELECT 1", 'T'));
        test::play_hostile(script, make, {'C', 0, 0, 0, 3});
        test::play_noise(script, make, 11, 500);
    }
}

}  // namespace
}  // namespace leasehold::postgres
