// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/messages.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

using wire::as_bytes;
using wire::as_text;

std::string text(const wire::Writer& writer) { return std::string(as_text(writer.bytes())); }
std::string operator""_s(const char* chars, std::size_t size) { return {chars, size}; }

Bytes body_of(const wire::Writer& writer) { return writer.bytes().subspan(header_size); }

TEST(PostgresMessages, BuildTheBytesOfTheManual) {
    wire::Writer w;
    ready_for_query(w, 'I');
    EXPECT_EQ(text(w), "Z\0\0\0\5I"_s);
    w.clear();
    command_complete(w, "SELECT 1");
    EXPECT_EQ(text(w), "C\0\0\0\x0dSELECT 1\0"_s);
    w.clear();
    sync(w);
    terminate(w);
    EXPECT_EQ(text(w), "S\0\0\0\4X\0\0\0\4"_s);
    w.clear();
    cancel_request(w, 1, "\xFF\xFF\xFF\xFE");
    EXPECT_EQ(text(w), "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\xff\xff\xff\xfe"_s);
    w.clear();
    const std::pair<std::string, std::string> parameters[] = {{"user", "u"}};
    startup_message(w, parameters);
    EXPECT_EQ(text(w), "\0\0\0\x10\0\3\0\0user\0u\0\0"_s);
    w.clear();
    bind_message(w, "p", "s");
    EXPECT_EQ(text(w), "B\0\0\0\x0ep\0s\0\0\0\0\0\0\0"_s);
    w.clear();
    const std::uint32_t types[] = {23};
    parse(w, "s", "SELECT $1", types);
    EXPECT_EQ(text(w), "P\0\0\0\x16s\0SELECT $1\0\0\1\0\0\0\x17"_s);
    w.clear();
    sasl_initial_response(w, "M", "xy");
    EXPECT_EQ(text(w), "p\0\0\0\x0cM\0\0\0\0\2xy"_s);
    w.clear();
    const std::string unknown[] = {"_pq_.x"};
    negotiate_protocol_version(w, 0, unknown);
    EXPECT_EQ(text(w), "v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.x\0"_s);
}

TEST(PostgresMessages, BuildRowsWithNulls) {
    wire::Writer w;
    const std::optional<std::string> values[] = {"ab", std::nullopt, ""};
    data_row(w, values);
    EXPECT_EQ(text(w), "D\0\0\0\x14\0\3\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0"_s);
    w.clear();
    const Field fields[] = {{"n", type_oid::int8}};
    row_description(w, fields);
    EXPECT_EQ(text(w), "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0"_s);
}

TEST(PostgresMessages, PeekNeedsFiveBytesAndCountsTheLengthItself) {
    wire::Writer w;
    query(w, "x");
    for (std::size_t n = 0; n < header_size; ++n) EXPECT_FALSE(peek(w.bytes().first(n)));
    const auto header = peek(w.bytes());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->type, 'Q');
    EXPECT_EQ(header->length, 6u);
    EXPECT_EQ(header->size(), w.size());
    EXPECT_EQ(header->body(), 2u);
    EXPECT_FALSE((Header{'Q', 3}).valid());
    EXPECT_EQ((Header{'Q', 3}).body(), 0u);
    EXPECT_FALSE((Header{'Q', 0xFFFFFFFF}).valid());
}

TEST(PostgresMessages, AnErrorComesBackAsItWasBuilt) {
    wire::Writer w;
    error_response(w, Severity::fatal, {"57P01", 0, "terminating connection: drain", false}, "why", "try again");
    const auto parsed = parse_server_message(body_of(w));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->severity, Severity::fatal);
    EXPECT_EQ(parsed->diagnostics.sqlstate, "57P01");
    EXPECT_EQ(parsed->diagnostics.message, "terminating connection: drain");
    EXPECT_TRUE(parsed->diagnostics.from_server);
    EXPECT_EQ(parsed->diagnostics.detail, "why");
    EXPECT_EQ(parsed->diagnostics.hint, "try again");
}

TEST(PostgresMessages, AnErrorInAnotherLanguageIsKnownByItsUntranslatedSeverity) {
    const auto parsed = parse_server_message(as_bytes("SFATALE\0VFATAL\0C57P03\0Mnon\0\0"_s));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->severity, Severity::fatal);
    const auto reversed = parse_server_message(as_bytes("VFATAL\0SFEHLER\0C57P03\0Mnein\0\0"_s));
    ASSERT_TRUE(reversed);
    EXPECT_EQ(reversed->severity, Severity::fatal);
}

TEST(PostgresMessages, ANulInATextDoesNotBreakTheFraming) {
    wire::Writer w;
    error_response(w, Severity::error, {"22021", 0, "bad\0Z"_s, false});
    const auto parsed = parse_server_message(body_of(w));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->diagnostics.message, "bad");
}

TEST(PostgresMessages, AnErrorWithoutAProperSqlstateGetsOne) {
    // PgBouncer's CVE-2026-6667: an error without SQLSTATE; clients read the field without asking.
    wire::Writer w;
    error_response(w, Severity::error, {"", 0, "m", false});
    EXPECT_EQ(parse_server_message(body_of(w))->diagnostics.sqlstate, "XX000");
}

TEST(PostgresMessages, HalfABodyIsNoBody) {
    wire::Writer w;
    error_response(w, Severity::error, {"22021", 0, "message", false}, "d", "h");
    for (std::size_t n = 0; n < body_of(w).size(); ++n) EXPECT_FALSE(parse_server_message(body_of(w).first(n))) << n;
    w.clear();
    parameter_status(w, "TimeZone", "UTC");
    for (std::size_t n = 0; n < body_of(w).size(); ++n) EXPECT_FALSE(parse_parameter_status(body_of(w).first(n))) << n;
    const auto status = parse_parameter_status(body_of(w));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->name, "TimeZone");
    EXPECT_EQ(status->value, "UTC");
}

TEST(PostgresMessages, WhatStandsBehindABodyMakesItWrong) {
    EXPECT_FALSE(parse_server_message(as_bytes("SERROR\0C22021\0Mx\0\0more"_s)));
    EXPECT_FALSE(parse_parameter_status(as_bytes("a\0b\0c"_s)));
    EXPECT_FALSE(parse_parameter_status(as_bytes("\0b\0"_s)));
    EXPECT_FALSE(parse_command_complete(as_bytes("SELECT 1\0x"_s)));
    EXPECT_FALSE(parse_command_complete(as_bytes("SELECT 1"_s)));
    EXPECT_EQ(parse_command_complete(as_bytes("SELECT 1\0"_s)), "SELECT 1");
}

TEST(PostgresMessages, ReadyForQueryHasOneOfThreeStatuses) {
    for (const char c : {'I', 'T', 'E'}) EXPECT_EQ(parse_ready_for_query(as_bytes({&c, 1})), c);
    EXPECT_FALSE(parse_ready_for_query(as_bytes("X"_s)));
    EXPECT_FALSE(parse_ready_for_query(as_bytes("II"_s)));
    EXPECT_FALSE(parse_ready_for_query({}));
}

}  // namespace
}  // namespace leasehold::postgres
