// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/console.hpp"

#include "daemon/logging.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

class ConsoleTest : public testing::Test {
  protected:
    ConsoleTest() {
        tables.add({"POOLS",
                    {{"database"}, {"size", dialects::Column::Type::integer}},
                    Permission::read,
                    "pools",
                    [this](Done done) {
                        ++gathered;
                        if (hold) {
                            held = std::move(done);
                        } else {
                            done({{"orders", "5"}, {"stock", std::nullopt}});
                        }
                    }});
        tables.add({"SECRETS", {{"secret"}}, Permission::administer, "", [this](const Done& done) {
                        ++gathered;
                        done({});
                    }});
        console.add({"PAUSE", "[pool]", Permission::administer, "no new lease",
                     [this](const Caller&, std::vector<Token> arguments, const Reply& reply) {
                         paused = std::move(arguments);
                         reply(Answer::done("PAUSE"));
                     }});
        console.add({"BREAK", "", Permission::read, "", [](const Caller&, std::vector<Token>, const Reply&) {
                         throw std::runtime_error("out of order");
                     }});
        console.add({"TWICE", "", Permission::read, "", [](const Caller&, std::vector<Token>, const Reply& reply) {
                         reply(Answer::done("ONE"));
                         reply(Answer::done("TWO"));
                     }});
    }
    Answer ask(std::string_view text, Permission permission = Permission::administer) {
        std::optional<Answer> got;
        int replies = 0;
        console.execute(text, permission, [&](Answer answer) {
            ++replies;
            got = std::move(answer);
        });
        EXPECT_EQ(replies, 1) << text;
        return got ? *got : Answer::failed("none", 0, "no reply");
    }
    std::string tag(std::string_view text) {
        const Answer answer = ask(text);
        return answer.error ? answer.error->sqlstate + ' ' + answer.error->message : answer.result.tag;
    }
    std::string value(std::string_view text) {
        const Answer answer = ask(text);
        if (answer.error || answer.result.rows.size() != 1 || answer.result.rows[0].size() != 1) return "no value";
        return answer.result.rows[0][0].value_or("NULL");
    }
    bool hold = false;
    Done held;
    int gathered = 0;
    std::optional<std::vector<Token>> paused;
    Tables tables;
    Console console{tables};
};

TEST_F(ConsoleTest, ShowsARegisteredTable) {
    const Answer answer = ask("SHOW POOLS");
    ASSERT_FALSE(answer.error);
    ASSERT_EQ(answer.result.columns.size(), 2u);
    EXPECT_EQ(answer.result.columns[1].name, "size");
    EXPECT_EQ(answer.result.rows, (Rows{{"orders", "5"}, {"stock", std::nullopt}}));
    EXPECT_EQ(answer.result.tag, "SHOW");
}

TEST_F(ConsoleTest, ReadsCommandsAsPeopleTypeThem) {
    for (const char* text :
         {"show pools", "Show Pools;", "  SHOW\n\tPOOLS ; ; ", "/* who */ SHOW -- now\n pools",
          "show /* a /* nested */ one */ pools;", "show pools -- the end", "# hm\nshow pools", "show \"pools\""}) {
        const Answer answer = ask(text);
        EXPECT_FALSE(answer.error) << text;
        EXPECT_EQ(answer.result.rows.size(), 2u) << text;
    }
}

TEST_F(ConsoleTest, WaitsForATableThatIsGatheredLater) {
    hold = true;
    int replies = 0;
    console.execute("SHOW POOLS", Permission::read, [&](const Answer&) { ++replies; });
    EXPECT_EQ(replies, 0);
    held({});
    EXPECT_EQ(replies, 1);
    held({});
    EXPECT_EQ(replies, 1);
}

TEST_F(ConsoleTest, NamesTheTablesWhenItKnowsNoSuchOne) {
    const Answer answer = ask("SHOW POOOLS");
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->sqlstate, "42601");
    EXPECT_EQ(answer.error->number, 1064);
    EXPECT_EQ(answer.error->message,
              "SHOW knows no table \"POOOLS\": did you mean POOLS? There are: HELP, POOLS, SECRETS, TABLES, VERSION");
    EXPECT_EQ(ask("SHOW").error->sqlstate, "42601");
    EXPECT_EQ(ask("SHOW POOLS please").error->sqlstate, "42601");
}

TEST_F(ConsoleTest, NamesTheCommandsWhenItKnowsNoSuchOne) {
    const Answer answer = ask("FROBNICATE all");
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->sqlstate, "42601");
    EXPECT_EQ(answer.error->message,
              "unknown command \"FROBNICATE\"; there are: SHOW, BREAK, PAUSE, TWICE. SHOW HELP explains them");
    EXPECT_TRUE(ask("SELECT * FROM accounts").error);
    EXPECT_TRUE(ask("'SHOW' POOLS").error);
    EXPECT_LT(ask(std::string(1000000, 'x')).error->message.size(), 300u);
}

TEST_F(ConsoleTest, LetsReadersReadAndNoMore) {
    EXPECT_FALSE(ask("SHOW POOLS", Permission::read).error);
    EXPECT_EQ(ask("SHOW SECRETS", Permission::read).error->sqlstate, "42501");
    EXPECT_EQ(ask("SHOW SECRETS", Permission::read).error->number, 1227);
    EXPECT_EQ(ask("PAUSE orders", Permission::read).error->sqlstate, "42501");
    EXPECT_EQ(gathered, 1);
    EXPECT_FALSE(paused);
    EXPECT_FALSE(ask("SHOW SECRETS", Permission::administer).error);
}

TEST_F(ConsoleTest, GivesACommandItsArguments) {
    EXPECT_EQ(tag("pause \"Or\"\"ders\" it's' , 5;"), "PAUSE");
    ASSERT_TRUE(paused);
    ASSERT_EQ(paused->size(), 5u);
    EXPECT_EQ((*paused)[0].text, "Or\"ders");
    EXPECT_EQ((*paused)[0].kind, Token::Kind::quoted);
    EXPECT_EQ((*paused)[1].text, "it");
    EXPECT_EQ((*paused)[2].text, "s");
    EXPECT_EQ((*paused)[3].kind, Token::Kind::symbol);
    EXPECT_EQ((*paused)[4].text, "5");
}

TEST_F(ConsoleTest, TakesOneCommandAtATime) {
    EXPECT_EQ(tag("PAUSE; PAUSE"), "42601 one command at a time, please");
    EXPECT_FALSE(paused);
}

TEST_F(ConsoleTest, RefusesWhatHasNoEnd) {
    for (const char* text : {"SHOW 'POOLS", "SHOW \"POOLS", "/* SHOW POOLS", "SHOW POOLS /*", "/*/"}) {
        EXPECT_EQ(tag(text), "42601 a quote or comment has no end") << text;
    }
}

TEST_F(ConsoleTest, AnswersNothingWithNothing) {
    for (const char* text : {"", ";", " ;; ", "-- nothing", "/* nothing */"}) {
        const Answer answer = ask(text);
        EXPECT_FALSE(answer.error) << text;
        EXPECT_TRUE(answer.result.tag.empty()) << text;
        EXPECT_TRUE(answer.result.columns.empty()) << text;
    }
}

TEST_F(ConsoleTest, SurvivesACommandThatThrows) {
    CapturedLog log;
    const Answer answer = ask("BREAK");
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->sqlstate, "XX000");
    EXPECT_EQ(log.lines(),
              (std::vector<std::string>{"error event=console_failed command=BREAK reason=\"out of order\""}));
}

TEST_F(ConsoleTest, RepliesOnceToACommandThatAnswersTwice) { EXPECT_EQ(tag("TWICE"), "ONE"); }

TEST_F(ConsoleTest, KnowsItsVersion) { EXPECT_EQ(value("SHOW VERSION"), "leasehold " LEASEHOLD_VERSION); }

TEST_F(ConsoleTest, HelpListsTablesAndCommandsWithWhoMayUseThem) {
    const Rows rows = ask("SHOW HELP", Permission::read).result.rows;
    const auto has = [&](const Row& row) { return std::find(rows.begin(), rows.end(), row) != rows.end(); };
    EXPECT_TRUE(has({"SHOW POOLS", "read", "pools"}));
    EXPECT_TRUE(has({"PAUSE [pool]", "administer", "no new lease"}));
    EXPECT_EQ(rows.size(), 8u);
}

TEST_F(ConsoleTest, ListsTheColumnsOfEveryTable) {
    const Rows rows = ask("SHOW TABLES", Permission::read).result.rows;
    EXPECT_NE(std::find(rows.begin(), rows.end(), Row{"POOLS", "read", "database, size"}), rows.end());
}

TEST_F(ConsoleTest, AnswersWhatDriversSayWhenTheyConnect) {
    EXPECT_EQ(tag("SET DateStyle TO 'ISO'"), "SET");
    EXPECT_EQ(tag("set names utf8mb4"), "SET");
    EXPECT_EQ(tag("BEGIN"), "BEGIN");
    EXPECT_EQ(tag("BEGIN ISOLATION LEVEL READ COMMITTED;"), "BEGIN");
    EXPECT_EQ(tag("START TRANSACTION"), "START TRANSACTION");
    EXPECT_EQ(tag("COMMIT"), "COMMIT");
    EXPECT_EQ(tag("rollback"), "ROLLBACK");
    EXPECT_EQ(tag("DISCARD ALL"), "DISCARD ALL");
    EXPECT_EQ(tag("DEALLOCATE \"x\""), "DEALLOCATE ALL");
    EXPECT_EQ(value("SELECT 1"), "1");
    EXPECT_TRUE(value("select version()").starts_with("PostgreSQL 15.0 (leasehold "));
    EXPECT_TRUE(value("SELECT pg_catalog.version();").starts_with("PostgreSQL 15.0 (leasehold "));
    EXPECT_EQ(value("select current_schema()"), "public");
    EXPECT_EQ(value("SHOW transaction isolation level"), "read committed");
    EXPECT_EQ(value("show standard_conforming_strings"), "on");
}

TEST_F(ConsoleTest, LetsNoTwoCommandsShareAName) {
    const auto nothing = [](const Caller&, std::vector<Token>, const Reply&) {};
    EXPECT_THROW(console.add({"pause", "", Permission::read, "", nothing}), std::logic_error);
    EXPECT_THROW(console.add({"SHOW", "", Permission::read, "", nothing}), std::logic_error);
}

TEST_F(ConsoleTest, SurvivesAnyBytes) {
    std::uint32_t seed = 12345;
    constexpr std::string_view alphabet = "SHOWpools '\"`;-/*#\\\n\xff@(),1";
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        for (int i = 0; i < 24; ++i) {
            seed = seed * 1664525u + 1013904223u;
            text += alphabet[(seed >> 16) % alphabet.size()];
        }
        (void)ask(text);
    }
}

TEST_F(ConsoleTest, SeveralStatementsAtOnceAreFineWhereNoneHasAnEffect) {
    EXPECT_EQ(tag("SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;"), "RESET");
    EXPECT_EQ(tag("RESET ALL; PAUSE"), "42601 one command at a time, please");
    EXPECT_EQ(tag("PAUSE; RESET ALL"), "42601 one command at a time, please");
    EXPECT_FALSE(paused);
    EXPECT_EQ(tag("; ; RESET ALL"), "RESET");
}

TEST_F(ConsoleTest, DescribingGivesTheColumnsAndCarriesNothingOut) {
    EXPECT_EQ(console.describe("SHOW POOLS;").columns.size(), 2u);
    EXPECT_EQ(console.describe("show version").columns.size(), 1u);
    EXPECT_EQ(console.describe("SELECT 1").columns.size(), 1u);
    for (const char* text : {"PAUSE orders", "BREAK", "nonsense", "", ";", "'no end", "BEGIN"})
        EXPECT_TRUE(console.describe(text).columns.empty()) << text;
    EXPECT_EQ(gathered, 0);
    EXPECT_FALSE(paused);
}

TEST_F(ConsoleTest, ACommandIsToldWhoCalls) {
    console.add({"WHO", "", Permission::read, "", [](const Caller& caller, std::vector<Token>, const Reply& reply) {
                     reply(Answer::done(caller.name + " " + std::to_string(caller.session)));
                 }});
    Caller caller;
    caller.name = "operator@192.0.2.7:5012";
    caller.session = 17;
    std::string tag;
    console.execute("WHO", caller, [&](const Answer& answer) { tag = answer.result.tag; });
    EXPECT_EQ(tag, "operator@192.0.2.7:5012 17");
}

}  // namespace
}  // namespace leasehold::daemon::admin
