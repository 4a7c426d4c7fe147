// SPDX-License-Identifier: Apache-2.0
// What a backend's copy of a statement holds for one session alone: long data, cursors, texts too long to be kept.
#include "tests/unit/mysql/prepared_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;

class MysqlHeldCopies : public MysqlStatements {};
Raw with_columns(std::uint32_t number, unsigned columns) {
    Raw made = packet(Raw{0} + u32(number) + u16(columns) + u16(0) + Raw{0, 0, 0}, 1);
    std::uint8_t sequence = 2;
    for (unsigned n = 0; n < columns; ++n) made = made + column(sequence++);
    return made + eof(sequence);
}
Raw two_columns(unsigned status) {
    return packet({2}, 1) + column(2) + column(3) + eof(4, status) + row(5, "x") + eof(6, status, 3);
}

// As a server does where it prepares anew by itself: once, and only where the number of columns is another.
TEST_P(MysqlHeldCopies, AnotherNumberOfColumnsBehindAMoveIsSaidOnce) {
    PlayedSession s = session();
    s.client(prepare("SELECT * FROM t"));
    s.server(with_columns(70, 1));
    s.renew();
    (void)s.take_backend();
    (void)s.take_client();
    s.client(execute(1));
    s.server(with_columns(71, 2));
    EXPECT_EQ(s.take_backend(), prepare("SELECT * FROM t") + execute(71));
    s.server(two_columns(autocommit));
    EXPECT_EQ(s.take_client(), two_columns(autocommit | 0x400));
    s.client(execute(1));
    s.server(two_columns(autocommit));
    EXPECT_EQ(s.take_client(), two_columns(autocommit));
    s.client(execute(1));
    s.server(rows("1", autocommit | 0x400));
    EXPECT_EQ(s.take_client(), rows("1", autocommit | 0x400)) << "the server's own word";
    s.client(execute(1));
    s.server(rows("1"));
    EXPECT_EQ(s.take_client(), rows("1"));
}

INSTANTIATE_TEST_SUITE_P(Fed, MysqlHeldCopies, ::testing::Values(false, true));  // 0: whole, 1: byte by byte

TEST_P(MysqlHeldCopies, LongDataHoldsTheBackendAndIsNobodyElses) {
    PlayedSession s(session());
    with(s, "SELECT ?", 1);
    s.client(prepare("SELECT ?"));
    s.server(prepared(71, 1));
    s.take_client();
    s.take_backend();
    s.client(of(24, 1, chunk("data")));
    EXPECT_EQ(s.take_backend(), close(70) + of(24, 71, chunk("data")));
    EXPECT_EQ(s.tracker.pin(), "long data");
    s.client(execute(2, typed(1)));
    EXPECT_EQ(s.take_backend(), prepare("SELECT ?")) << "a copy of its own";
    s.server(prepared(72, 1));
    EXPECT_EQ(s.take_backend(), execute(72, typed(1)));
    s.server(rows("1"));
    EXPECT_TRUE(s.tracker.attached());
    s.client(execute(1, Raw{0, 1, 0xFC, 0}));
    EXPECT_EQ(s.take_backend(), execute(71, Raw{0, 1, 0xFC, 0}));
    s.server(rows("data"));
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_FALSE(s.backend->dirty);
}

TEST_P(MysqlHeldCopies, LongDataThatIsGivenUpEndsThePin) {
    for (const Raw& end : {of(26, 1), close(1)}) {
        PlayedSession s(session());
        with(s, "SELECT ?", 1);
        s.client(of(24, 1, chunk("data")));
        EXPECT_TRUE(s.tracker.attached());
        s.client(end);
        if (end == of(26, 1)) s.server(ok(1));
        EXPECT_TRUE(s.tracker.pin().empty());
        EXPECT_FALSE(s.tracker.attached()) << "without another request";
        EXPECT_FALSE(s.backend->dirty);
    }
}

TEST_P(MysqlHeldCopies, LostLongDataIsHeardOfByItsExecute) {
    PlayedSession s(session());
    with(s, "SELECT ?", 1);
    s.client(of(24, 1, chunk("data")));
    EXPECT_EQ(s.lose("gone"), wire::Aftermath::lives);
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    s.take_client();
    s.client(of(24, 1, chunk("more")));
    EXPECT_FALSE(s.tracker.attached());
    s.client(execute(1, Raw{0, 1, 0xFC, 0}));
    EXPECT_EQ(s.client_error(), 1213);
    s.take_backend();
    s.client(of(24, 1, chunk("data")));
    EXPECT_EQ(s.take_backend(), prepare("SELECT ?"));
    s.server(err(1, 1146));
    EXPECT_FALSE(s.tracker.attached());
    s.take_client();
    s.client(execute(1, Raw{0, 1, 0xFC, 0}));
    EXPECT_EQ(s.client_error(), 1146);
}

TEST_P(MysqlHeldCopies, RefusedLongDataIsNotAnswered) {
    PlayedSession s(session());
    with(s, "SELECT ?", 1);
    s.gives_leases = false;
    s.client(of(24, 1, chunk("data")));
    ASSERT_EQ(s.last, wire::Verdict::Kind::lease);
    wire::Diagnostics error = failure(Fault::pool_timeout);
    EXPECT_EQ(s.tracker.refuse(error, s.out_client), wire::Aftermath::lives);
    s.push();
    EXPECT_TRUE(s.to_client.empty());
    s.client(execute(1, Raw{0, 1, 0xFC, 0}));
    EXPECT_EQ(s.client_error(), 1203);
}

// A session once stayed on its backend after a reset, with the transaction and the settings of before.
TEST_P(MysqlHeldCopies, AResetOfTheConnectionEndsThePin) {
    for (const bool cursor : {true, false}) {
        PlayedSession s(session());
        with(s, "SELECT ?", 1);
        s.client(query("BEGIN"));
        s.server(ok(1, in_trans | autocommit));
        s.client(cursor ? execute(1, typed(1), 1) : of(24, 1, chunk("data")));
        if (cursor) s.server(packet({1}, 1) + column(2) + eof(3, in_trans | autocommit | cursor_exists));
        EXPECT_FALSE(s.tracker.pin().empty());
        s.client(command(31));
        EXPECT_TRUE(s.tracker.pin().empty());
        EXPECT_FALSE(s.tracker.attached());
        EXPECT_TRUE(s.backend->dirty);
        EXPECT_TRUE(s.backend->in_transaction()) << "for the pool to roll back";
    }
}

TEST_P(MysqlHeldCopies, ACursorHoldsTheBackendToItsLastRow) {
    PlayedSession s(session());
    with(s, "SELECT 1");
    const auto opened = packet({1}, 1) + column(2) + eof(3, autocommit | cursor_exists);
    s.client(execute(1, {}, 1));
    s.server(opened);
    EXPECT_EQ(s.take_client(), opened);
    EXPECT_EQ(s.tracker.pin(), "cursor");
    s.take_backend();
    s.client(of(28, 1, u32(1)));
    EXPECT_EQ(s.take_backend(), of(28, 70, u32(1)));
    s.server(row(1, "1") + eof(2, autocommit | cursor_exists));
    EXPECT_TRUE(s.tracker.attached());
    s.client(of(28, 1, u32(1)));
    s.server(eof(1, autocommit | last_row_sent));
    EXPECT_FALSE(s.tracker.attached());
    s.take_client();
    s.client(of(28, 1, u32(1)));
    EXPECT_EQ(s.client_error(), 1421);
}

TEST_P(MysqlHeldCopies, ATextThatIsTooLongToBeKeptHoldsItsBackend) {
    PlayedSession s = PlayedSession(TrackerOptions{});
    const std::string text = "SELECT '" + std::string(2 << 20, 'x') + "'";
    s.client(prepare(text));
    s.server(prepared(70));
    EXPECT_EQ(s.tracker.pin(), "prepared statement of more than 1 MiB");
    s.take_backend();
    s.client(execute(1));
    EXPECT_EQ(s.take_backend(), execute(70));
    s.server(rows("x"));
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_TRUE(s.tracker.attached());
    s.client(close(1));
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_EQ(s.backend->statements.closing(), std::vector<std::uint32_t>{70});
    s.client(prepare(text));
    s.server(prepared(71));
    (void)s.lose("gone");
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.client_error(), 1927);
}

TEST_P(MysqlHeldCopies, NoMoreTextIsKeptThanMayBe) {
    TrackerOptions options;
    options.max_statement_cache_bytes = 4096;
    PlayedSession s = session(options);
    s.client(prepare("SELECT '" + std::string(4096, 'x') + "'"));
    EXPECT_EQ(s.client_error(), 1461);
    EXPECT_FALSE(s.tracker.attached());
}

TEST_P(MysqlHeldCopies, BulkExecution) {
    PlayedSession s(session());
    with(s, "INSERT INTO t VALUES (?)", 1);
    const auto bulk = [](std::uint32_t number, const Raw& rest) { return packet(Raw{0xFA} + u32(number) + rest, 0); };
    s.client(bulk(1, Raw{0x80, 0, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(s.take_backend(), bulk(70, Raw{0x80, 0, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
    s.server(ok(1));
    s.renew();
    s.client(bulk(1, Raw{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
    s.server(prepared(3, 1));
    EXPECT_EQ(s.take_backend(),
              prepare("INSERT INTO t VALUES (?)") + bulk(3, Raw{0x80, 0, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
    s.server(ok(1));
    EXPECT_FALSE(s.tracker.attached());
}

}  // namespace
}  // namespace leasehold::mysql
