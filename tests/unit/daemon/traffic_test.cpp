// SPDX-License-Identifier: Apache-2.0
// What the relay counts of its pool: requests, transactions, their times, and the client's bytes.
#include "tests/unit/daemon/relay_fixture.hpp"

#include "daemon/metrics/names.hpp"

namespace leasehold::daemon::lines {
namespace {

namespace names = metrics::names;

class TrafficTest : public RelayTest {
  protected:
    TrafficTest() {
        traffic = &counted;
        start(Relay::Limits{50ms, 0ms, 0ms, 0ms});
        serve();
    }
    ~TrafficTest() override { relay.reset(); }  // it counts to its end
    [[nodiscard]] std::int64_t count(std::string_view name) const {
        return registry.value(name, {{"pool", "orders"}}).value_or(-1);
    }
    [[nodiscard]] std::chrono::nanoseconds sum(std::string_view name) const {
        std::chrono::nanoseconds all{-1};
        registry.visit(name, [&all](const metrics::Sample& sample) { all = sample.sum; });
        return all;
    }
    metrics::Registry registry{2};
    metrics::Traffic counted{registry, 1, "orders"};
};

TEST_F(TrafficTest, IsThereAndZeroBeforeAnythingHappens) {
    for (const auto name : {names::queries, names::transactions, names::received_bytes, names::sent_bytes,
                            names::query_seconds, names::transaction_seconds}) {
        EXPECT_EQ(count(name), 0) << name;
    }
}

TEST_F(TrafficTest, CountsARequestItsTransactionAndItsBytes) {
    tell(client, "Qone\n");
    EXPECT_EQ(count(names::received_bytes), 5);
    EXPECT_EQ(count(names::queries), 0);
    pump(20ms);
    tell(server(), "one\nZ\n");
    EXPECT_EQ(count(names::queries), 1);
    EXPECT_EQ(count(names::transactions), 1);
    EXPECT_EQ(count(names::sent_bytes), 6);
    EXPECT_EQ(count(names::query_seconds), 1);
    EXPECT_EQ(count(names::transaction_seconds), 1);
    EXPECT_GE(sum(names::query_seconds), 20ms);
}

TEST_F(TrafficTest, CountsATransactionOnceWithTheTimeBetweenItsRequests) {
    tell(client, "Qbegin\n");
    tell(server(), "T\n");
    EXPECT_EQ(count(names::queries), 1);
    EXPECT_EQ(count(names::query_seconds), 1);
    EXPECT_EQ(count(names::transactions), 0);
    EXPECT_EQ(count(names::transaction_seconds), 0);
    pump(30ms);
    tell(client, "Qcommit\n");
    tell(server(), "Z\n");
    EXPECT_EQ(count(names::queries), 2);
    EXPECT_EQ(count(names::transactions), 1);
    EXPECT_EQ(count(names::transaction_seconds), 1);
    EXPECT_GE(sum(names::transaction_seconds), 30ms);
    EXPECT_LT(sum(names::query_seconds), sum(names::transaction_seconds));
}

TEST_F(TrafficTest, CountsEachOfPipelinedRequests) {
    tell(client, "Qone\nQtwo\nQthree\n");
    tell(server(), "Z\nZ\n");
    EXPECT_EQ(count(names::queries), 2);
    EXPECT_EQ(count(names::query_seconds), 0);
    tell(server(), "Z\n");
    EXPECT_EQ(count(names::queries), 3);
    EXPECT_EQ(count(names::transactions), 3);
    EXPECT_EQ(count(names::query_seconds), 1);
}

TEST_F(TrafficTest, CountsNoRequestThatNoServerHasSeen) {
    tell(client, "L\n");
    EXPECT_EQ(count(names::received_bytes), 2);
    EXPECT_EQ(count(names::queries), 0);
}

TEST_F(TrafficTest, CountsTheTimeOfATransactionThatIsLost) {
    tell(client, "Qbegin\n");
    tell(server(), "T\n");
    pump(60ms);
    relay->tick(wire::Clock::now());
    pump();
    ASSERT_EQ(outcomes.back(), Relay::Event::lost);
    EXPECT_EQ(count(names::transactions), 0);
    EXPECT_EQ(count(names::transaction_seconds), 1);
    EXPECT_GE(sum(names::transaction_seconds), 60ms);
}

TEST_F(TrafficTest, CountsWhatASlowClientHasStillToTake) {
    narrow(*transport);
    tell(client, "Qone\n");
    const std::string reply = std::string(40'000, 'a') + "\nZ\n";
    tell(server(), reply);
    ASSERT_GT(transport->unsent(), 0u);
    EXPECT_EQ(count(names::sent_bytes), static_cast<std::int64_t>(reply.size()));
    EXPECT_EQ(take(client), reply.size());
    EXPECT_EQ(count(names::sent_bytes), static_cast<std::int64_t>(reply.size()));
}

}  // namespace
}  // namespace leasehold::daemon::lines
