// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/console.hpp"

#include "daemon/web/json.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::web {
namespace {

using Type = dialects::Column::Type;

admin::Answer table(std::vector<dialects::Column> columns, admin::Rows rows) {
    admin::Answer answer;
    answer.result.columns = std::move(columns);
    answer.result.rows = std::move(rows);
    answer.result.tag = "SHOW";
    return answer;
}

TEST(WebConsole, AnswersATableWithNumbersAsNumbersAndNullAsNull) {
    const Response response =
        to_json(table({{"database", Type::text}, {"size", Type::integer}, {"seconds", Type::real}},
                      {{"orders", "5", "1.5"}, {"5", std::nullopt, std::nullopt}}));
    EXPECT_EQ(response.status, 200u);
    EXPECT_EQ(response.type, "application/json");
    EXPECT_EQ(response.body,
              R"({"columns":[{"name":"database","type":"text"},{"name":"size","type":"integer"},)"
              R"({"name":"seconds","type":"real"}],"rows":[["orders",5,1.5],["5",null,null]],"tag":"SHOW"})"
              "\n");
}

TEST(WebConsole, KeepsWhatIsNoNumberAsText) {
    const Response response = to_json(table({{"n", Type::integer}}, {{"18446744073709551615"}, {""}, {"5 "}, {"-1"}}));
    EXPECT_NE(response.body.find(R"([["18446744073709551615"],[""],["5 "],[-1]])"), std::string::npos) << response.body;
}

TEST(WebConsole, ReplacesBytesThatAreNoText) {
    const Response response = to_json(table({{"name", Type::text}}, {{"a\xff\"b"}}));
    EXPECT_NE(response.body.find("a\xef\xbf\xbd\\\"b"), std::string::npos) << response.body;
}

TEST(WebConsole, TellsErrorsApartByStatus) {
    const auto status = [](const char* sqlstate) { return to_json(admin::Answer::failed(sqlstate, 0, "no")).status; };
    EXPECT_EQ(status("42501"), 403u);
    EXPECT_EQ(status("42601"), 400u);
    EXPECT_EQ(status("53300"), 503u);
    EXPECT_EQ(status("XX000"), 500u);
    EXPECT_EQ(status(""), 400u);
}

TEST(WebConsole, GivesAnErrorWithItsHint) {
    admin::Answer answer = admin::Answer::failed("42601", 1064, "unknown command");
    answer.error->hint = "SHOW HELP";
    EXPECT_EQ(to_json(answer).body,
              R"({"error":{"sqlstate":"42601","message":"unknown command","hint":"SHOW HELP","detail":""}})"
              "\n");
}

TEST(WebConsole, LetsRootAndItsOwnUserAdministerAndOthersRead) {
    EXPECT_EQ(permission_of(0, 990), admin::Permission::administer);
    EXPECT_EQ(permission_of(990, 990), admin::Permission::administer);
    EXPECT_EQ(permission_of(1000, 990), admin::Permission::read);
    EXPECT_EQ(permission_of(std::nullopt, 990), admin::Permission::read);
    EXPECT_EQ(permission_of(std::nullopt, 0), admin::Permission::read);
}

}  // namespace
}  // namespace leasehold::daemon::web
