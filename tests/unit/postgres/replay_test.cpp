// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/replay.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

using List = std::vector<std::pair<std::string, std::string>>;

Settings made(const List& list) {
    Settings all;
    for (const auto& [name, value] : list) EXPECT_TRUE(all.set(name, value));
    return all;
}
bool may_follow(const List& held, const List& wanted) { return replayable(made(held), made(wanted)); }

TEST(Replay, SetsWhatIsLackingAndTakesBackWhatIsTooMuch) {
    EXPECT_EQ(replay_sql(made({{"work_mem", "1MB"}, {"app.tenant", "x"}, {"TimeZone", "UTC"}}),
                         made({{"work_mem", "2MB"}, {"application_name", "it's"}, {"TimeZone", "UTC"}})),
              "SELECT pg_catalog.set_config('app.tenant',NULL,false),"
              "pg_catalog.set_config('application_name','it''s',false),pg_catalog.set_config('work_mem','2MB',false)");
    EXPECT_EQ(replay_sql(made({{"DateStyle", "German"}}), made({{"DateStyle", "DMY"}, {"client_encoding", "LATIN1"}})),
              "SELECT pg_catalog.set_config('DateStyle',NULL,false),"
              "pg_catalog.set_config('client_encoding','LATIN1',false),pg_catalog.set_config('DateStyle','DMY',false)");
}

TEST(Replay, IsATransactionOfItsOwnAndEndsWithoutASync) {
    wire::Writer to;
    replay(to, {}, made({{"work_mem", "1MB"}}));
    Bytes bytes = to.bytes();
    std::string types;
    while (const auto header = peek(bytes)) {
        types += static_cast<char>(header->type);
        bytes = bytes.subspan(header->size());
    }
    EXPECT_EQ(types, "PBEPBEPBE");
    EXPECT_EQ(types, std::string(replayed_requests.begin(), replayed_requests.end()));
}

TEST(Replay, IsNotForWhatDecidesWhatAStatementMaySeeOrChange) {
    EXPECT_TRUE(may_follow({}, {{"application_name", "a"}, {"work_mem", "1MB"}, {"app.tenant", "x"}}));
    EXPECT_TRUE(may_follow({{"work_mem", "1MB"}}, {}));
    for (const char* name : {"search_path", "row_security", "session_replication_role", "default_transaction_isolation",
                             "default_transaction_read_only", "default_transaction_deferrable", "Search_Path"}) {
        EXPECT_FALSE(may_follow({}, {{name, "x"}})) << name;
        EXPECT_FALSE(may_follow({{name, "x"}}, {})) << name;
        EXPECT_FALSE(may_follow({{name, "x"}}, {{name, "y"}, {"work_mem", "1MB"}})) << name;
        EXPECT_TRUE(may_follow({{name, "x"}}, {{name, "x"}, {"work_mem", "1MB"}})) << name;
    }
    // Another role may not be allowed to set it.
    EXPECT_FALSE(may_follow({{"role", "a"}}, {{"role", "a"}, {"work_mem", "1MB"}}));
    EXPECT_FALSE(may_follow({}, {{"session_authorization", "a"}}));
}

TEST(Replay, IsNotForTimeoutsThatCouldEndIt) {
    for (const char* name : {"statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"}) {
        for (const char* value : {"0", "1000", "1000ms", "5s", "2min", "1h"}) {
            EXPECT_TRUE(may_follow({}, {{name, value}})) << name << value;
            EXPECT_TRUE(may_follow({{name, value}}, {})) << name << value;
        }
        for (const char* value : {"1", "999", "999ms", "1us", "0.1s", "s", "", " 5s", "-1"}) {
            EXPECT_FALSE(may_follow({}, {{name, value}})) << name << value;
            EXPECT_FALSE(may_follow({{name, value}}, {})) << name << value;
            EXPECT_FALSE(may_follow({{name, value}}, {{name, value}, {"work_mem", "1MB"}})) << name << value;
        }
    }
    EXPECT_TRUE(may_follow({}, {{"lock_timeout", "1"}}));
}

TEST(Replay, IsNotForMoreThanBelongsInFrontOfARequest) {
    EXPECT_FALSE(may_follow({}, {})) << "nothing lacks";
    List many;
    for (int i = 0; i < 33; ++i) many.emplace_back("a.b" + std::to_string(i), "x");
    EXPECT_FALSE(may_follow({}, many));
    EXPECT_FALSE(may_follow(many, {}));
    many.pop_back();
    EXPECT_TRUE(may_follow({}, many));
    EXPECT_FALSE(may_follow({}, {{"a.b", std::string(5000, 'x')}}));
}

}  // namespace
}  // namespace leasehold::postgres
