// SPDX-License-Identifier: Apache-2.0
// One list of what drivers and pools take for a dead connection, against every error that leasehold can send.
#include "dialects/mysql/errors.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace leasehold::mysql {
namespace {

// SQLAlchemy 2.0, MySQL dialects; HikariCP 5, SQLExceptionOverride and its error codes.
constexpr int dead_numbers[] = {1927, 2006, 2013, 2014, 2045, 2055, 4031, 500150, 2399, 1105};
constexpr std::string_view dead_states[] = {"0A000", "57P01", "57P02", "57P03", "01002"};
constexpr std::string_view dead_words[] = {"already closed", "connection was killed", "not connected",
                                           "network operation failed"};

bool kills(const wire::Diagnostics& error) {
    std::string text = error.message + ". " + error.hint;
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::ranges::find(dead_numbers, error.number) != std::end(dead_numbers) ||
           error.sqlstate.starts_with("08") ||
           std::ranges::find(dead_states, error.sqlstate) != std::end(dead_states) ||
           std::ranges::any_of(dead_words, [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

TEST(MysqlErrors, AnErrorThatLetsTheSessionLiveIsNotTakenForItsEnd) {
    for (std::size_t i = 0; i < fault_count; ++i) {
        const auto fault = static_cast<Fault>(i);
        if (scope(fault) != Scope::lives) continue;
        EXPECT_FALSE(kills(failure(fault))) << failure(fault).message;
        EXPECT_FALSE(kills(failure(fault, "Connection was KILLED: gone away, already closed")))
            << failure(fault).message;
    }
}

TEST(MysqlErrors, WhoIsToldOfALossOrALimitIsToldWhatToDo) {
    for (const Fault fault : {Fault::no_such_pool, Fault::too_many_clients, Fault::too_many_clients_of_user,
                              Fault::pool_timeout_at_login, Fault::pool_timeout, Fault::server_unavailable,
                              Fault::authentication_failed, Fault::transaction_lost, Fault::outcome_unknown}) {
        EXPECT_FALSE(failure(fault).hint.empty()) << failure(fault).message;
    }
}

TEST(MysqlErrors, AnErrorThatEndsTheSessionIsTakenForItsEnd) {
    for (std::size_t i = 0; i < fault_count; ++i) {
        const auto fault = static_cast<Fault>(i);
        if (scope(fault) == Scope::ends) {
            EXPECT_TRUE(kills(failure(fault, "x"))) << failure(fault).message;
        }
    }
}

TEST(MysqlErrors, EveryFaultHasANumberAStateAndAText) {
    for (std::size_t i = 0; i < fault_count; ++i) {
        const wire::Diagnostics error = failure(static_cast<Fault>(i));
        EXPECT_GT(error.number, 1000);
        EXPECT_EQ(error.sqlstate.size(), 5u);
        EXPECT_FALSE(error.message.empty());
        EXPECT_NE(failure(static_cast<Fault>(i), "the-detail").message.find("the-detail"), std::string::npos);
    }
}

TEST(MysqlErrors, TheListInTheCodeKnowsTheListInTheTest) {
    for (const int number : dead_numbers) EXPECT_TRUE(reads_as_disconnect(number, "HY000", "")) << number;
    for (const std::string_view word : dead_words) EXPECT_TRUE(reads_as_disconnect(1, "HY000", word)) << word;
    EXPECT_TRUE(reads_as_disconnect(1, "08S01", ""));
    EXPECT_FALSE(reads_as_disconnect(1213, "40001", "transaction lost: backend died"));
}

TEST(MysqlErrors, TheAnswersOfTheLossTable) {
    EXPECT_EQ(failure(Fault::transaction_lost).number, 1213);
    EXPECT_EQ(failure(Fault::transaction_lost).sqlstate, "40001");
    EXPECT_EQ(failure(Fault::outcome_unknown).number, 1180);
    EXPECT_EQ(failure(Fault::outcome_unknown).sqlstate, "HY000");
    EXPECT_EQ(failure(Fault::state_lost).number, 1927);
    EXPECT_EQ(failure(Fault::pool_timeout).number, 1203);
    EXPECT_EQ(access_denied("bob", "10.1.2.3", true).message,
              "Access denied for user 'bob'@'10.1.2.3' (using password: YES)");
    EXPECT_EQ(access_denied("bob", "localhost", false).message,
              "Access denied for user 'bob'@'localhost' (using password: NO)");
}

}  // namespace
}  // namespace leasehold::mysql
