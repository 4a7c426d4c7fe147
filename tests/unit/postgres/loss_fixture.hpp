// SPDX-License-Identifier: Apache-2.0
// One session whose backend dies at a chosen moment.
#pragma once

#include "tests/unit/postgres/session_model.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres::model {

inline TrackerOptions options(wire::LeaseMode mode = wire::LeaseMode::transaction) {
    TrackerOptions all;
    all.mode = mode;
    for (const auto& [name, value] : Server().settings) all.parameters.emplace_back(name, value);
    return all;
}

inline const std::string gone = "the server went away";
inline const std::string lost_error = "E(E 40001 transaction lost: " + gone + ")";
inline const std::string aborted =
    "E(E 25P02 current transaction is aborted, commands ignored until end of transaction block)";

class Losing : public ::testing::Test {
  protected:
    void SetUp() override { open(options()); }
    void open(TrackerOptions with) {
        backends.clear();
        session = std::make_unique<Session>(std::move(with), [this] {
            backends.push_back(std::make_unique<Backend>(200));
            return backends.back().get();
        });
    }
    std::string ask(Client& of) {
        session->send(of.take());
        session->pump();
        return readable(session->received());
    }
    // What the client is told at once.
    std::string lose(wire::Aftermath expected = wire::Aftermath::lives, bool unwritten = false) {
        EXPECT_EQ(session->lose({wire::Loss::Kind::backend, "the server closed the connection", unwritten}), expected);
        EXPECT_FALSE(session->tracker.attached());
        const std::string told = readable(session->received());
        EXPECT_FALSE(expected == wire::Aftermath::lives && reads_as_disconnect("", told)) << told;
        return told;
    }
    void works() {
        EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::idle);
        EXPECT_EQ(ask(client.query("SELECT 9").parse("", "SELECT 8").bind("").execute().sync()),
                  "T D(SELECT 9) C(SELECT 1) Z(I) 1 2 D(SELECT 8) C(SELECT 1) Z(I)");
    }

    std::vector<std::unique_ptr<Backend>> backends;
    std::unique_ptr<Session> session;
    Client client;
};

}  // namespace leasehold::postgres::model
