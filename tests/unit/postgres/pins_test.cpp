// SPDX-License-Identifier: Apache-2.0
// Pins: what begins one, when the backend is asked, and what its answer ends.
#include "tests/unit/postgres/loss_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

// One session and two backends that it visits by turns; whole, and byte by byte.
class Pinning : public ::testing::TestWithParam<std::size_t> {
  protected:
    void SetUp() override { open(options()); }
    void open(TrackerOptions with) {
        session = std::make_unique<Session>(std::move(with), [this] { return ++turn % 2 == 0 ? &first : &second; });
        session->holds = [this] { return holds; };
        holds = {};
    }
    void ask(std::string_view sql) {
        session->send(client.query(sql).take(), GetParam());
        session->pump(GetParam());
        (void)session->received();
    }
    std::string pin() const { return std::string(session->tracker.pin()); }

    Backend first{200}, second{200};
    int turn = 0;
    Found holds;
    std::unique_ptr<Session> session;
    Client client;
};
INSTANTIATE_TEST_SUITE_P(Steps, Pinning, ::testing::Values(0u, 1u));

TEST_P(Pinning, LastsAsLongAsTheBackendHoldsTheState) {
    struct Case {
        std::string_view begins, ends, reason;
        bool Found::*state;
    };
    const Case cases[] = {
        {"CREATE TEMP TABLE t (a int)", "DROP TABLE t", "temporary object", &Found::temporary},
        {"SELECT 1 INTO TEMP t", "DISCARD TEMP", "temporary object", &Found::temporary},
        {"SELECT pg_advisory_lock(1)", "SELECT pg_advisory_unlock(1)", "session advisory lock", &Found::lock},
        {"SELECT pg_try_advisory_lock(1)", "SELECT pg_advisory_unlock_all()", "session advisory lock", &Found::lock},
        {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE c", "cursor WITH HOLD", &Found::cursor},
        {"PREPARE nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn AS SELECT 1",
         "DEALLOCATE nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "PREPARE", &Found::prepared},
        {"LISTEN a", "UNLISTEN *", "LISTEN", &Found::listens},
    };
    for (const Case& is : cases) {
        SCOPED_TRACE(is.begins);
        open(options());
        holds.*is.state = true;
        ask(is.begins);
        EXPECT_EQ(pin(), is.reason);
        EXPECT_EQ(session->audits, 1u);
        EXPECT_NE(session->tracker.pin_statement(), "");
        ask("SELECT 1");
        EXPECT_EQ(session->audits, 1u) << "nothing has changed";
        EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::possible);
        EXPECT_TRUE(session->tracker.dirty());
        ask(is.ends);  // not the last: counted, or another one is left
        EXPECT_EQ(pin(), is.reason);
        EXPECT_EQ(session->audits, 2u);
        holds = {};
        ask(is.ends);
        EXPECT_EQ(pin(), "");
        EXPECT_FALSE(session->tracker.attached());
        EXPECT_FALSE(session->tracker.dirty());
        EXPECT_EQ(session->leases, 1u);
        ask("SELECT 1");
        EXPECT_EQ(session->leases, 2u);
        EXPECT_EQ(session->audits, 3u);
    }
}

TEST_P(Pinning, IsNoneWhereNothingWasMade) {
    for (const char* sql : {"CREATE TEMP TABLE t (a int)", "SELECT pg_try_advisory_lock(1)",
                            "PREPARE nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn AS SELECT 1"}) {
        open(options());
        ask(sql);
        EXPECT_EQ(pin(), "");
        EXPECT_FALSE(session->tracker.attached()) << sql;
    }
}

TEST_P(Pinning, AsksAtTheEndOfTheTransaction) {
    holds.temporary = true;
    ask("BEGIN");
    ask("CREATE TEMP TABLE t (a int) ON COMMIT DROP");
    EXPECT_EQ(session->audits, 0u);
    EXPECT_EQ(pin(), "temporary object");
    EXPECT_EQ(session->tracker.pin_statement(), "CREATE TEMP TABLE t (a int) ON COMMIT DROP");
    holds = {};
    ask("COMMIT");
    EXPECT_EQ(session->audits, 1u);
    EXPECT_EQ(pin(), "");
}

TEST_P(Pinning, AsksAfterTextsThatNobodyReads) {
    for (const char* sql : {"DO x", "CALL p()"}) {
        open(options());
        ask(sql);
        EXPECT_EQ(session->audits, 1u);
        EXPECT_EQ(pin(), "");
        EXPECT_TRUE(session->tracker.dirty()) << "what it set was not asked for";
        holds.lock = holds.temporary = true;
        ask(sql);
        EXPECT_EQ(pin(), "temporary object");
        holds.temporary = false;
        ask("DROP TABLE t");
        EXPECT_EQ(pin(), "session advisory lock");
        holds = {};
        ask("SELECT pg_advisory_unlock(1)");
        EXPECT_EQ(pin(), "");
        EXPECT_TRUE(session->tracker.dirty());
    }
}

TEST_P(Pinning, MasksTheStatementThatMadeIt) {
    holds.lock = true;
    ask("SELECT pg_advisory_lock(4711), 'secret'");
    EXPECT_EQ(session->tracker.pin_statement(), "SELECT pg_advisory_lock(?), ?");
    ask("SELECT 1");
    EXPECT_EQ(session->tracker.pin_statement(), "SELECT pg_advisory_lock(?), ?");
}

TEST_P(Pinning, StaysWhereTheBackendCannotTell) {
    for (const char* sql : {"SELECT currval('s')", "LOAD 'x'", "SELECT set_config('work_mem', current_user, false)"}) {
        open(options());
        ask(sql);
        const std::string before = pin();
        EXPECT_NE(before, "");
        ask("DROP TABLE t");
        EXPECT_EQ(pin(), before);
        EXPECT_EQ(session->audits, 0u);
        EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::useless);
        ask("DISCARD ALL");
        EXPECT_EQ(pin(), "");
    }
}

TEST_P(Pinning, StaysWhereTablesAreTemporaryUnseen) {
    TrackerOptions with = options();
    with.startup.set("search_path", "pg_temp");
    open(with);
    ask("SELECT 1");
    ask("DROP TABLE t");
    EXPECT_EQ(pin(), "temporary object");
    EXPECT_EQ(session->audits, 0u);
    open(options());
    ask("SET search_path = pg_temp");
    ask("DROP TABLE t");
    EXPECT_NE(pin(), "");
    EXPECT_EQ(session->audits, 0u);
}

TEST_P(Pinning, IsHadByHand) {
    ask("/* leasehold: pin */ SELECT 1");
    EXPECT_EQ(pin(), "by hand");
    ask("SELECT 2");
    ask("DROP TABLE t");
    EXPECT_EQ(session->audits, 0u);
    EXPECT_EQ(session->leases, 1u);
    ask("/*leasehold:unpin*/ SELECT 3");
    EXPECT_EQ(pin(), "");
    EXPECT_FALSE(session->tracker.attached());
    EXPECT_FALSE(session->tracker.dirty());
    session->send(client.parse("a", "/* leasehold: pin */ SELECT 1").sync().take(), GetParam());
    session->pump(GetParam());
    EXPECT_EQ(pin(), "") << "prepared, not run";
    session->send(client.bind("a").execute().sync().take(), GetParam());
    session->pump(GetParam());
    EXPECT_EQ(pin(), "by hand");
}

TEST_P(Pinning, ByHandDoesNotEndWhatStatePins) {
    holds.temporary = true;
    ask("/* leasehold: pin */ CREATE TEMP TABLE t (a int)");
    EXPECT_EQ(pin(), "by hand");
    ask("/* leasehold: unpin */ SELECT 1");
    EXPECT_EQ(pin(), "temporary object");
    EXPECT_EQ(session->audits, 1u);
    ask("/* leasehold: unpin */ SELECT 1");
    EXPECT_EQ(pin(), "temporary object");
    holds = {};
    ask("DROP TABLE t");
    EXPECT_EQ(pin(), "");
}

TEST_P(Pinning, NoOtherCommentIsAHint) {
    for (const char* sql : {"/* leasehold pin */ SELECT 1", "/* leasehold: pinned */ SELECT 1", "/* leasehold: pin",
                            "SELECT '/* leasehold: pin */'", "/*", "/* leasehold:", "-- leasehold: pin\nSELECT 1"}) {
        ask(sql);
        EXPECT_EQ(pin(), "") << sql;
    }
}

TEST_P(Pinning, AsksAgainWhereTheBackendCouldNotSay) {
    session->holds = {};
    ask("CREATE TEMP TABLE t (a int)");
    ASSERT_EQ(session->tracker.audit(), wire::Tracker::Audit::due);
    session->tracker.audited(nullptr);
    EXPECT_EQ(pin(), "temporary object");
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::possible);
    ask("SELECT 1");
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::due);
}

TEST_P(Pinning, AsksNobodyInTheMiddleOfAMessage) {
    holds.listens = true;
    ask("LISTEN a");
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::possible);
    Raw all{'A', 0, 0, 0x80, 0};  // a notification that is too long to be waited for
    all.resize(1 + 0x8000);
    wire::Outbox to_client, to_backend;
    (void)session->tracker.from_backend(Bytes(all).first(8), to_client, to_backend);
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::useless);
    (void)session->tracker.from_backend(Bytes(all).subspan(8), to_client, to_backend);
    EXPECT_EQ(session->tracker.audit(), wire::Tracker::Audit::possible);
}

using PinLost = Losing;

TEST_F(PinLost, TellsWhatWasLostUnlessItsTransactionMadeIt) {
    session->holds = [] { return Found{.lock = true}; };
    ask(client.query("SELECT pg_advisory_lock(1)"));
    EXPECT_NE(lose(wire::Aftermath::ends).find("57P01 terminating connection: session advisory lock was lost"),
              std::string::npos);
    open(options());
    session->holds = [] { return Found{}; };
    ask(client.query("SELECT pg_advisory_lock(1), pg_advisory_unlock(1)"));
    works();
}

}  // namespace
}  // namespace leasehold::postgres::model
