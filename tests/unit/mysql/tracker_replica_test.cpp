// SPDX-License-Identifier: Apache-2.0
// Replicas: the connection that a session has prepared is the one that its dump runs on, and it is asked for once.
#include "dialects/mysql/seam.hpp"
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;

const Raw dump = command(0x12, std::string("\4\0\0\0\0\0\7\0\0\0log.1", 15));

TEST(MysqlReplica, RegisteringPinsAndTheDumpMakesTheBackendItsOwn) {
    for (const bool bytewise : {false, true}) {
        PlayedSession session({}, bytewise);
        session.client(command(0x15, std::string(18, '\1')));
        session.server(ok(1));
        EXPECT_EQ(session.tracker.pin(), "replica");
        session.client(dump);
        EXPECT_EQ(session.last, Kind::own);
        EXPECT_TRUE(session.tracker.attached());
        EXPECT_EQ(session.held, dump);  // it is for the backend, unread
    }
}

TEST(MysqlReplica, ADumpWithoutPreparationGetsABackendFirst) {
    PlayedSession session;
    session.client(command(0x1E, std::string(30, '\1')));
    EXPECT_EQ(session.leases, 1);
    EXPECT_EQ(session.last, Kind::own);
}

TEST(MysqlReplica, AfterARefusalTheSessionGoesOn) {
    PlayedSession session;
    session.client(dump);
    ASSERT_EQ(session.last, Kind::own);
    wire::Outbox said;
    EXPECT_EQ(session.tracker.refuse(failure(Fault::too_many_clients), said), wire::Aftermath::lives);
    EXPECT_FALSE(said.empty());
    session.client(query("SELECT 1"));
    EXPECT_EQ(session.last, Kind::more);
    EXPECT_TRUE(session.held.empty());
    session.server(rows("1"));
    EXPECT_EQ(session.last, Kind::boundary);
}

TEST(MysqlReplica, InATransactionThereIsNoDump) {
    PlayedSession session;
    session.client(query("BEGIN"));
    session.server(ok(1, autocommit | in_trans));
    session.client(dump);
    EXPECT_EQ(session.last, Kind::more);
    EXPECT_TRUE(session.tracker.attached());
}

TEST(MysqlSeam, KnowsWherePacketsEndHoweverTheyCome) {
    const Raw stream = ok(1) + packet({}, 2) + err(3, 1236);
    for (std::size_t step = 1; step <= stream.size(); ++step) {
        Seam seam;
        std::size_t between = 0;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            const std::size_t n = std::min(step, stream.size() - at);
            EXPECT_EQ(seam.pass(Bytes(stream).subspan(at, n), false), n);
            between += seam.between();
        }
        EXPECT_TRUE(seam.between());
        EXPECT_GE(between, 1u);
    }
    Seam seam;
    EXPECT_EQ(seam.pass(Bytes(stream).first(3), false), 3u);
    EXPECT_EQ(seam.pass(Bytes(stream).subspan(3), true), ok(1).size() - 3);
    EXPECT_TRUE(seam.between());
    Seam large;
    const Raw head{0xFF, 0xFF, 0xFF, 1};
    EXPECT_EQ(large.pass(head, false), 4u);
    const Raw body(0xFFFFFF, 1);
    EXPECT_EQ(large.pass(body, false), body.size());
    EXPECT_FALSE(large.between());  // it goes on in another packet
}

}  // namespace
}  // namespace leasehold::mysql
