// SPDX-License-Identifier: Apache-2.0
// What a session listens to: reading its statements, where marks count from, and what waits for its client.
#include "dialects/postgres/ear.hpp"
#include "tests/unit/postgres/listening_fixture.hpp"

namespace leasehold::postgres {
namespace {

using Kind = ListenOrder::Kind;

TEST(ListenOrders, AreReadToTheLastByte) {
    struct Case {
        std::string_view sql;
        Kind kind;
        std::string_view channel = {};
    };
    const Case cases[] = {
        {"LISTEN news", Kind::listen, "news"},
        {"  listen\n News ; ", Kind::listen, "news"},
        {"LISTEN \"Quoted Channel\"", Kind::listen, "Quoted Channel"},
        {"LISTEN \"a\"\"b\"", Kind::listen, "a\"b"},
        {"UNLISTEN news", Kind::unlisten, "news"},
        {"UNLISTEN *;", Kind::unlisten_all},
        {"UNLISTEN", Kind::none},
        {"LISTEN", Kind::none},
        {"LISTEN *", Kind::none},
        {"LISTEN a b", Kind::none},
        {"LISTEN a; LISTEN b", Kind::none},
        {"LISTEN a -- b", Kind::listen, "a"},
        {"LISTEN U&\"a\"", Kind::none},
        {"LISTEN \"\xc3\xa9\"", Kind::none},
        {"LISTEN 'a'", Kind::none},
        {"SELECT pg_listening_channels()", Kind::channels},
        {"select pg_catalog.pg_listening_channels ( ) order by 1;", Kind::channels},
        {"SELECT count(*) FROM pg_listening_channels()", Kind::channels},
        {"SELECT * FROM pg_catalog.pg_listening_channels() ORDER BY 1;", Kind::channels},
        {"SELECT * FROM pg_listening_channels() AS c", Kind::none},
        {"SELECT pg_listening_channels() ORDER BY 2", Kind::none},
        {"SELECT pg_listening_channels() LIMIT 1", Kind::none},
        {"SELECT 1", Kind::none},
    };
    for (const Case& it : cases) {
        const ListenOrder order = read_listen(it.sql);
        EXPECT_EQ(order.kind, it.kind) << it.sql;
        EXPECT_EQ(order.channel, it.channel) << it.sql;
    }
    const std::string long_name(63, 'a');
    EXPECT_EQ(read_listen("LISTEN " + long_name).channel, long_name);
    EXPECT_FALSE(read_listen("LISTEN a" + long_name));
}

TEST_F(Listens, FromItsMarkOn) {
    const std::string mark = order("LISTEN news");
    hear(said("news", "before"));
    comes_back(mark, 8);
    hear(said("news", "after"));
    hear(said("other", "not"));
    EXPECT_EQ(delivered(), "news after;");
    EXPECT_EQ(delivered(), "");
}

TEST_F(Listens, ToWhatItsOwnTransactionSaidInFront) {
    const std::string mark = order("LISTEN news");
    hear(said("news", "another's", 8));
    hear(said("news", "its own", 7));
    comes_back(mark, 7);
    EXPECT_EQ(delivered(), "news its own;");
}

TEST_F(Listens, NoMoreBehindTheMarkOfUnlisten) {
    listen("LISTEN news");
    listen("LISTEN other");
    hear(said("news", "before", 8), true);
    const std::string mark = order("UNLISTEN news");
    hear(said("news", "in its time", 8));
    hear(said("news", "of its own transaction", 7));
    comes_back(mark, 7);
    hear(said("news", "after"));
    hear(said("other", "still"));
    EXPECT_EQ(delivered(), "news before;other still;");
    listening.over(true);
    listening.caught_up();
    EXPECT_EQ(listening.take_unwanted(), std::vector<std::string>{"news"});
    EXPECT_EQ(listening.wanted(), std::vector<std::string>{"other"});
    comes_back(order("UNLISTEN *"));
    listening.over(true);
    listening.caught_up();
    EXPECT_FALSE(listening.anything());
    EXPECT_EQ(listening.take_unwanted(), std::vector<std::string>{"other"});
}

TEST_F(Listens, ToWhatWasSaidInItsTransactionIfItListenedBefore) {
    listen("LISTEN news");
    const std::string mark = order("LISTEN other");
    hear(said("other", "in its time", 8));
    comes_back(mark, 7);
    EXPECT_EQ(delivered(), "other in its time;");
    (void)order("LISTEN third");
    hear(said("third", "rolled back"));
    listening.over(false);
    listening.caught_up();
    EXPECT_EQ(delivered(), "");
}

TEST_F(Listens, NotAfterRollback) {
    const std::string mark = order("LISTEN news");
    listening.over(false);
    listening.caught_up();
    EXPECT_FALSE(listening.anything());
    EXPECT_EQ(listening.take_unwanted(), std::vector<std::string>{"news"});
    comes_back(mark);  // somebody who knows it says it
    hear(said("news", "not"));
    EXPECT_FALSE(listening.waiting());
}

// Rolled back to a savepoint, though its transaction was committed: everything was heard, and it was not among it.
TEST_F(Listens, NotAfterRollbackToASavepoint) {
    (void)order("LISTEN news");
    const std::string kept = order("LISTEN other");
    comes_back(kept);
    listening.over(true);
    listening.caught_up();
    EXPECT_EQ(listening.take_unwanted(), std::vector<std::string>{"news"});
    hear(said("news", "not"));
    hear(said("other", "heard"));
    EXPECT_EQ(delivered(), "other heard;");
}

TEST_F(Listens, AlthoughTheMarkWasLostOnItsWay) {
    (void)order("LISTEN news");
    listening.lost();
    EXPECT_TRUE(listening.deaf());
    listening.over(true);  // committed, as the session knows
    EXPECT_TRUE(listening.anything());
    listening.restored("marks");
    hear(said("news", "heard"));
    EXPECT_EQ(delivered(), "N;news heard;");
    (void)order("LISTEN other");
    listening.lost();
    listening.over(false);
    listening.restored("marks");
    hear(said("other", "not"));
    EXPECT_EQ(delivered(), "N;");
}

TEST_F(Listens, AndIsWarnedOfAGapOnce) {
    listening.lost();
    listening.restored("marks");
    EXPECT_FALSE(listening.waiting());  // it listened to nothing
    listen("LISTEN news");
    listening.lost();
    listening.lost();
    listening.restored("others");
    EXPECT_EQ(delivered(), "N;");
    EXPECT_EQ(listening.mark(read_listen("UNLISTEN *"), 9).substr(0, 16), "NOTIFY \"others\",");
}

TEST_F(Listens, ToSoMuchAtMost) {
    listen("LISTEN news");
    const std::string large(7900, 'x');
    const auto one = said("news", large);
    for (std::size_t bytes = 0; bytes + large.size() + 100 < Listening::most_waiting; bytes += large.size() + 100)
        hear(one);
    EXPECT_FALSE(listening.overflowed());
    for (int i = 0; i < 200; ++i) hear(one);
    EXPECT_TRUE(listening.overflowed());
}

TEST_F(Listens, AndSaysToWhat) {
    listen("LISTEN news");
    listen("LISTEN \"it's\"");
    listen("LISTEN a");
    listen("UNLISTEN a");
    EXPECT_EQ(listening.channels_query(read_listen("SELECT pg_listening_channels() ORDER BY 1")),
              "SELECT pg_catalog.unnest(ARRAY['news','it''s']::pg_catalog.text[]) AS pg_listening_channels ORDER BY 1");
    EXPECT_EQ(listening.channels_query(read_listen("SELECT count(*) FROM pg_listening_channels()")),
              "SELECT pg_catalog.count(*) FROM (SELECT pg_catalog.unnest(ARRAY['news','it''s']::pg_catalog.text[])"
              " AS pg_listening_channels) AS pg_listening_channels");
}

TEST_F(Listens, NoMoreBehindAStringThatSaysSo) {
    listen("LISTEN a");
    listen("LISTEN b");
    listen("LISTEN c");
    listening.note_others("SELECT 1; Unlisten a; SELECT 2", 8);
    listening.answered(8, false);
    listening.over(true);
    EXPECT_EQ(listening.wanted(), (std::vector<std::string>{"b", "c"}));
    listening.note_others("CLOSE ALL; UNLISTEN *; RESET ALL", 9);
    listening.answered(9, true);
    listening.over(true);
    EXPECT_EQ(listening.wanted(), (std::vector<std::string>{"b", "c"}));
    listening.note_others("CLOSE ALL; UNLISTEN *", 10);
    listening.over(false);
    EXPECT_EQ(listening.wanted(), (std::vector<std::string>{"b", "c"}));
    listening.note_others("DO $$ BEGIN UNLISTEN b ; EXECUTE 'UNLISTEN ' || x; END $$", 10);
    listening.over(true);
    EXPECT_FALSE(listening.anything());
}

TEST_F(Listens, AndKnowsTheTagOfEach) {
    (void)order("LISTEN a");
    (void)order("UNLISTEN a");
    EXPECT_EQ(listening.tag(1), "LISTEN");
    listening.statement_done(1);
    EXPECT_EQ(listening.tag(1), "");
    EXPECT_EQ(listening.tag(2), "UNLISTEN");
    listening.statement_done(2);
    EXPECT_EQ(listening.tag(2), "");
}

TEST_F(Listens, InTextsOfSeveralStatements) {
    const std::string_view sql = "SELECT ';\xc3\xa9'; LISTEN a ;UNLISTEN *; SELECT 2";
    const std::vector<ListenPart> parts = read_listens(sql, true);
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(sql.substr(parts[0].begin, parts[0].end - parts[0].begin), "LISTEN a ");
    EXPECT_EQ(sql.substr(parts[1].begin, parts[1].end - parts[1].begin), "UNLISTEN *");
    EXPECT_EQ(parts[1].statement, 2u);
    listening.ready("a", "marks", 17);
    const std::string text = listening.rewrite(sql, parts, 5, true);
    const std::string mark = "NOTIFY \"marks\", '17 " + std::string(32, 'x') + "'";
    EXPECT_EQ(text.size(), sql.size() - 9 - 10 + 2 * mark.size());
    EXPECT_EQ(listening.original(5, 1), 1u);
    EXPECT_EQ(listening.original(5, 15), 14u);  // in the mark: where LISTEN begins
    EXPECT_EQ(listening.original(5, 13 + mark.size() + 2), 24u);
    EXPECT_EQ(listening.original(5, text.size() - 1), sql.size() - 1);  // two bytes are one character
    for (const std::string_view tag : {"", "LISTEN", "UNLISTEN", ""}) {
        EXPECT_EQ(listening.tag(5), tag);
        listening.statement_done(5);
    }
    const std::string_view asks = "SELECT 1; SELECT pg_listening_channels() ;UNLISTEN a; SELECT )";
    const std::string asked = listening.rewrite(asks, read_listens(asks, true), 6, true);
    EXPECT_TRUE(asked.starts_with("SELECT 1; SELECT pg_catalog.unnest(ARRAY[]::pg_catalog.text[]) AS")) << asked;
    EXPECT_EQ(listening.original(6, asked.size()), asks.size());
    for (const std::string_view tag : {"", "", "UNLISTEN", ""}) {
        EXPECT_EQ(listening.tag(6), tag);
        listening.statement_done(6);
    }
    EXPECT_TRUE(read_listens("LISTEN a; LISTEN \"\xc3\xa9\"", true).empty());
    EXPECT_TRUE(read_listens("SELECT 'LISTEN a'; SELECT 1", true).empty());
}

// --- the ear -----------------------------------------------------------------------------------------------------

class Hears : public ::testing::TestWithParam<std::size_t> {
  protected:
    void answer() {
        command_complete(server, "LISTEN");
        ready_for_query(server, 'I');
    }
    void say(std::string_view channel, std::string_view payload) {
        const Framed framed(server, backend::notification);
        server.u32be(42);
        server.cstring(channel);
        server.cstring(payload);
    }
    // What comes of the server's bytes, given in steps.
    std::string hear() {
        std::string all;
        wire::Bytes in = server.bytes();
        const std::size_t step = GetParam() == 0 ? in.size() : GetParam();
        while (!in.empty()) {
            const std::size_t n = std::min(step, in.size());
            inbox.append(in.first(n));
            in = in.subspan(n);
            for (;;) {
                const wire::Ear::Event event = ear.next(inbox);
                using Event = wire::Ear::Event::Kind;
                if (event.kind == Event::more) break;
                switch (event.kind) {
                    case Event::heard:
                        all += event.heard->channel == ear.mark_channel() ? "mark" : event.heard->channel;
                        all += ' ' + std::to_string(event.heard->session) + ' ' + event.heard->payload + ';';
                        break;
                    case Event::answered: all += "answered;"; break;
                    case Event::refused: all += "refused " + event.error.sqlstate + ';'; break;
                    default: return all + "broken";
                }
            }
        }
        server.clear();
        return all;
    }
    Ear ear{""};
    wire::Inbox inbox;
    wire::Writer server;
    wire::Outbox out;
};
INSTANTIATE_TEST_SUITE_P(Steps, Hears, ::testing::Values(0u, 1u, 7u));

TEST_P(Hears, WhatIsSaidAndWhenItWasAsked) {
    ear.listen({"news", "a\"b"}, out);
    std::vector<std::uint8_t> bytes;
    out.flatten(bytes);
    EXPECT_EQ(wire::as_text(wire::Bytes(bytes).subspan(5)), std::string("LISTEN \"news\";LISTEN \"a\"\"b\";") + '\0');
    say("news", "first");
    answer();
    say(ear.mark_channel(), "17 abc");
    say("news", "");
    EXPECT_EQ(hear(), "news 0 first;answered;mark 17 abc;news 0 ;");
    ear.probe(out);
    empty_query_response(server);
    ready_for_query(server, 'I');
    EXPECT_EQ(hear(), "answered;");
}

TEST_P(Hears, NoMarksOfOthers) {
    for (const std::string_view payload : {"", " ", "x y", "0 y", "17", "-1 y", "99999999999999999999 y", "1x y"})
        say(ear.mark_channel(), payload);
    EXPECT_EQ(hear(), "");
}

TEST_P(Hears, ThatItIsRefused) {
    ear.listen({"news"}, out);
    error_response(server, Severity::error, {"25006", 0, "cannot execute LISTEN during recovery", true});
    ready_for_query(server, 'I');
    EXPECT_EQ(hear(), "refused 25006;");
    error_response(server, Severity::fatal, {"57P01", 0, "terminating connection", true});
    EXPECT_EQ(hear(), "broken");
}

TEST_P(Hears, NothingThatNobodyAskedFor) {
    ready_for_query(server, 'I');
    EXPECT_EQ(hear(), "broken");
}

TEST_P(Hears, AtMostWhatAServerSays) {
    say("news", std::string(7999, 'x'));
    EXPECT_EQ(hear(), "news 0 " + std::string(7999, 'x') + ';');
    server.u8('?');
    server.u32be(4);
    EXPECT_EQ(hear(), "broken");
}

}  // namespace
}  // namespace leasehold::postgres
