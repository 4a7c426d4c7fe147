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

const OldServers::Time start = OldServers::Time() + 1000h;

TEST(PostgresHosts, AnOldProtocolIsRememberedForAnHour) {
    OldServers table;
    EXPECT_FALSE(table.found_old("a:1", start));
    table.note_old("a:1", start);
    EXPECT_TRUE(table.found_old("a:1", start + 59min));
    EXPECT_FALSE(table.found_old("a:1", start + 61min));
    EXPECT_FALSE(table.found_old("b:1", start));
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
