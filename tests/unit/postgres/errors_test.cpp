// SPDX-License-Identifier: Apache-2.0
// One list of what drivers and pools take for a dead connection, against every error that leasehold can send.
#include "dialects/postgres/errors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace leasehold::postgres {
namespace {

// Written down anew rather than taken from the code under test. Lower case.
constexpr std::array<std::string_view, 12> sqlalchemy{"terminating connection",
                                                      "closed the connection",
                                                      "connection not open",
                                                      "could not receive data from server",
                                                      "could not send data to server",
                                                      "connection already closed",
                                                      "cursor already closed",
                                                      "losed the connection unexpectedly",
                                                      "connection has been closed unexpectedly",
                                                      "ssl error: decryption failed or bad record mac",
                                                      "ssl syscall error",
                                                      "connection is closed"};

bool kills(const wire::Diagnostics& error) {
    std::string message = error.message + " " + error.detail + " " + error.hint;  // all of it is what drivers search
    std::transform(message.begin(), message.end(), message.begin(), [](unsigned char c) { return std::tolower(c); });
    const bool words = std::any_of(sqlalchemy.begin(), sqlalchemy.end(),
                                   [&](std::string_view word) { return message.find(word) != message.npos; });
    const std::string group = error.sqlstate.substr(0, 2);
    // HikariCP: 08*, 0A000, 57P01-03, 01002. pgjdbc's pooled connections: 08, 53, 58, XX; of these 53300 is what a
    // queue time-out must say, and pgjdbc asks for the class only when an error is FATAL.
    constexpr std::array<std::string_view, 5> states{"0A000", "57P01", "57P02", "57P03", "01002"};
    return words || group == "08" || group == "58" || group == "XX" ||
           std::find(states.begin(), states.end(), error.sqlstate) != states.end();
}

std::vector<Fault> all_faults() {
    std::vector<Fault> faults;
    for (std::size_t i = 0; i < fault_count; ++i) faults.push_back(static_cast<Fault>(i));
    return faults;
}

TEST(PostgresErrors, AnErrorAfterWhichTheSessionLivesKillsNoConnection) {
    for (const Fault fault : all_faults()) {
        if (scope(fault) != Scope::lives) continue;
        EXPECT_FALSE(kills(failure(fault))) << failure(fault).message;
        EXPECT_EQ(severity(fault), Severity::error);
        // What happened to a backend comes from the outside, in the very words that drivers look for.
        for (const std::string_view word : sqlalchemy) {
            for (const std::string& reason : {"server " + std::string(word), "FATAL: " + std::string(word) + " now",
                                              std::string(word) + std::string(word)}) {
                EXPECT_FALSE(kills(failure(fault, reason))) << failure(fault, reason).message;
            }
        }
        EXPECT_FALSE(kills(failure(fault, "Server Closed The Connection Unexpectedly")));
    }
}

TEST(PostgresErrors, SofteningCannotBeOutwittedByNesting) {
    EXPECT_FALSE(kills(failure(Fault::transaction_lost, "closed the closed the connectionconnection")));
    EXPECT_FALSE(kills(failure(Fault::transaction_lost, "connection is connection is closedclosed")));
    EXPECT_EQ(softened("disk full"), "disk full");
}

TEST(PostgresErrors, AnErrorThatEndsASessionIsTakenForItsEnd) {
    for (const Fault fault : all_faults()) {
        if (scope(fault) != Scope::ends) continue;
        EXPECT_EQ(severity(fault), Severity::fatal);
        EXPECT_TRUE(kills(failure(fault))) << failure(fault).message;
        EXPECT_TRUE(failure(fault, "x").message.starts_with("terminating connection")) << failure(fault, "x").message;
        EXPECT_TRUE(failure(fault).message.starts_with("terminating connection")) << failure(fault).message;
    }
}

TEST(PostgresErrors, AnUnknownOutcomeIsNotOneThatDriversRetryByThemselves) {
    // Npgsql's transient errors.
    constexpr std::array<std::string_view, 12> transient{"53000", "53100", "53200", "53300", "53400", "57P03",
                                                         "58000", "58030", "40001", "40P01", "55P03", "08007"};
    const std::string state = failure(Fault::outcome_unknown).sqlstate;
    EXPECT_EQ(std::find(transient.begin(), transient.end(), state), transient.end());
    EXPECT_EQ(failure(Fault::transaction_lost).sqlstate, "40001");
}

TEST(PostgresErrors, EveryFaultHasAStateAndAText) {
    for (const Fault fault : all_faults()) {
        EXPECT_EQ(sqlstate(fault).size(), 5u);
        EXPECT_FALSE(failure(fault).message.empty());
        EXPECT_FALSE(failure(fault).from_server);
        EXPECT_NE(failure(fault, "the-detail").message.find("the-detail"), std::string::npos);
    }
}

TEST(PostgresErrors, TextsAreThoseOfPostgres) {
    EXPECT_EQ(authentication_failed("bob").message, "password authentication failed for user \"bob\"");
    EXPECT_EQ(unknown_statement("s1").message, "prepared statement \"s1\" does not exist");
    EXPECT_EQ(unknown_statement("").message, "unnamed prepared statement does not exist");
    EXPECT_EQ(duplicate_statement("s1").message, "prepared statement \"s1\" already exists");
    EXPECT_EQ(transaction_aborted().message,
              "current transaction is aborted, commands ignored until end of transaction block");
}

TEST(PostgresErrors, TheListInTheCodeKnowsAllOfTheListInTheTest) {
    for (const std::string_view word : sqlalchemy) EXPECT_TRUE(reads_as_disconnect("42000", word)) << word;
    for (const std::string_view state : {"08006", "0A000", "57P01", "57P02", "57P03", "01002", "58030", "XX000"}) {
        EXPECT_TRUE(reads_as_disconnect(state, "")) << state;
    }
    EXPECT_FALSE(reads_as_disconnect("40001", "transaction lost: backend died"));
}

}  // namespace
}  // namespace leasehold::postgres
