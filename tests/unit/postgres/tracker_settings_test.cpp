// SPDX-License-Identifier: Apache-2.0
// Settings that the server does not report: when they are carried, and when they pin all the same.
#include "tests/unit/postgres/loss_fixture.hpp"

#include <functional>

namespace leasehold::postgres::model {
namespace {

// One session and two backends that it visits by turns; whole, and byte by byte.
class Setting : public ::testing::TestWithParam<std::size_t> {
  protected:
    void SetUp() override { open(options()); }
    void open(TrackerOptions with) {
        session = std::make_unique<Session>(std::move(with), [this] { return ++turn % 2 == 0 ? &first : &second; });
    }
    std::string ask(Client& of) {
        session->send(of.take(), GetParam());
        session->pump(GetParam());
        return readable(session->received());
    }
    // On each backend.
    void carries(const std::string& value) {
        EXPECT_EQ(session->tracker.pin(), "");
        EXPECT_FALSE(session->tracker.attached());
        EXPECT_EQ(session->tracker.settings().find("work_mem").value_or(""), value);
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(ask(client.query("SHOW work_mem")), "T D(" + value + ") C(SELECT 1) Z(I)");
            EXPECT_FALSE(session->tracker.dirty());
        }
        EXPECT_EQ(first.server.settings["work_mem"], value);
        EXPECT_EQ(second.server.settings["work_mem"], value);
    }
    void pins() {
        EXPECT_EQ(session->tracker.pin(), "SET work_mem");
        EXPECT_TRUE(session->tracker.dirty());
        EXPECT_TRUE(session->tracker.attached());
        EXPECT_FALSE(session->tracker.settings().contains("work_mem"));
    }

    Backend first{200}, second{200};
    int turn = 0;
    std::unique_ptr<Session> session;
    Client client;
};
INSTANTIATE_TEST_SUITE_P(Steps, Setting, ::testing::Values(0u, 1u));

TEST_P(Setting, IsCarriedByASimpleQuery) {
    EXPECT_EQ(ask(client.query("SET work_mem=1")), "C(SET) Z(I)");
    EXPECT_EQ(session->leases, 1u);
    carries("1");
    EXPECT_GT(session->leases, 3u);
    EXPECT_EQ(ask(client.query("SET work_mem=2")), "C(SET) Z(I)");
    carries("2");
}

TEST_P(Setting, IsCarriedByAnUnnamedStatement) {
    EXPECT_EQ(ask(client.parse("", "SET work_mem=1").bind("").describe('P', "").execute().sync()), "1 2 n C(SET) Z(I)");
    carries("1");
}

TEST_P(Setting, IsCarriedByANamedStatementAndAgain) {
    EXPECT_EQ(ask(client.parse("a", "SET work_mem=1").describe('S', "a").sync()), "1 t n Z(I)");
    EXPECT_FALSE(session->tracker.settings().contains("work_mem"));
    EXPECT_EQ(ask(client.bind("a").execute().close('P', "").sync()), "2 C(SET) 3 Z(I)");
    carries("1");
    ask(client.query("SET work_mem=2"));
    EXPECT_EQ(ask(client.bind("a").execute().sync()), "2 C(SET) Z(I)");
    carries("1");
}

TEST_P(Setting, IsCarriedAStepAtATime) {
    EXPECT_EQ(ask(client.parse("", "SET work_mem=1").describe('S', "").flush()), "1 t n");
    EXPECT_EQ(ask(client.bind("").flush()), "2");
    EXPECT_EQ(ask(client.execute().flush()), "C(SET)");
    EXPECT_TRUE(session->tracker.dirty()) << "it may fail still";
    EXPECT_TRUE(session->tracker.attached());
    EXPECT_EQ(ask(client.sync()), "Z(I)");
    carries("1");
}

TEST_P(Setting, IsNotKeptByABackendForOthers) {
    ask(client.query("SET work_mem=1"));
    carries("1");
    open(options());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(client.query("SHOW work_mem")), "T D() C(SELECT 1) Z(I)");
}

TEST_P(Setting, ChangesNothingWhenItFails) {
    ask(client.query("SET work_mem=1"));
    const std::string error = "E(E 26000 prepared statement \"none\" does not exist)";
    EXPECT_EQ(ask(client.parse("", "SET work_mem=2").bind("").execute().describe('S', "none").sync()),
              "1 2 C(SET) " + error + " Z(I)");
    carries("1");
    EXPECT_EQ(ask(client.parse("", "SET work_mem=3").bind("").describe('S', "none").execute().sync()),
              "1 2 " + error + " Z(I)");
    carries("1");
    EXPECT_EQ(ask(client.parse("", "SET work_mem=4").bind("").sync()), "1 2 Z(I)") << "never executed";
    carries("1");
}

// Each leaves work_mem=1 to the session, whatever runs beside it.
TEST_P(Setting, IsCarriedWhateverRunsBesideIt) {
    const std::vector<std::function<void()>> requests{
        [this] { client.query("SET work_mem=1;SELECT 1"); },
        [this] { client.query("SELECT 1;SET work_mem=2;;SET work_mem=1"); },
        [this] { client.query("BEGIN").query("SET work_mem=1").query("COMMIT"); },
        [this] { client.query("BEGIN;SET work_mem=1").query("COMMIT;SELECT 1"); },
        [this] { client.query("BEGIN").parse("", "SET work_mem=1").bind("").execute().sync().query("COMMIT"); },
        [this] { client.query("SELECT 1").query("SET work_mem=1"); },
        [this] { client.query("SET a.b=1").query("SET work_mem=1"); },
        [this] {
            client.parse("a", "SELECT 1").bind("a").execute().parse("", "SET work_mem=1").bind("").execute().sync();
        },
        [this] {
            client.parse("a", "SELECT 1").parse("", "SET work_mem=1").bind("").execute().bind("a").execute().sync();
        },
        [this] { client.parse("", "SET work_mem=1").bind("").execute().query("SELECT 1").sync(); },
        [this] { client.parse("", "SET work_mem=1").bind("").execute().bind("").execute().sync(); },
        [this] { client.query("SELECT set_config('work_mem','1',false)"); },
        [this] { client.parse("", "SELECT set_config('work_mem','1',false)").bind("").execute().sync(); },
        [this] { client.query("BEGIN;SET work_mem=1;SET LOCAL work_mem=2").query("COMMIT"); },
        [this] { client.query("BEGIN;SET LOCAL work_mem=2;SET work_mem=1").query("COMMIT"); },
        [this] { client.query("SET work_mem=1;COMMIT;SET work_mem=2;ERR"); },
        [this] { client.query("SET work_mem=1").query("SET work_mem=2;ERR"); },
        [this] { client.query("SET work_mem=1").query("BEGIN").query("SET work_mem=2").query("ROLLBACK"); },
        [this] { client.query("SET work_mem=1").query("BEGIN;RESET work_mem;RESET ALL").query("ERR").query("COMMIT"); },
        [this] { client.query("SET work_mem=1").query("BEGIN;SET work_mem=2;ROLLBACK;SELECT 1"); },
        [this] {
            client.query("SET work_mem=1").parse("", "SET work_mem=2").bind("").execute();
            client.parse("", "ERR").bind("").execute().parse("", "SET work_mem=3").bind("").execute().sync();
        },
        [this] {
            client.query("BEGIN;SET work_mem=1;SAVEPOINT a").query("SET work_mem=2;SAVEPOINT b;SET work_mem=3");
            client.query("ERR").query("ROLLBACK TO a").query("COMMIT");
        },
        [this] {
            client.query("BEGIN;SAVEPOINT a").query("SET work_mem=5;SAVEPOINT b;SET work_mem=1;RELEASE b");
            client.query("RELEASE a;SAVEPOINT c;SET work_mem=2;ROLLBACK TO c;COMMIT");
        },
    };
    for (std::size_t i = 0; i < requests.size(); ++i) {
        open(options());
        requests[i]();
        ask(client);
        SCOPED_TRACE(i);
        carries("1");
    }
}

TEST_P(Setting, PinsWhereOnlySomeRolesMaySetIt) {
    for (const std::string_view sql :
         {"SET log_statement='all'", "SELECT set_config('auto_explain.log_analyze','on',false)"}) {
        ask(client.query(sql));
        EXPECT_NE(session->tracker.pin(), "") << sql;
        TrackerOptions with = options();
        with.parameters.emplace_back("is_superuser", "on");
        open(with);
        ask(client.query(sql));
        EXPECT_EQ(session->tracker.pin(), "") << sql;
        open(options());
    }
}

TEST_P(Setting, IsCarriedWhereItsPortalIsNamed) {
    ask(client.parse("", "SET work_mem=1").bind("", "portal").execute("portal").sync());
    carries("1");
    client.query("BEGIN").parse("", "SET work_mem=2").bind("", "a").parse("", "SET work_mem=3").bind("", "b").sync();
    ask(client.execute("b").sync().execute("a").sync().query("COMMIT"));
    carries("2");
    EXPECT_EQ(ask(client.parse("", "SET work_mem=4").bind("", "portal").sync()), "1 2 Z(I)") << "never executed";
    carries("2");
    ask(client.parse("", "SET work_mem=5").bind("", "portal").execute("portal").sync());
    carries("5");
}

TEST_P(Setting, PinsWhereAPortalsNameIsGivenAgain) {
    client.query("BEGIN").parse("", "SET work_mem=1").bind("", "p").execute("p").close('P', "p");
    ask(client.parse("", "SELECT 1").bind("", "p").execute("p").sync().query("COMMIT"));
    EXPECT_EQ(session->tracker.pin(), "SET of unknown outcome");
}

TEST_P(Setting, PinsBesideWhatNobodySees) {
    for (const std::string_view sql : {"SET work_mem=1;DO x", "CALL x;SET work_mem=1",
                                       "SELECT set_config('work_mem','1',x)", "SET work_mem=1;SELECT U&\"x\""}) {
        open(options());
        ask(client.query(sql));
        EXPECT_NE(session->tracker.pin(), "") << sql;
        ask(client.query("DISCARD ALL"));
    }
}

TEST_P(Setting, LeavesNothingBehindThatEndsWithItsTransaction) {
    for (const std::string_view sql :
         {"SET LOCAL work_mem=1", "SELECT set_config('work_mem',$1,true)", "SELECT set_config('work_mem','1',true)"}) {
        ask(client.query("BEGIN").query(sql).query("COMMIT"));
        EXPECT_EQ(session->tracker.pin(), "");
        EXPECT_FALSE(session->tracker.dirty());
        EXPECT_TRUE(session->tracker.settings().empty());
    }
    carries("");
}

TEST_P(Setting, IsCarriedAfterWhatHasRunInItsSegment) {
    EXPECT_EQ(ask(client.parse("", "SELECT 1").bind("").execute().flush()), "1 2 D(SELECT 1) C(SELECT 1)");
    EXPECT_EQ(ask(client.parse("", "SET work_mem=1").bind("").execute().sync()), "1 2 C(SET) Z(I)");
    carries("1");
}

TEST_P(Setting, PinsBehindASavepointThatIsNotUnderstood) {
    ask(client.query("BEGIN").query("SAVEPOINT \"\xc3\xa4\"").query("SET work_mem=1"));
    EXPECT_EQ(session->tracker.pin(), "SET work_mem");
    ask(client.query("ROLLBACK").query("DISCARD ALL"));
    open(options());
    ask(client.query("BEGIN").query("SET work_mem=1").query("SAVEPOINT \"\xc3\xa4\""));
    EXPECT_EQ(session->tracker.pin(), "SET before a savepoint");
    ask(client.query("ROLLBACK").query("DISCARD ALL"));
    open(options());
    ask(client.query("BEGIN").query("SAVEPOINT \"\xc3\xa4\"").query("COMMIT"));
    ask(client.query("SET work_mem=1"));
    carries("1");
}

TEST_P(Setting, PinsWhereItsValueIsNotCertain) {
    for (const std::string_view sql : {"SET work_mem=$$1$$", "SET work_mem=E'1'", "SET work_mem=1,2"}) {
        open(options());
        ask(client.query(sql));
        pins();
        ask(client.query("DISCARD ALL"));
    }
}

TEST_P(Setting, PinsAsLongAsItsValueIsNotCertain) {
    for (const std::string_view back : {"SET work_mem=1", "RESET work_mem", "RESET ALL", "SET work_mem=DEFAULT"}) {
        open(options());
        ask(client.query("SET work_mem=1,2"));
        pins();
        ask(client.query("BEGIN").query(back));
        ask(client.query("ROLLBACK"));
        pins();
        ask(client.query("BEGIN").query(back));
        ask(client.query("COMMIT"));
        EXPECT_EQ(session->tracker.pin(), "") << back;
        EXPECT_FALSE(session->tracker.dirty()) << back;
        EXPECT_FALSE(session->tracker.attached()) << back;
    }
}

TEST_P(Setting, PinsNobodyWhereItIsNotSet) {
    ask(client.query("BEGIN;SET work_mem=1,2").query("ROLLBACK"));
    EXPECT_EQ(session->tracker.pin(), "");
    ask(client.query("ERR;SET work_mem=1,2"));
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_FALSE(session->tracker.dirty());
    EXPECT_FALSE(session->tracker.attached());
}

TEST_P(Setting, GoesBackByResetAndByDiscardAll) {
    TrackerOptions with = options();
    with.startup.set("jit", "off");
    open(with);
    ask(client.query("SET work_mem=1"));
    EXPECT_EQ(ask(client.query("RESET work_mem")), "C(RESET) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(session->tracker.settings(), with.startup);
    ask(client.query("SET jit=on"));
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(session->tracker.settings().find("jit"), "on");
    EXPECT_EQ(ask(client.query("DISCARD ALL")), "C(DISCARD ALL) Z(I)");
    EXPECT_EQ(session->tracker.settings(), with.startup);
    ask(client.query("SET jit=on"));
    EXPECT_EQ(ask(client.query("RESET jit")), "C(RESET) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(session->tracker.settings(), with.startup) << "not the server's default";
    EXPECT_EQ(ask(client.query("SHOW jit")), "T D(off) C(SELECT 1) Z(I)");
}

// Without another lease: the backend is told at once, and the client hears nothing of it.
TEST_P(Setting, GoesBackToItsStartWithinARequestAndATransaction) {
    TrackerOptions with = options();
    with.startup.set("jit", "off");
    const std::vector<std::pair<std::function<void()>, std::string>> requests{
        {[this] { client.query("RESET jit;SHOW jit"); }, "C(RESET) T D(off) C(SELECT 1) Z(I)"},
        {[this] { client.query("RESET ALL;SHOW jit"); }, "C(RESET) T D(off) C(SELECT 1) Z(I)"},
        {[this] { client.query("SET jit=on;SET jit=DEFAULT;SHOW jit"); }, "C(SET) C(SET) T D(off) C(SELECT 1) Z(I)"},
        {[this] { client.query("BEGIN;SET jit=on").query("RESET jit").query("SHOW jit;COMMIT"); },
         "C(BEGIN) C(SET) Z(T) C(RESET) Z(T) T D(off) C(SELECT 1) C(COMMIT) Z(I)"},
        {[this] { client.query("SET jit=on;RESET jit;SHOW jit;ERR"); },
         "C(SET) C(RESET) T D(off) C(SELECT 1) E(E 22012 division by zero) Z(I)"},
        {[this] { client.parse("", "RESET jit").bind("").execute().parse("", "SHOW jit").bind("").execute().sync(); },
         "1 2 C(RESET) 1 2 D(off) C(SELECT 1) Z(I)"},
        {[this] { client.parse("", "RESET ALL").bind("").execute().parse("", "SHOW jit").bind("").execute().sync(); },
         "1 2 C(RESET) 1 2 D(off) C(SELECT 1) Z(I)"},
        {[this] { client.parse("", "DISCARD ALL").bind("").execute().parse("", "SHOW jit").bind("").execute().sync(); },
         "1 2 C(DISCARD ALL) 1 2 D(off) C(SELECT 1) Z(I)"},
        {[this] { client.query("BEGIN").query("SET LOCAL jit=DEFAULT;SHOW jit").query("COMMIT"); },
         "C(BEGIN) Z(T) C(SET) T D(off) C(SELECT 1) Z(T) C(COMMIT) Z(I)"},
    };
    for (std::size_t i = 0; i < requests.size(); ++i) {
        open(with);
        SCOPED_TRACE(i);
        requests[i].first();
        EXPECT_EQ(ask(client), requests[i].second);
        EXPECT_EQ(session->tracker.pin(), "");
        EXPECT_FALSE(session->tracker.attached());
        EXPECT_EQ(session->tracker.settings(), with.startup);
        for (int turns = 0; turns < 2; ++turns) EXPECT_EQ(ask(client.query("SHOW jit")), "T D(off) C(SELECT 1) Z(I)");
    }
}

TEST_P(Setting, PinsBeyondTheLimitOfSettings) {
    TrackerOptions with = options();
    with.max_settings = 2;
    open(with);
    ask(client.query("SET a.a=1"));
    ask(client.query("SET a.b=1"));
    ask(client.query("SET a.a=2"));
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(ask(client.query("SET work_mem=1")), "C(SET) Z(I)");
    pins();
}

using SettingLost = Losing;

TEST_F(SettingLost, IsBroughtToTheNextBackend) {
    ask(client.query("SET work_mem=1"));
    EXPECT_EQ(ask(client.query("SHOW work_mem")), "T D(1) C(SELECT 1) Z(I)");
    ask(client.query("BEGIN"));
    lose();
    ask(client.query("ROLLBACK"));
    EXPECT_EQ(ask(client.query("SHOW work_mem")), "T D(1) C(SELECT 1) Z(I)");
}

TEST_F(SettingLost, IsNotCarriedWhenItsOutcomeIsUnknown) {
    session->send(client.query("SET work_mem=1").take());
    EXPECT_NE(lose().find("40003"), std::string::npos);
    EXPECT_FALSE(session->tracker.settings().contains("work_mem"));
    EXPECT_FALSE(session->tracker.dirty());
    works();
}

}  // namespace
}  // namespace leasehold::postgres::model
