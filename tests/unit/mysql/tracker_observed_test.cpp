// SPDX-License-Identifier: Apache-2.0
// What is told of a session's statements: each once, in order.
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Lines = std::vector<std::string>;

class Listener final : public wire::StatementObserver {
  public:
    void began(const Begun& statement) override {
        lines.push_back("+" + std::string(to_string(statement.kind)) + " " + std::string(statement.text));
        length = statement.length;
    }
    void ended(End how, std::string_view error) override {
        lines.push_back("-" + std::string(to_string(how)) + (error.empty() ? "" : " ") + std::string(error));
    }
    Lines take() { return std::exchange(lines, {}); }
    Lines lines;
    std::size_t length = 0;
};

class MysqlObserving : public ::testing::Test {
  protected:
    MysqlObserving() { s.tracker.observe(&listener); }
    Listener listener;
    PlayedSession s;
};

Raw prepared(std::uint8_t number) { return packet(Raw{0, number, 0, 0, 0} + u16(0) + u16(0) + Raw{0} + u16(0), 1); }
Raw execute(std::uint8_t number) { return command(23, std::string{static_cast<char>(number), 0, 0, 0, 0, 1, 0, 0, 0}); }

TEST_F(MysqlObserving, QueriesAreToldOf) {
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_EQ(listener.take(), (Lines{"+query SELECT 1", "-done"}));
    s.client(query("SELEC"));
    s.server(err(1, 1064));
    EXPECT_EQ(listener.take(), (Lines{"+query SELEC", "-failed 1064"}));
    s.client(command(14));  // COM_PING is no statement
    EXPECT_EQ(listener.take(), Lines{});
}

TEST_F(MysqlObserving, PreparedStatementsAreToldOfByTheirText) {
    s.client(command(22, "SELECT 7 + ?"));
    s.server(prepared(5));
    EXPECT_EQ(listener.take(), (Lines{"+prepare SELECT 7 + ?", "-done"}));
    s.client(execute(1));
    s.server(rows("1"));
    EXPECT_EQ(listener.take(), (Lines{"+execute SELECT 7 + ?", "-done"}));
    s.client(execute(1));
    s.server(err(1, 1317));
    EXPECT_EQ(listener.take(), (Lines{"+execute SELECT 7 + ?", "-failed 1317"}));
    s.client(execute(6));  // nobody prepared it: answered here
    EXPECT_EQ(listener.take(), Lines{});
    s.client(command(25, std::string{1, 0, 0, 0}));  // COM_STMT_CLOSE has no reply
    EXPECT_EQ(listener.take(), Lines{});
}

TEST_F(MysqlObserving, ALostBackendEndsWhatWasUnderWay) {
    s.client(query("SELECT SLEEP(9)"));
    (void)s.lose("gone");
    EXPECT_EQ(listener.take(), (Lines{"+query SELECT SLEEP(9)", "-lost"}));
    s.client(query("SELECT 2"));
    s.server(rows("2"));
    EXPECT_EQ(listener.take(), (Lines{"+query SELECT 2", "-done"}));
}

TEST_F(MysqlObserving, BeginsAndEndsInTheMiddleOfAnything) {
    s.tracker.observe(nullptr);
    s.client(query("SELECT 1"));
    s.tracker.observe(&listener);
    s.server(rows("1"));
    EXPECT_EQ(listener.take(), Lines{});
    s.client(query("SELECT 2"));
    s.tracker.observe(nullptr);
    s.server(rows("2"));
    EXPECT_EQ(listener.take(), (Lines{"+query SELECT 2"}));
}

TEST_F(MysqlObserving, ALongStatementIsToldOfByItsBeginningWithItsLength) {
    const std::string sql = "SELECT '" + std::string(50000, 'x') + "'";
    const Raw bytes = query(sql);
    const Raw first(bytes.begin(), bytes.begin() + 20000), rest(bytes.begin() + 20000, bytes.end());
    s.client(first);
    EXPECT_EQ(listener.length, sql.size());
    s.client(rest);
    s.server(ok(1));
    EXPECT_EQ(listener.lines.size(), 2u);
    EXPECT_EQ(listener.lines.back(), "-done");
}

TEST(MysqlMask, ShowsNoLiteralWhateverStandsAroundIt) {
    EXPECT_EQ(masked("UPDATE t1 SET a='x' -- it's\n WHERE b='secret'", false), "UPDATE t1 SET a=? WHERE b=?");
    EXPECT_EQ(masked("SELECT 1 # don't\n, 'secret'", false), "SELECT ? , ?");
    EXPECT_EQ(masked("SELECT /* it's */ 'secret'", false), "SELECT ?");
    EXPECT_EQ(masked("SELECT `it's`, 'secret', `a``b`", false), "SELECT `it's`, ?, `a``b`");
    EXPECT_EQ(masked("SELECT 'a''b', \"c\"\"d\", 'it\\'s', 'secret'", false), "SELECT ?, ?, ?, ?");
    EXPECT_EQ(masked("SELECT 'a\\', 'secret'", false, 256, false), "SELECT ?, ?");
    EXPECT_EQ(masked("SELECT x'5345', N'secret', _utf8'secret', 0x53, 1e-5, a1", false),
              "SELECT ?, ?, _utf8?, ?, ?, a1");
    EXPECT_EQ(masked("CREATE TABLE t (a INT) /*!50100 COMMENT='secret' */ ENGINE=x", false),
              "CREATE TABLE t (a INT) COMMENT=? ENGINE=x");
    EXPECT_EQ(masked("SELECT\n\t a\r\n  FROM  t", false), "SELECT a FROM t");
    EXPECT_EQ(masked("SELECT 5--2", false), "SELECT ?--?");
    EXPECT_EQ(masked("SELECT 'cut in the mid", false), "SELECT ?");
    EXPECT_EQ(masked("SELECT /* cut", false), "SELECT");
    EXPECT_EQ(masked("\xC3\xA9\xC3\xA9", false, 3), "\xC3\xA9");
}

}  // namespace
}  // namespace leasehold::mysql
