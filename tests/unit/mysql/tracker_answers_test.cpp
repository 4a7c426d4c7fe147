// SPDX-License-Identifier: Apache-2.0
// Answers that belong to a session wherever it is served (insert ids, warnings, counts), and messages that are longer
// than any buffer.
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;

// Whole, and byte by byte.
class MysqlTrackerAnswers : public ::testing::TestWithParam<bool> {
  protected:
    PlayedSession session(TrackerOptions options = {}) { return PlayedSession(std::move(options), GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlTrackerAnswers, ::testing::Values(false, true));  // 0: whole, 1: byte by byte

TEST_P(MysqlTrackerAnswers, LastInsertIdIsReadBeforeTheLeaseEnds) {
    PlayedSession s(session());
    s.client(query("INSERT INTO t VALUES ()"));
    EXPECT_EQ(s.take_backend(), query("INSERT INTO t VALUES ()"));  // both have none: nothing to align
    s.server(ok(1, autocommit, 5));
    EXPECT_EQ(s.take_client(), ok(1, autocommit, 5));
    EXPECT_EQ(s.take_backend(), query("SELECT LAST_INSERT_ID()"));
    EXPECT_EQ(s.boundaries, 0);
    s.server(rows("5"));
    EXPECT_TRUE(s.take_client().empty());
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_EQ(s.backend->insert_id, 5u);
    // On a backend that another session used last it is brought along, once.
    s.backend->insert_id = 77;
    s.client(query("SELECT LAST_INSERT_ID()"));
    EXPECT_EQ(s.take_backend(), query("SET last_insert_id=5") + query("SELECT LAST_INSERT_ID()"));
    s.server(ok(1) + rows("5"));
    EXPECT_EQ(s.take_client(), rows("5"));
}

TEST_P(MysqlTrackerAnswers, WithinALeaseTheInsertIdIsTheServersOwn) {
    PlayedSession s(session());
    s.backend->insert_id = 77;
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(query("INSERT INTO t VALUES ()"));
    s.server(ok(1, in_trans));  // of the alignment
    s.server(ok(1, in_trans, 9));
    s.take_backend();
    s.client(query("SELECT LAST_INSERT_ID()"));
    EXPECT_EQ(s.take_backend(), query("SELECT LAST_INSERT_ID()"));
}

TEST_P(MysqlTrackerAnswers, WarningsOfAnotherSessionAreForgottenFirst) {
    PlayedSession s(session());
    s.backend->has_warnings = true;
    s.backend->warnings_of = 1u << 30;
    s.client(query("SELECT 1"));
    const Raw sent = s.take_backend();
    EXPECT_NE(sent, query("SELECT 1"));
    s.server(ok(1) + rows("1"));
    EXPECT_EQ(s.take_client(), rows("1"));
    // One's own warnings stay.
    s.server({});
    s.client(query("SELECT 2"));
    s.server(rows("2", autocommit));
    s.take_backend();
    s.backend->has_warnings = true;
    s.client(query("SHOW WARNINGS"));
    EXPECT_EQ(s.take_backend(), query("SHOW WARNINGS"));
}

TEST_P(MysqlTrackerAnswers, CountsOfAnotherSessionAreForgottenWhenAskedFor) {
    PlayedSession s(session());
    s.backend->counts_of = 1u << 30;
    s.client(query("BEGIN"));
    EXPECT_EQ(s.take_backend(), query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(query("SELECT FOUND_ROWS()"));
    EXPECT_GT(s.take_backend().size(), query("SELECT FOUND_ROWS()").size());
}

// --- long things -----------------------------------------------------------------------------------------------

TEST_P(MysqlTrackerAnswers, PacketsOfSixteenMegabytesPassAsTheyCome) {
    if (GetParam()) GTEST_SKIP() << "too slow byte by byte";
    PlayedSession s(session());
    Raw big(0xFFFFFF, 'x');
    big[0] = 3;
    const Raw text = raw("SELECT '");
    std::copy(text.begin(), text.end(), big.begin() + 1);
    const Raw sent = packet(big, 0) + packet(raw("', @a := 1"), 1);
    for (std::size_t at = 0; at < sent.size(); at += 60000) {
        s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at),
                     sent.begin() + static_cast<std::ptrdiff_t>(std::min(at + 60000, sent.size()))));
        EXPECT_LT(s.held.size(), 20000u);
        EXPECT_EQ(s.backend->half_sent, at + 60000 < sent.size() && at > 0 ? true : s.backend->half_sent);
    }
    EXPECT_EQ(s.to_backend, sent);
    EXPECT_FALSE(s.backend->half_sent);
    EXPECT_TRUE(s.backend->dirty) << "the end of a long statement is read too";
    s.server(rows("1", autocommit, 2));
    EXPECT_EQ(s.tracker.pin(), "user variable");
    EXPECT_EQ(s.to_client, rows("1", autocommit, 2));
}

TEST_P(MysqlTrackerAnswers, AFileOfTheClientsPassesUpToItsEmptyPacket) {
    PlayedSession s(session());
    s.client(query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"));
    s.server(packet(raw("\xFB"
                        "x"),
                    1));
    EXPECT_TRUE(s.backend->half_sent);
    const Raw file = packet(raw("\x01\x02\x03"), 2) + packet(raw("more"), 3) + packet({}, 4);
    s.take_backend();
    s.client(file);
    EXPECT_EQ(s.take_backend(), file);
    EXPECT_FALSE(s.backend->half_sent);
    s.server(ok(5));
    EXPECT_EQ(s.boundaries, 0);
    EXPECT_EQ(s.take_backend(), query("SELECT LAST_INSERT_ID()"));  // its OK does not tell
    s.server(rows("7"));
    EXPECT_EQ(s.boundaries, 1);
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.take_backend(), query("SELECT 1"));
}

TEST_P(MysqlTrackerAnswers, MultiStatementsAreSwitchedForTheSessionAndItsBackend) {
    PlayedSession s(session());
    const std::uint64_t before = s.tracker.variant();
    EXPECT_FALSE(s.tracker.settings().multi_statements);
    s.client(command(27, std::string_view("\0\0", 2)));
    EXPECT_EQ(s.take_client(), eof(1));
    EXPECT_TRUE(s.tracker.settings().multi_statements);
    EXPECT_EQ(s.tracker.variant(), before);
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(command(27, std::string_view("\1\0", 2)));
    s.server(eof(1, in_trans));
    EXPECT_FALSE(s.tracker.settings().multi_statements);
    EXPECT_FALSE(s.backend->held.multi_statements);
}

TEST_P(MysqlTrackerAnswers, AnAnswerOfOursTellsNothingOfTheLastStatement) {
    // An OK that says "the session has changed" and not how is none to clients that are told of it.
    PlayedSession s(session());
    s.client(query("SET @@session.sql_mode=''"));
    s.server(ok(1, autocommit | 0x0020 | 0x0400 | 0x4000));
    (void)s.take_client();
    ASSERT_FALSE(s.tracker.attached());
    s.client(command(0x0E));
    EXPECT_EQ(s.take_client(), ok(1, autocommit));
}

TEST_P(MysqlTrackerAnswers, WrongSequencesEndTheSession) {
    PlayedSession s(session());
    s.client(packet(raw("\x03"
                        "SELECT 1"),
                    1));
    EXPECT_EQ(s.last, Kind::fatal);
    EXPECT_EQ(s.client_error(), 1156);
}

TEST_P(MysqlTrackerAnswers, AReplyThatIsNoneEndsTheSession) {
    PlayedSession s(session());
    s.client(query("SELECT 1"));
    s.server(packet({}, 1));
    EXPECT_EQ(s.last, Kind::fatal);
    EXPECT_EQ(s.client_error(), 1927);
}

TEST(MysqlTrackerNoise, IsSurvivedOnBothSides) {
    std::uint32_t x = 99;
    const auto random = [&x] { return (x = x * 1664525u + 1013904223u) >> 24; };
    for (int round = 0; round < 3000; ++round) {
        PlayedSession s;
        for (int step = 0; step < 12 && s.last != Kind::fatal && s.last != Kind::close && s.last != Kind::lost;
             ++step) {
            Raw body;
            for (unsigned i = random() % 12; i > 0; --i) body.push_back(static_cast<std::uint8_t>(random()));
            if (!s.tracker.attached() || random() % 2 == 0) {
                s.client(packet(Raw{static_cast<std::uint8_t>(random() % 34)} + body, 0));
            } else {
                const Raw replies[] = {ok(1),
                                       err(1, 1064),
                                       rows("1"),
                                       packet(body, 1),
                                       ok(1, in_trans, 4),
                                       packet(raw("\xFB"
                                                  "x"),
                                              1)};
                s.server(replies[random() % std::size(replies)]);
            }
        }
    }
}

}  // namespace
}  // namespace leasehold::mysql
