// SPDX-License-Identifier: Apache-2.0
// What operators see: aligned, within the terminal's width, and never a byte that the terminal would obey.
#include "cmd/leasehold/control/table.hpp"
#include "cmd/leasehold/control/answer.hpp"
#include "cmd/leasehold/control/printable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace leasehold::cmd {
namespace {

Answer answer(const std::string& body) {
    const auto parsed = parse_answer(body);
    EXPECT_TRUE(parsed) << body;
    return parsed.value_or(Answer{});
}

const std::string pools =
    R"({"columns":[{"name":"pool","type":"text"},{"name":"n","type":"integer"},{"name":"error","type":"text"}],)"
    R"("rows":[["orders",5,null],["a",1234,"server away"]],"tag":"SHOW"})";

TEST(Printable, WritesOutWhatATerminalWouldObey) {
    EXPECT_EQ(printable("\x1b[31mred\a\n\t\x7f"), "\\x1b[31mred\\x07\\n\\t\\x7f");
    EXPECT_EQ(printable("\xc2\x9b"
                        "2J"),
              "\\x9b2J");  // CSI of C1
    EXPECT_EQ(printable("a\xe2\x80\xae"
                        "b"),
              "a\\u202eb");                                   // turns the direction
    EXPECT_EQ(printable("\xf3\xa0\x80\x81"), "\\U000e0001");  // a tag
    EXPECT_EQ(printable("\xff\xc0\xaf\xed\xa0\x80\xc3"), "\\xff\\xc0\\xaf\\xed\\xa0\\x80\\xc3");
    EXPECT_EQ(printable("žluťoučký 漢字 😀"), "žluťoučký 漢字 😀");
}

TEST(Printable, NoByteBelowASpaceOutlivesIt) {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    const std::string out = printable(all + all);
    EXPECT_TRUE(std::ranges::none_of(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    EXPECT_EQ(out.find("\xc2"), std::string::npos);
}

TEST(Printable, CountsColumnsAsATerminalDoes) {
    EXPECT_EQ(columns_of("abc"), 3u);
    EXPECT_EQ(columns_of("漢字"), 4u);
    EXPECT_EQ(columns_of("e\xcc\x81"), 1u);  // e and an accent over it
    EXPECT_EQ(cut("abcdef", 4), "abc…");
    EXPECT_EQ(cut("漢字漢", 4), "漢…");
    EXPECT_EQ(cut("abc", 3), "abc");
    EXPECT_EQ(cut("abc", 0), "");
}

TEST(Table, AlignsNumbersOnTheRightAndShowsNullAsNothing) {
    EXPECT_EQ(render_table(answer(pools), 0),
              "pool       n  error\n"
              "orders     5\n"
              "a       1234  server away\n");
}

TEST(Table, WithoutRowsShowsItsColumns) {
    EXPECT_EQ(render_table(answer(R"({"columns":[{"name":"a","type":"text"}],"rows":[]})"), 0), "a\n");
    EXPECT_EQ(render_table(Answer{}, 80), "");
}

TEST(Table, AlignsWideCharactersAndAccents) {
    EXPECT_EQ(render_table(answer(R"({"columns":[{"name":"name","type":"text"},{"name":"n","type":"integer"}],)"
                                  R"("rows":[["漢字",1],["abc",22]]})"),
                           0),
              "name   n\n漢字   1\nabc   22\n");
}

TEST(Table, AControlCharacterDoesNotReachTheTerminal) {
    const std::string out = render_table(
        answer(R"({"columns":[{"name":"app\u001b[2J","type":"text"}],"rows":[["\u001b]0;owned\u0007\r\nfake row"]]})"),
        80);
    EXPECT_EQ(out, "app\\x1b[2J\n\\x1b]0;owned\\x07\\r\\nfake row\n");
}

TEST(Table, CutsTheLongestTextsToTheWidthOfTheTerminal) {
    const std::string out =
        render_table(answer(R"({"columns":[{"name":"a","type":"text"},{"name":"b","type":"integer"}],"rows":[[")" +
                            std::string(60, 'x') + R"(",12345]]})"),
                     40);
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(columns_of(line), 40u) << line;
    EXPECT_NE(out.find("x…  12345"), std::string::npos) << out;  // numbers are whole
}

TEST(Table, IsWrittenInBlocksWhereItDoesNotFit) {
    EXPECT_EQ(render_table(answer(pools), 10),
              "-- 1 --\npool   orders\nn      5\n\n-- 2 --\npool   a\nn      1234\nerror  server away\n");
}

TEST(Answer, JsonKeepsTypesAndIsAsciiOnOneLine) {
    const Answer parsed =
        answer(R"({"columns":[{"name":"a","type":"text"},{"name":"b","type":"integer"},{"name":"c","type":)"
               R"("real"}],"rows":[["ž\u009b\n\u007f",9007199254740993,0.5],[null,null,null]],"tag":"SHOW"})");
    EXPECT_EQ(to_json(parsed),
              "[{\"a\": \"\\u017e\\u009b\\n\\u007f\", \"b\": 9007199254740993, \"c\": 0.5}, "
              "{\"a\": null, \"b\": null, \"c\": null}]\n");
    EXPECT_EQ(to_json(answer(R"({"columns":[],"rows":[]})")), "[]\n");
}

TEST(Answer, ARefusalHasItsParts) {
    const Answer refused =
        answer(R"({"error":{"sqlstate":"3D000","message":"no pool","hint":"orders?","detail":"d"}})");
    ASSERT_TRUE(refused.refusal);
    EXPECT_EQ(refused.refusal->sqlstate, "3D000");
    EXPECT_EQ(refused.refusal->hint, "orders?");
}

TEST(Answer, WhatIsNoneIsSaidSo) {
    for (const char* body : {"", "{", "[]", "{}", "not found\n", R"({"error":"x"})", R"({"columns":[],"rows":[5]})",
                             R"({"columns":5,"rows":[]})"}) {
        EXPECT_FALSE(parse_answer(body)) << body;
    }
    // More and fewer cells than columns: none is read beyond its row.
    const Answer ragged = answer(R"({"columns":[{"name":"a","type":"text"}],"rows":[[],[1,2,3]]})");
    EXPECT_EQ(render_table(ragged, 0), "a\n\n1\n");
}

}  // namespace
}  // namespace leasehold::cmd
