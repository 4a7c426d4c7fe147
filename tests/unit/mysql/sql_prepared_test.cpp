// SPDX-License-Identifier: Apache-2.0
// Statements prepared in SQL: their names are a session's own on whatever backend it has.
#include "dialects/mysql/sql_prepared.hpp"
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;

class MysqlSqlPrepared : public testing::TestWithParam<bool> {
  protected:
    [[nodiscard]] static PlayedSession session() { return PlayedSession({}, GetParam()); }
    static void run(PlayedSession& s, std::string_view sql) {
        s.client(query(sql));
        s.server(ok(1));
    }
};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlSqlPrepared, testing::Bool());

TEST_P(MysqlSqlPrepared, GoWithTheirSession) {
    PlayedSession s = session();
    run(s, "PREPARE q FROM 'SELECT ''x'', ?'");
    EXPECT_FALSE(s.tracker.attached()) << "nothing keeps it";
    EXPECT_FALSE(s.backend->dirty);
    (void)s.take_backend();
    run(s, "EXECUTE q USING @a");
    EXPECT_EQ(s.take_backend(), query("EXECUTE q USING @a")) << "it is there";
    s.renew();
    s.client(query("EXECUTE Q USING @a"));
    EXPECT_EQ(s.take_backend(), query("PREPARE `q` FROM 'SELECT ''x'', ?'"));
    s.server(ok(1));
    EXPECT_EQ(s.take_backend(), query("EXECUTE Q USING @a"));
    (void)s.take_client();
    s.server(ok(1));
    EXPECT_EQ(s.take_client(), ok(1));
    EXPECT_FALSE(s.tracker.attached());
    run(s, "DEALLOCATE PREPARE q");
    s.renew();
    (void)s.take_backend();
    s.client(query("EXECUTE q"));
    EXPECT_EQ(s.take_backend(), query("EXECUTE q")) << "the server says that there is none";
}

TEST_P(MysqlSqlPrepared, OfAnotherSessionAreGivenUp) {
    PlayedSession s = session();
    ASSERT_TRUE(s.backend->sql_prepared.set("q", std::make_shared<const SqlText>(SqlText{"SELECT 1", "", nullptr})));
    s.client(query("EXECUTE q"));
    EXPECT_EQ(s.take_backend(), query("PREPARE `q` FROM 'DO 0'") + query("DEALLOCATE PREPARE `q`"));
    s.server(ok(1) + ok(1));
    EXPECT_EQ(s.take_backend(), query("EXECUTE q"));
    s.server(err(1, 1243));
    EXPECT_EQ(s.client_error(), 1243);
    // One's own takes the place of another's.
    ASSERT_TRUE(s.backend->sql_prepared.set("q", std::make_shared<const SqlText>(SqlText{"SELECT 1", "", nullptr})));
    run(s, "PREPARE q FROM 'SELECT 2'");
    (void)s.take_backend();
    run(s, "EXECUTE q");
    EXPECT_EQ(s.take_backend(), query("EXECUTE q"));
}

TEST_P(MysqlSqlPrepared, MeanWhatTheyMeantWhenTheyWerePrepared) {
    PlayedSession s = session();
    run(s, "SET sql_mode = 'ANSI'");
    run(s, "PREPARE q FROM 'SELECT \"items\".id FROM items'");
    run(s, "SET sql_mode = ''");
    s.renew();
    (void)s.take_backend();
    s.client(query("EXECUTE q"));
    const std::string sent = readable(s.take_backend());
    const std::size_t there = sent.find("sql_mode='ANSI'"), at = sent.find("PREPARE `q`"),
                      back = sent.find("sql_mode=''");
    EXPECT_LT(there, at);
    EXPECT_LT(at, back);
    EXPECT_NE(back, std::string::npos);
}

TEST_P(MysqlSqlPrepared, WhatCannotBePreparedAgainIsTheAnswer) {
    PlayedSession s = session();
    run(s, "PREPARE q FROM 'SELECT * FROM t'");
    s.renew();
    s.client(query("EXECUTE q"));
    s.server(err(1, 1146));
    EXPECT_EQ(s.client_error(), 1146);
    EXPECT_FALSE(s.tracker.attached());
    (void)s.take_backend();
    s.client(query("EXECUTE q"));
    EXPECT_EQ(s.take_backend(), query("PREPARE `q` FROM 'SELECT * FROM t'")) << "the table may be there again";
}

TEST_P(MysqlSqlPrepared, AFailedPrepareTakesTheOldOneAlong) {
    PlayedSession s = session();
    run(s, "PREPARE q FROM 'SELECT 1'");
    s.client(query("PREPARE q FROM 'SELEC 1'"));
    s.server(err(1, 1064));
    s.renew();
    (void)s.take_backend();
    s.client(query("EXECUTE q"));
    EXPECT_EQ(s.take_backend(), query("EXECUTE q"));
}

TEST_P(MysqlSqlPrepared, PinWhereTheyCannotBeSaidAgain) {
    for (const char* sql :
         {"PREPARE q FROM @text", "PREPARE q FROM 'SELECT ''\\\\\\\\'''", "PREPARE `\u00e4` FROM 'SELECT 1'"}) {
        PlayedSession s = session();
        run(s, sql);
        EXPECT_EQ(s.tracker.pin(), "SQL PREPARE") << sql;
        EXPECT_TRUE(s.backend->dirty) << sql;
    }
    PlayedSession many = session();
    for (std::size_t i = 0; i <= SqlPrepared::most; ++i)
        run(many, "PREPARE q" + std::to_string(i) + " FROM 'SELECT 1'");
    EXPECT_EQ(many.tracker.pin(), "SQL PREPARE");
}

TEST_P(MysqlSqlPrepared, EndWithAReset) {
    PlayedSession s = session();
    run(s, "PREPARE q FROM 'SELECT 1'");
    s.client(command(31));
    s.renew();
    (void)s.take_backend();
    s.client(query("EXECUTE q"));
    EXPECT_EQ(s.take_backend(), query("EXECUTE q"));
}

TEST(MysqlSqlPreparedValue, TextsAreSaidAgainInAnyMode) {
    EXPECT_EQ(prepare_statement("q", "SELECT 'a', \"b\""), "PREPARE `q` FROM 'SELECT ''a'', \"b\"'");
    EXPECT_TRUE(is_carried("q_1$", "SELECT 1"));
    EXPECT_FALSE(is_carried("q", "SELECT '\\'"));
    EXPECT_FALSE(is_carried("Q", "SELECT 1")) << "names are folded";
    EXPECT_FALSE(is_carried("", "SELECT 1"));
    EXPECT_FALSE(is_carried("q", ""));
    SqlPrepared held;
    const auto big = std::make_shared<const SqlText>(SqlText{std::string(SqlPrepared::most_bytes, 'x'), "", nullptr});
    EXPECT_TRUE(held.set("a", big));
    EXPECT_FALSE(held.set("b", std::make_shared<const SqlText>(SqlText{"x", "", nullptr})));
    EXPECT_TRUE(held.set("a", nullptr)) << "in its place";
    EXPECT_TRUE(held.holds("a"));
    EXPECT_EQ(held.text("a"), nullptr);
}

}  // namespace
}  // namespace leasehold::mysql
