// SPDX-License-Identifier: Apache-2.0
// One session of which the tests of the tracker look at every message.
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

// One session and two backends that it visits by turns.
class Tracking : public ::testing::Test {
  protected:
    void open(TrackerOptions with) {
        session = std::make_unique<Session>(std::move(with), [this] { return choose(); });
    }
    void SetUp() override { open(options()); }
    Backend* choose() {
        if (!available) return nullptr;
        turn = 1 - turn;
        return turn == 0 ? &first : &second;
    }
    std::string ask(const Raw& bytes, std::size_t step = 0) {
        session->send(bytes, step);
        session->pump(step);
        return readable(session->received());
    }
    std::string ask(Client& of, std::size_t step = 0) { return ask(of.take(), step); }

    Backend first{200}, second{200};
    int turn = 1;
    bool available = true;
    std::unique_ptr<Session> session;
    Client client;
};

}  // namespace leasehold::postgres::model
