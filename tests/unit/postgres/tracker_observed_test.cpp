// SPDX-License-Identifier: Apache-2.0
// What is told of a session's statements: each once, in order, however its bytes come.
#include "tests/unit/postgres/session_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

using Lines = std::vector<std::string>;

class Listener final : public wire::StatementObserver {
  public:
    void began(const Begun& statement) override {
        lines.push_back("+" + std::string(to_string(statement.kind)) + " " + std::string(statement.text));
        ++under_way;
        length = statement.length;
    }
    void ended(End how, std::string_view error) override {
        EXPECT_GT(under_way--, 0);
        lines.push_back("-" + std::string(to_string(how)) + (error.empty() ? "" : " ") + std::string(error));
    }
    Lines lines;
    int under_way = 0;
    std::size_t length = 0;
};

class Observing : public Tracking {
  protected:
    void SetUp() override {
        Tracking::SetUp();
        session->tracker.observe(&listener);
    }
    Lines told(Client& of, std::size_t step = 0) {
        (void)ask(of, step);
        EXPECT_EQ(listener.under_way, 0);
        return std::exchange(listener.lines, {});
    }
    Listener listener;
};

TEST_F(Observing, SimpleQueriesAreToldOfWholeAndByteByByte) {
    for (const std::size_t step : {0, 1}) {
        EXPECT_EQ(told(client.query("SELECT 1"), step), (Lines{"+query SELECT 1", "-done"}));
        EXPECT_EQ(told(client.query("ERR"), step), (Lines{"+query ERR", "-failed 22012"}));
        EXPECT_EQ(told(client.query(""), step), (Lines{"+query ", "-done"}));
    }
}

TEST_F(Observing, AnExecuteIsToldOfByItsText) {
    EXPECT_EQ(told(client.parse("", "SELECT $1").bind_with("", "secret").execute().sync()),
              (Lines{"+execute SELECT $1", "-done"}));
    EXPECT_EQ(told(client.parse("s1", "SELECT $1 + 1").sync()), (Lines{"+prepare SELECT $1 + 1", "-done"}));
    EXPECT_EQ(told(client.bind_with("s1", "secret").execute().sync()), (Lines{"+execute SELECT $1 + 1", "-done"}));
    // On another backend, where it has to be parsed first.
    EXPECT_EQ(told(client.bind_with("s1", "secret").execute().sync(), 1), (Lines{"+execute SELECT $1 + 1", "-done"}));
}

TEST_F(Observing, PortalsAreToldOfByTheirOwnText) {
    EXPECT_EQ(told(client.query("BEGIN")), (Lines{"+query BEGIN", "-done"}));
    EXPECT_EQ(told(client.parse("", "SELECT 1").bind("", "a").parse("", "SELECT 2").bind("", "b").sync()),
              (Lines{"+prepare SELECT 2", "-done"}));
    EXPECT_EQ(told(client.execute("a").execute("b").execute("a").sync()),
              (Lines{"+execute SELECT 1", "+execute SELECT 2", "+execute SELECT 1", "-done", "-done", "-done"}));
    EXPECT_EQ(told(client.query("COMMIT")), (Lines{"+query COMMIT", "-done"}));
}

TEST_F(Observing, APipelineIsToldOfInItsOrderAndWhatIsSkippedIsToldSo) {
    EXPECT_EQ(told(client.query("SELECT 1").query("SELECT 2")),
              (Lines{"+query SELECT 1", "+query SELECT 2", "-done", "-done"}));
    client.parse("", "SELECT 1").bind("").execute().parse("", "ERR").bind("").execute();
    EXPECT_EQ(told(client.parse("", "SELECT 3").bind("").execute().sync().query("SELECT 4")),
              (Lines{"+execute SELECT 1", "+execute ERR", "+execute SELECT 3", "+query SELECT 4", "-done",
                     "-failed 22012", "-skipped", "-done"}));
}

TEST_F(Observing, AnErrorBeforeTheExecuteIsItsError) {
    EXPECT_EQ(told(client.bind("nobody").execute().sync()), (Lines{"+execute ", "-failed 26000"}));
    EXPECT_EQ(told(client.parse("s", "").parse("s", "").sync()), (Lines{"+prepare ", "-failed 42P05"}));
}

TEST_F(Observing, ALostBackendEndsWhatWasUnderWay) {
    session->send(client.query("SELECT 1").query("SELECT 2").take());
    (void)session->lose();
    EXPECT_EQ(listener.lines, (Lines{"+query SELECT 1", "+query SELECT 2", "-lost", "-lost"}));
    listener.lines.clear();
    EXPECT_EQ(told(client.query("SELECT 3")), (Lines{"+query SELECT 3", "-done"}));
}

TEST_F(Observing, BeginsAndEndsInTheMiddleOfAnything) {
    session->tracker.observe(nullptr);
    session->send(client.query("SELECT 1").take());
    session->tracker.observe(&listener);
    session->send(client.query("SELECT 2").take());
    session->pump();
    EXPECT_EQ(listener.lines, (Lines{"+query SELECT 2", "-done"}));
    session->send(client.query("SELECT 3").take());
    session->tracker.observe(nullptr);
    session->pump();
    EXPECT_EQ(listener.lines.back(), "+query SELECT 3");
}

TEST_F(Observing, ALongStatementIsToldOfByItsBeginningWithItsLength) {
    const std::string sql = "SELECT '" + std::string(300000, 'x') + "'";
    session->send(client.query(sql).take(), 5000);
    ASSERT_EQ(listener.lines.size(), 1u);
    EXPECT_LT(listener.lines[0].size(), sql.size());
    EXPECT_EQ(listener.length, sql.size());
    session->pump();
    EXPECT_EQ(listener.lines.back(), "-done");
}

TEST_F(Observing, APipelineThatNeverRunsDryTakesNoMemory) {
    session->send(client.query("SELECT 0").take());
    for (int i = 0; i < 2000; ++i) {
        session->send(client.query("SELECT 1").take());
        session->pump_once();
    }
    session->pump();
    EXPECT_EQ(listener.under_way, 0);
    EXPECT_EQ(listener.lines.size(), 4002u);
}

}  // namespace
}  // namespace leasehold::postgres::model
