// SPDX-License-Identifier: Apache-2.0
// What functions leave and no text tells: when the backend is asked, and what becomes of its answer.
#include "tests/unit/postgres/loss_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

// One session and two backends that it visits by turns; whole, and byte by byte.
class HiddenState : public ::testing::TestWithParam<std::size_t> {
  protected:
    void SetUp() override { open(0.01); }
    void open(double share, TrackerOptions with = options()) {
        functions = std::make_shared<wire::KnownFunctions>(share);
        with.functions = functions;
        first = std::make_unique<Backend>(200);
        second = std::make_unique<Backend>(200);
        session =
            std::make_unique<Session>(std::move(with), [this] { return ++turn % 2 == 0 ? first.get() : second.get(); });
        session->holds = [this] { return holds; };
        holds = {};
    }
    void ask(std::string_view sql) {
        session->send(client.query(sql).take(), GetParam());
        session->pump(GetParam());
        (void)session->received();
    }
    // It did: from now on the audit says so, once.
    void finds(std::string_view name, std::string_view value, bool reset = false) {
        session->holds = [this, set = FoundSetting{std::string(name), std::string(value), reset}]() mutable {
            Found found = holds;
            if (!set.name.empty()) found.settings.push_back(std::exchange(set, {}));
            return found;
        };
    }
    std::string pin() const { return std::string(session->tracker.pin()); }
    std::string leaks() const {
        std::string all;
        for (const wire::Leak& leak : session->tracker.take_leaks()) {
            all += (all.empty() ? "" : "; ") + leak.kind + "," + leak.what + "," + leak.function + "," + leak.statement;
        }
        return all;
    }

    std::shared_ptr<wire::KnownFunctions> functions;
    std::unique_ptr<Backend> first, second;
    int turn = 0;
    Found holds;
    std::unique_ptr<Session> session;
    Client client;
};
INSTANTIATE_TEST_SUITE_P(Steps, HiddenState, ::testing::Values(0u, 1u));

TEST_P(HiddenState, IsLookedForUntilAFunctionHasBeenCleanTwentyTimes) {
    for (std::size_t i = 1; i <= 20; ++i) {
        ask("SELECT f()");
        EXPECT_EQ(session->audits, i);
        EXPECT_TRUE(session->tracker.dirty()) << "what cannot be asked for";
        EXPECT_FALSE(session->tracker.attached());
    }
    for (int i = 1; i <= 99; ++i) {
        ask("SELECT f()");
        EXPECT_FALSE(session->tracker.dirty());
    }
    EXPECT_EQ(session->audits, 20u);
    ask("SELECT g()");
    EXPECT_EQ(session->audits, 21u) << "another function";
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 22u) << "by sample";
    EXPECT_EQ(leaks(), "");
}

// Another session's call may have made it: it is nobody's, and the backend is reset.
TEST_P(HiddenState, ThatASampleFindsIsTakenAway) {
    open(0.5);
    for (int i = 0; i < 21; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 20u);
    finds("work_mem", "5MB");
    holds.lock = true;
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 21u);
    EXPECT_EQ(pin(), "");
    EXPECT_TRUE(session->tracker.dirty());
    EXPECT_FALSE(session->tracker.settings().contains("work_mem"));
    EXPECT_EQ(leaks(), "setting,work_mem,f,SELECT f(); session advisory lock,,f,SELECT f()");
    finds("work_mem", "5MB");
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 22u) << "it is not trusted any more";
    EXPECT_EQ(session->tracker.settings().find("work_mem"), "5MB");
    EXPECT_EQ(pin(), "session advisory lock");
}

TEST_P(HiddenState, IsNotLookedForInTheSystemsOwnFunctions) {
    for (const char* sql : {"SELECT 1", "SELECT lower('A')", "BEGIN", "INSERT INTO t (a) VALUES (1)", "COMMIT"})
        ask(sql);
    EXPECT_EQ(session->audits, 0u);
    EXPECT_FALSE(session->tracker.dirty());
}

TEST_P(HiddenState, OfSettingsIsTheSessionsOwn) {
    finds("work_mem", "5MB");
    ask("SELECT f('it')");
    EXPECT_EQ(pin(), "");
    EXPECT_EQ(leaks(), "setting,work_mem,f,SELECT f(?)");
    EXPECT_EQ(session->tracker.settings().find("work_mem"), "5MB");
    EXPECT_EQ(second->lease.held.find("work_mem"), "5MB") << "it has it already";
    ask("SELECT 1");
    EXPECT_EQ(first->server.settings["work_mem"], "5MB") << "and the next is given it";
    ask("RESET work_mem");
    EXPECT_EQ(session->tracker.settings().find("work_mem"), std::nullopt);
    for (int i = 0; i < 20; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 21u) << "the one that left something does not count";
    EXPECT_EQ(leaks(), "");
}

// It may set once more what is set already, and that is not seen.
TEST_P(HiddenState, ThatIsKnownProvesNothing) {
    finds("a.b", "5");
    for (int i = 0; i < 30; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 30u);
    open(0.01);
    holds.temporary = true;
    ask("CREATE TEMP TABLE t (a int)");
    for (int i = 0; i < 30; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 31u);
}

TEST_P(HiddenState, GoesBackToWhatTheSessionBeganWith) {
    TrackerOptions with = options();
    with.startup.set("work_mem", "1MB");
    open(0.01, std::move(with));
    ask("SET work_mem = '2MB'");
    EXPECT_EQ(session->tracker.settings().find("work_mem"), "2MB");
    finds("work_mem", "4MB", true);
    ask("SELECT f()");
    EXPECT_EQ(session->tracker.settings().find("work_mem"), "1MB");
    EXPECT_EQ(leaks(), "setting,work_mem,f,SELECT f()");
}

TEST_P(HiddenState, ThatNoOtherBackendCanBeGivenPins) {
    for (const auto& [name, value] : {std::pair("temp_buffers", "1MB"), std::pair("idle_session_timeout", "5ms"),
                                      std::pair("statement_timeout", "5ms"), std::pair("a.b", "\xc3\xa9")}) {
        open(0.01);
        finds(name, value);
        ask("SELECT f()");
        EXPECT_EQ(pin(), std::string("SET ") + name);
        EXPECT_TRUE(session->tracker.dirty());
        EXPECT_EQ(session->tracker.pin_statement(), "SELECT f()");
        ask("SELECT 1");
        EXPECT_TRUE(session->tracker.attached());
    }
}

TEST_P(HiddenState, OfOtherKindsPinsUnderItsName) {
    holds.temporary = true;
    ask("SELECT f()");
    EXPECT_EQ(pin(), "temporary object");
    EXPECT_EQ(leaks(), "temporary object,,f,SELECT f()");
    holds.lock = true;
    ask("SELECT g(), s.h()");
    EXPECT_EQ(leaks(), "session advisory lock,,g, s.h,SELECT f()");
    ask("SELECT f()");
    EXPECT_EQ(leaks(), "") << "it is known";
    holds = {};
    ask("DROP TABLE t");
    EXPECT_EQ(pin(), "");
}

// What is announced by a text is no leak, what is not is one, whoever made it.
TEST_P(HiddenState, IsNoneThatATextHasTold) {
    holds.temporary = true;
    ask("CREATE TEMP TABLE t (a int)");
    EXPECT_EQ(leaks(), "");
    ask("SELECT f()");
    EXPECT_EQ(leaks(), "");
    holds.lock = true;
    ask("DO $$ x $$");
    EXPECT_EQ(leaks(), "session advisory lock,,DO,CREATE TEMP TABLE t (a int)");
}

TEST_P(HiddenState, WaitsForTheEndOfTheTransaction) {
    ask("BEGIN");
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 0u);
    ask("COMMIT");
    EXPECT_EQ(session->audits, 1u);
    EXPECT_EQ(pin(), "");
}

// What it did is gone: nothing is known of it.
TEST_P(HiddenState, ThatWasRolledBackProvesNothing) {
    for (int i = 0; i < 30; ++i) {
        ask("BEGIN");
        ask("SELECT f()");
        ask("ROLLBACK");
    }
    EXPECT_EQ(session->audits, 30u);
    for (int i = 0; i < 20; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 50u);
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 50u);
}

TEST_P(HiddenState, IsLookedForAnewWhenFunctionsAreReplaced) {
    for (int i = 0; i < 21; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 20u);
    ask("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 21u);
}

TEST_P(HiddenState, IsNotLookedForAnewBecauseOfTables) {
    for (int i = 0; i < 20; ++i) ask("SELECT f()");
    for (const char* sql : {"CREATE TABLE t (a int)", "CREATE TEMP TABLE u (a int)", "DROP TABLE u"}) ask(sql);
    session->audits = 0;
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 0u);
    ask("CREATE FUNCTION g() RETURNS text LANGUAGE sql AS '" + std::string(100'000, 'x') + "'");
    session->audits = 0;
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 1u);
}

TEST_P(HiddenState, IsLookedForInEachLeaseWhereThatIsAsked) {
    open(1);
    for (const char* sql : {"SELECT 1", "SELECT f()", "INSERT INTO t VALUES (1)"}) ask(sql);
    EXPECT_EQ(session->audits, 3u);
    session->send(client.parse("p", "SELECT 1").bind("p").execute().sync().take(), GetParam());
    session->pump(GetParam());
    EXPECT_EQ(session->audits, 4u);
    EXPECT_FALSE(session->tracker.dirty());
    holds.lock = true;
    ask("SELECT * FROM v");
    EXPECT_EQ(leaks(), "session advisory lock,,,SELECT * FROM v");
    EXPECT_EQ(pin(), "session advisory lock");
}

TEST_P(HiddenState, IsNeverLookedForWhereThatIsAsked) {
    open(0);
    for (const char* sql : {"SELECT f()", "SELECT 1"}) ask(sql);
    EXPECT_EQ(session->audits, 0u);
    ask("DO $$ x $$");
    EXPECT_EQ(session->audits, 1u) << "its text cannot be read at all";
}

TEST_P(HiddenState, IsLookedForWhereTheServerReportsWhatNobodySet) {
    for (int i = 0; i < 21; ++i) ask("SELECT f()");
    EXPECT_EQ(session->audits, 20u);
    // As if the statement had done it: the server reports it at its end.
    for (Backend* backend : {first.get(), second.get()}) backend->server.settings["DateStyle"] = "German, DMY";
    ask("SELECT f()");
    EXPECT_EQ(session->audits, 21u);
    EXPECT_EQ(leaks(), "setting,DateStyle,,SELECT f()");
}

// Nobody knows what it made: on a connection of its own the session would have ended too.
TEST_P(HiddenState, EndsItsSessionWithABackendThatDiesUnasked) {
    for (const char* sql : {"SELECT s.f()", "BEGIN; SELECT s.f(); COMMIT"}) {
        open(0.01);
        session->holds = nullptr;  // it is not asked
        ask(sql);
        EXPECT_EQ(pin(), "function");
        EXPECT_EQ(session->lose({wire::Loss::Kind::backend, "gone", false}), wire::Aftermath::ends);
        EXPECT_EQ(readable(session->received()),
                  "E(F 57P01 terminating connection: what s.f may have set, locked or made was lost: gone)");
    }
}

// Behind it stands a request whose outcome is not known.
TEST_P(HiddenState, EndsItsSessionWithABackendThatDiesInAPipeline) {
    session->holds = nullptr;
    session->send(client.parse("", "SELECT f()").bind("").execute().sync().take(), GetParam());
    session->pump(GetParam());
    session->send(client.query("SELECT 1").take(), GetParam());
    (void)session->received();
    EXPECT_EQ(session->lose({wire::Loss::Kind::backend, "gone", false}), wire::Aftermath::ends);
}

// What a transaction takes with it, what is trusted, and what nobody called may die with its backend.
TEST_P(HiddenState, LetsItsSessionLiveWhereNothingCanBeLost) {
    ask("BEGIN");
    ask("SELECT f()");
    EXPECT_EQ(session->lose({wire::Loss::Kind::backend, "gone", false}), wire::Aftermath::lives);
    EXPECT_EQ(pin(), "");
    open(0.5);
    for (int i = 0; i < 21; ++i) ask("SELECT f()");
    session->holds = nullptr;
    ask("SELECT f()");
    EXPECT_EQ(pin(), "function") << "by sample";
    EXPECT_EQ(session->lose({wire::Loss::Kind::backend, "gone", false}), wire::Aftermath::lives);
    open(1);
    session->holds = nullptr;
    ask("SELECT 1");
    EXPECT_EQ(pin(), "function") << "each lease is asked";
    EXPECT_EQ(session->lose({wire::Loss::Kind::backend, "gone", false}), wire::Aftermath::lives);
    ask("SELECT 1");
    EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::idle);
}

TEST_P(HiddenState, ThatABackendCannotTellOfPins) {
    session->holds = nullptr;
    ask("SELECT f()");
    session->tracker.audited(nullptr);
    EXPECT_EQ(pin(), "function");
    EXPECT_TRUE(session->tracker.dirty());
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::possible);
    ask("SELECT 1");
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::due);
}

TEST_P(HiddenState, IsLookedForBehindATextThatIsNotKeptWhole) {
    ask("SELECT f('" + std::string(100'000, 'x') + "')");
    EXPECT_EQ(session->audits, 1u);
}

}  // namespace
}  // namespace leasehold::postgres::model
