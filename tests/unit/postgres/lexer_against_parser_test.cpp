// SPDX-License-Identifier: Apache-2.0
// The lexer against PostgreSQL's own parser: statements of every kind and lexical traps, then what a seed makes of them.
#if __has_include(<pg_query.h>)

#include "tests/support/lexer_and_parser.hpp"
#include "tests/support/sql_corpus.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace leasehold::postgres {
namespace {

TEST(LexerAgainstParser, AgreesOnStatementsOfEveryKind) {
    for (const std::string_view sql : corpus::statements) {
        const std::string text = corpus::Maker::plain(sql);
        const auto parsed = parse(text);
        ASSERT_TRUE(parsed) << "the parser refuses: " << text;
        EXPECT_EQ(disagreement(*parsed, text), "") << text;
        for (const std::string& around :
             {" ;;" + text + ";", "/* ; */" + text + "; COMMIT", "SELECT 1;" + text + " -- ;\n;BEGIN"}) {
            const auto several = parse(around);
            ASSERT_TRUE(several) << around;
            EXPECT_EQ(disagreement(*several, around), "") << around;
        }
    }
}

// A lexer that misses something is noticed: the measure can fail.
TEST(LexerAgainstParser, NoticesWhatIsMissed) {
    const auto differs = [](const std::string& parsed, const std::string& scanned) {
        return !disagreement(*parse(parsed), scanned).empty();
    };
    EXPECT_TRUE(differs("SET xmloption = a", "SET xmlaption = a"));
    EXPECT_TRUE(differs("SET a.b_c_d_e = 1", "SET datestyle = 1"));
    EXPECT_TRUE(differs("SET a = 1", "SET LOCAL a = 1"));
    EXPECT_TRUE(differs("BEGIN;COMMIT", "BEGIN COMMIT"));
    EXPECT_TRUE(differs("BEGIN COMMIT", "BEGIN;COMMIT") || !parse("BEGIN COMMIT"));
    EXPECT_TRUE(differs("SELECT 1, ';'", "SELECT 1; ' '"));
    EXPECT_TRUE(differs("SELECT nextval('a')", "SELECT nextvax('a')"));
    EXPECT_TRUE(differs("SELECT mine(1)", "SELECT 1 ,(1) "));
    EXPECT_TRUE(differs("COMMIT AND CHAIN", "COMMIT          "));
    EXPECT_TRUE(differs("CREATE TEMP TABLE a ()", "CREATE TEMX TABLE a ()"));
    EXPECT_TRUE(differs("DEALLOCATE a", "DEALLOCATE b"));
    EXPECT_TRUE(differs("DECLARE a CURSOR WITH HOLD FOR SELECT 1", "DECLARE a CURSOR WITH HOLB FOR SELECT 1"));
    EXPECT_FALSE(differs("SELECT 1, lower(1)", "SELECT  nextval(1)"));  // more cautious
}

// Texts by seed: most of them are refused, what is left are the strange ones.
TEST(LexerAgainstParser, AgreesOnWhatASeedMakesOfThem) {
    const bool for_long = std::getenv("LEASEHOLD_LONG") != nullptr;
    const char* given = std::getenv("LEASEHOLD_SEED");
    const unsigned first = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : 1;
    const unsigned count = given != nullptr ? 1 : for_long ? 100'000 : 6'000;
    unsigned compared = 0, wrong = 0;
    for (unsigned seed = first; seed < first + count && wrong < 20; ++seed) {
        corpus::Maker maker(seed);
        const corpus::Text made = maker.make();
        const auto parsed = parse(made.text);
        if (!parsed) continue;
        ++compared;
        const std::string found = disagreement(*parsed, made.text);
        const std::string spelled = made.spelled.empty() ? "" : disagreement(*parsed, made.text, made.spelled);
        wrong += !found.empty() || !spelled.empty();
        EXPECT_EQ(found, "") << "LEASEHOLD_SEED=" << seed << "\n" << made.text;
        EXPECT_EQ(spelled, "") << "LEASEHOLD_SEED=" << seed << ", standard_conforming_strings off\n" << made.spelled;
    }
    if (given != nullptr) return;
    EXPECT_GT(compared, count / 3) << "the parser refuses too much for this to say anything";
}

}  // namespace
}  // namespace leasehold::postgres

#else

#include <gtest/gtest.h>

TEST(LexerAgainstParser, IsNotTestedHere) {
    GTEST_SKIP() << "libpg-query-dev is not installed: tests/support/install test";
}

#endif
