// SPDX-License-Identifier: Apache-2.0
// What must hold whatever comes: from clients and servers that send garbage, and from backends that die at any moment.
#include "tests/unit/postgres/session_model.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres::model {
namespace {

TrackerOptions options() {
    TrackerOptions all;
    for (const auto& [name, value] : Server().settings) all.parameters.emplace_back(name, value);
    return all;
}

// Messages of every type with bodies that are right, cut or scrambled.
Raw scrambled(std::mt19937& random, std::string_view types) {
    wire::Writer out;
    const std::size_t count = 1 + random() % 6;
    for (std::size_t i = 0; i < count; ++i) {
        const char type = types[random() % types.size()];
        const std::size_t size = random() % 4 == 0 ? random() % 400 : random() % 12;
        std::string body;
        for (std::size_t j = 0; j < size; ++j) body += "\0\0SPE1aTCZIsELECT begin;'$"[random() % 25];
        if (random() % 2 == 0) body += '\0';
        const bool lies = random() % 40 == 0;
        out.u8(static_cast<std::uint8_t>(type));
        out.u32be(static_cast<std::uint32_t>(body.size() + 4 + (lies ? random() % 9 : 0)));
        out.text(body);
    }
    return {out.bytes().begin(), out.bytes().end()};
}

TEST(TrackerFuzz, SurvivesAnythingFromEitherSide) {
    for (std::uint32_t seed = 1; seed <= 3000; ++seed) {
        std::mt19937 random(seed);
        Tracker tracker(options());
        Backend backend(2);
        wire::Inbox client, server;
        wire::Outbox to_client, to_backend;
        for (int step = 0; step < 40; ++step) {
            wire::Verdict verdict;
            if (random() % 2 == 0 || !tracker.attached()) {
                client.append(scrambled(random, "QPBDECSHFdcfXSSSQ"));
                const Raw all(client.bytes().begin(), client.bytes().end());
                verdict = tracker.from_client(all, to_backend, to_client);
                ASSERT_LE(verdict.consumed, all.size()) << "seed " << seed;
                client.consume(verdict.consumed);
            } else {
                server.append(scrambled(random, "123tTnDCIsGHdcVNASEZZZ"));
                const Raw all(server.bytes().begin(), server.bytes().end());
                verdict = tracker.from_backend(all, to_client, to_backend);
                ASSERT_LE(verdict.consumed, all.size()) << "seed " << seed;
                server.consume(verdict.consumed);
            }
            to_client.clear();
            to_backend.clear();
            if (verdict.kind == wire::Verdict::Kind::lease) {
                if (random() % 8 == 0) {
                    (void)tracker.refuse(failure(Fault::pool_timeout), to_client);
                } else {
                    tracker.attach(backend.lease);
                }
            }
            if (verdict.kind == wire::Verdict::Kind::boundary && tracker.pin().empty()) tracker.detach();
            if (verdict.kind == wire::Verdict::Kind::fatal || verdict.kind == wire::Verdict::Kind::close) break;
            if (verdict.kind == wire::Verdict::Kind::lost || random() % 30 == 0) {
                server.release();
                if (tracker.lose({}, to_client) == wire::Aftermath::ends) break;
            }
            (void)tracker.transcript(false);
            (void)tracker.status();
        }
    }
}

std::size_t readies(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("Z("); at != std::string::npos; at = text.find("Z(", at + 1)) ++count;
    return count;
}

TEST(TrackerFuzz, AnswersEachQueryAndSyncOnceHoweverOftenBackendsDie) {
    for (std::uint32_t seed = 1; seed <= 400; ++seed) {
        std::mt19937 random(seed);
        std::vector<std::unique_ptr<Backend>> backends;
        Session session(options(), [&] {
            backends.push_back(std::make_unique<Backend>(3));
            return backends.back().get();
        });
        const char* const sql[] = {
            "BEGIN", "COMMIT", "ROLLBACK", "SELECT 1", "INSERT", "ERR", "SELECT 2; SELECT 3", "", "BEGIN; INSERT"};
        const char* const names[] = {"", "a", "b"};
        std::size_t requests = 0;
        std::string got;
        for (int step = 0; step < 40; ++step) {
            Client client;
            const std::size_t count = 1 + random() % 3;
            for (std::size_t i = 0; i < count; ++i, ++requests) {
                if (random() % 2 == 0) {
                    client.query(sql[random() % 9]);
                    continue;
                }
                for (std::size_t j = random() % 4; j > 0; --j) {
                    const std::string name = names[random() % 3];
                    if (random() % 2 == 0) client.parse(name, sql[random() % 6]);
                    client.bind(name).execute();
                    if (random() % 4 == 0) client.close('S', name);
                }
                client.sync();
            }
            session.send(client.take(), random() % 3 == 0 ? 1 + random() % 30 : 0);
            ASSERT_FALSE(session.fatal) << "seed " << seed;
            if (random() % 3 != 0) session.pump(random() % 3 == 0 ? 7 : 0);
            if (random() % 4 == 0 && session.backend != nullptr) {
                if (session.lose({wire::Loss::Kind::backend, "gone", random() % 5 == 0}) == wire::Aftermath::ends) {
                    requests = 0;  // in the middle of a message: over
                    break;
                }
                session.send(Raw{});
            }
            got += readable(session.received()) + " ";
        }
        if (requests == 0) continue;
        Client last;
        session.send(last.query("ROLLBACK").query("SELECT last").take());
        session.pump();
        got += readable(session.received());
        ASSERT_EQ(readies(got), requests + 2) << "seed " << seed << "\n" << got;
        const std::string end = "T D(SELECT last) C(SELECT 1) Z(I)";
        ASSERT_EQ(got.substr(got.size() - end.size()), end) << "seed " << seed;
    }
}

}  // namespace
}  // namespace leasehold::postgres::model
