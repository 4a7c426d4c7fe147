// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/session_track.hpp"

#include "tests/unit/mysql/packets.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = TrackedChange::Kind;

Raw text(std::string_view value) { return Raw{static_cast<std::uint8_t>(value.size())} + raw(value); }
Raw entry(std::uint8_t kind, const Raw& data) { return Raw{kind, static_cast<std::uint8_t>(data.size())} + data; }

TEST(MysqlTrailer, NamesVariablesSchemasAndState) {
    const Raw entries = entry(0, text("time_zone") + text("+01:00")) + entry(1, text("shop")) + entry(2, raw("1")) +
                        entry(3, Raw{0} + text("gtid")) + entry(5, text("T_______"));
    Trailer trailer(entries);
    TrackedChange change;
    ASSERT_TRUE(trailer.next(change));
    EXPECT_EQ(change.kind, Kind::variable);
    EXPECT_EQ(change.name, "time_zone");
    EXPECT_EQ(change.value, "+01:00");
    ASSERT_TRUE(trailer.next(change));
    EXPECT_EQ(change.kind, Kind::schema);
    EXPECT_EQ(change.value, "shop");
    ASSERT_TRUE(trailer.next(change));
    EXPECT_EQ(change.kind, Kind::state);
    ASSERT_TRUE(trailer.next(change));
    EXPECT_EQ(change.kind, Kind::gtids);
    ASSERT_TRUE(trailer.next(change));
    EXPECT_EQ(change.kind, Kind::transaction);
    EXPECT_FALSE(trailer.next(change));
    EXPECT_FALSE(trailer.broken());
}

TEST(MysqlTrailer, IsBrokenWhereItIsCutOff) {
    const Raw entries = entry(0, text("time_zone") + text("+01:00"));
    for (std::size_t n = 1; n < entries.size(); ++n) {
        Trailer trailer(wire::Bytes(entries).first(n));
        TrackedChange change;
        EXPECT_FALSE(trailer.next(change)) << n;
        EXPECT_TRUE(trailer.broken()) << n;
    }
}

TEST(MysqlTrack, AddsItsVariablesToAClientsList) {
    const std::string statement = track_statement(false);
    const std::string names = statement.substr(statement.find('\'') + 1, statement.size() - statement.find('\'') - 2);
    EXPECT_EQ(with_tracked("SET Session_track_system_variables = 'a,b' , sql_mode=concat('')", "'a,b'", false),
              "SET Session_track_system_variables = '" + names + ",a,b' , sql_mode=concat('')");
    EXPECT_EQ(with_tracked("SET session_track_system_variables=''", "''", false),
              "SET session_track_system_variables='" + names + "'");
    const std::string key = "session_track_system_variables";
    for (const auto& [sql, literal] : std::vector<std::pair<std::string, std::string>>{
             {"SET " + key + "='*'", "'*'"},
             {"SET " + key + "=DEFAULT", "DEFAULT"},
             {"SET " + key + "=\"a\"", "'a'"},
             {"SET `" + key + "`='a'", "'a'"},
             {"SET " + key + "/**/='a'", "'a'"},
             {"SET " + key + ":='a'", "'a'"},
             {"SET " + key + "='a', sql_mode=concat('" + key + "')", "'a'"},
             {"SET " + key + "='a\\'b'", "'a'b'"},
             {"SET " + key, "'a'"},
             {"SET " + key + "=", "'a'"},
             {"SET a='a'", "'a'"},
         }) {
        EXPECT_EQ(with_tracked(sql, literal, true), std::nullopt) << sql;
    }
}

TEST(MysqlTrack, AsksForAListOfVariablesByTheServersOwnNames) {
    EXPECT_NE(track_statement(true).find("tx_isolation"), std::string_view::npos);
    EXPECT_NE(track_statement(false).find("transaction_isolation"), std::string_view::npos);
    EXPECT_EQ(track_statement(false).find("*"), std::string_view::npos);
    EXPECT_TRUE(is_tracked("sql_mode", true));
    EXPECT_FALSE(is_tracked("tx_isolation", false));
}

// Found when a pin ended: MySQL refuses a list that names a variable twice, and with it all settings of the session.
TEST(MysqlTrack, NamesNoVariableTwice) {
    const std::string plain = track_statement(false);
    EXPECT_EQ(track_statement(false, "sql_mode, TIME_ZONE"), plain);
    const std::string more = track_statement(false, "Sort_Buffer_Size,sql_mode,lc_time_names");
    EXPECT_EQ(more, plain.substr(0, plain.size() - 1) + ",sort_buffer_size,lc_time_names'");
    EXPECT_NE(track_statement(false, "sql_mode,*").find("='*'"), std::string::npos);
}

}  // namespace
}  // namespace leasehold::mysql
