// SPDX-License-Identifier: Apache-2.0
// The relay at each stage: who stops, who goes, who is slow, and what becomes of the lease.
#include "tests/unit/daemon/relay_fixture.hpp"

namespace leasehold::daemon::lines {
namespace {

const std::string large(4 << 20, 'a');

TEST_F(RelayTest, PassesARequestAndItsReplyAndGivesTheLeaseBack) {
    serve();
    tell(client, "Qone\n");
    EXPECT_EQ(text_of(server()), "Qone\n");
    tell(server(), "one\nZ\n");
    EXPECT_EQ(text_of(client), "one\nZ\n");
    EXPECT_FALSE(relay->leased());
    tell(client, "Qtwo\n");
    EXPECT_EQ(text_of(server()), "Qtwo\n");
    EXPECT_EQ(events.quarantines, 0);
}

TEST_F(RelayTest, DoesNotReadOnAClientThatDoesNotTakeItsLocalAnswers) {
    serve();
    std::string requests;
    for (int i = 0; i < 200'000; ++i) requests += "L\n";
    EXPECT_LT(pour(client, requests), requests.size());
    EXPECT_LT(transport->unsent(), 64u << 20);
}

TEST_F(RelayTest, CarriesALargeRequestOutWhoseClientHasSaidGoodbye) {
    serve();
    tell(client, "Qstart\n");
    ASSERT_EQ(text_of(server()), "Qstart\n");
    tell(server(), "Z\n");
    narrow(servers->last->transport());
    const std::string request = "Q" + std::string(40'000, 'a') + "\nX\n";
    tell(client, request);
    ASSERT_GT(servers->last->transport().unsent(), 0u);
    EXPECT_EQ(take(server()), request.size() - 2);
    tell(server(), "Z\n");
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::close);
    EXPECT_EQ(events.quarantines, 0);
}

TEST_F(RelayTest, GivesASlowClientTheRestOfAReplyAfterTheLeaseIsLost) {
    start(Relay::Limits{50ms, 0ms, 0ms, 0ms});
    serve();
    tell(client, "Qbegin\n");
    narrow(*transport);
    const std::string reply = std::string(40'000, 'a') + "\nT\n";
    tell(server(), reply);
    ASSERT_GT(transport->unsent(), 0u);
    relay->tick(wire::Clock::now() + 1min);
    pump();
    ASSERT_EQ(outcomes.back(), Relay::Event::lost);
    std::string got;
    (void)take(client, &got);
    EXPECT_EQ(got, reply + "!");
}

TEST_F(RelayTest, EndsASessionAndItsBackendWhenThereIsNoMemoryForARequest) {
    serve();
    tell(client, "Qbegin\n");
    tell(server(), "T\n");
    tracker.no_memory = true;
    tell(client, "Qtwo\n");
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::fatal);
    EXPECT_TRUE(relay->starved());
    EXPECT_TRUE(pool->backends().empty()) << "what was on it may be half a change: closed, and on no ladder";
    EXPECT_EQ(events.quarantines, 0);
}

TEST_F(RelayTest, EndsASessionAndItsBackendWhenThereIsNoMemoryForAReply) {
    serve();
    tell(client, "Qone\n");
    tracker.no_memory = true;
    tell(server(), "half of it");
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::fatal);
    EXPECT_TRUE(pool->backends().empty());
    std::string got;
    (void)take(client, &got);
    EXPECT_EQ(got, "") << "nothing of a reply that was not understood";
}

TEST_F(RelayTest, LosesTheLeaseOfAStatementThatCannotBeCancelled) {
    start(Relay::Limits{0ms, 0ms, 50ms, 0ms, 100ms});
    serve();
    tell(client, "Qslow\n");
    const auto now = wire::Clock::now();
    relay->tick(now + 60ms);
    pump();
    EXPECT_TRUE(outcomes.empty() || outcomes.back() != Relay::Event::lost) << "it is cancelled, and has its time";
    EXPECT_FALSE(relay->overran());
    relay->tick(now + 200ms);
    pump();
    ASSERT_EQ(outcomes.back(), Relay::Event::lost);
    EXPECT_TRUE(relay->overran());
}

TEST_F(RelayTest, GivesASlowClientTheRestOfAReplyWhileItsNextRequestWaits) {
    serve();
    tell(client, "Qone\n");
    pool::Lease other;
    narrow(*transport);
    const std::string reply = std::string(40'000, 'a') + "\nZ\n";
    tell(server(), reply);
    ASSERT_GT(transport->unsent(), 0u);
    other = pool->try_checkout({});
    ASSERT_TRUE(other);
    tell(client, "Qtwo\n");
    EXPECT_EQ(take(client), reply.size());
    pool->cancel(ticket);
    pump();
    EXPECT_EQ(text_of(client), std::string(1024, 'l'));
    other.checkin();
}

TEST_F(RelayTest, CarriesOutRequestsInFrontOfAGoodbyeThoughTheClientHasClosed) {
    tracker.one_at_a_time = true;
    serve();
    tell(client, "Qone\nQtwo\nX\n");
    ::close(std::exchange(client, -1));
    EXPECT_EQ(text_of(server()), "Qone\n");
    tell(server(), "Z\n");
    EXPECT_EQ(text_of(server()), "Qtwo\n");
    tell(server(), "Z\n");
    EXPECT_TRUE(over);
    EXPECT_EQ(events.quarantines, 0);
}

TEST_F(RelayTest, StopsReadingAServerWhoseClientDoesNotTakeTheReply) {
    serve();
    tell(client, "Qone\n");
    EXPECT_LT(pour(server(), large), large.size());
    EXPECT_LT(transport->unsent(), 256u * 1024);
}

TEST_F(RelayTest, StopsReadingAClientWhoseServerDoesNotTakeTheRequest) {
    serve();
    tell(client, "Qone\n");
    EXPECT_LT(pour(client, large), large.size());
    EXPECT_LT(servers->last->transport().unsent(), 256u * 1024);
}

TEST_F(RelayTest, QuarantinesTheBackendOfAClientThatGoesInTheMiddle) {
    serve();
    tell(client, "Qone\n");
    ::close(std::exchange(client, -1));
    pump();
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::client_gone);
    EXPECT_EQ(events.quarantines, 1);
}

TEST_F(RelayTest, ReportsAServerThatGoesInTheMiddleAndServesOnWithAnother) {
    serve();
    tell(client, "Qone\n");
    (void)::shutdown(server(), SHUT_RDWR);
    pump();
    EXPECT_EQ(outcomes.back(), Relay::Event::lost);
    EXPECT_EQ(text_of(client), "!");
    tell(client, "Qtwo\n");
    EXPECT_EQ(servers->ends.size(), 2u);
    EXPECT_EQ(text_of(server()), "Qtwo\n");
}

TEST_F(RelayTest, EndsASessionThatSaidGoodbyeWhenItsServerGoes) {
    serve();
    tell(client, "Qone\nX\n");
    ASSERT_FALSE(over);
    (void)::shutdown(server(), SHUT_RDWR);
    pump();
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::close);
}

TEST_F(RelayTest, DrainsAtTheEndOfTheLease) {
    serve();
    tell(client, "Qone\n");
    relay->drain();
    pump();
    EXPECT_FALSE(over);
    tell(server(), "Z\n");
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::stop);
    EXPECT_EQ(text_of(client), "Z\n");
}

TEST_F(RelayTest, TakesNoNewLeaseWhenItDrains) {
    serve();
    tell(client, "Qone\nQtwo\n");
    relay->drain();
    pump();
    EXPECT_FALSE(over);
    tell(server(), "Z\n");
    tell(server(), "Z\n");
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::stop);
    EXPECT_EQ(relay->leases(), 1u);
}

TEST_F(RelayTest, TakesNoLeaseForARequestThatIsThereAlreadyWhenItDrains) {
    serve();
    ASSERT_EQ(::send(client, "L\nQone\n", 7, 0), 7);  // not read yet: the loop has not run
    relay->drain();
    pump();
    EXPECT_TRUE(over);
    EXPECT_EQ(outcomes.back(), Relay::Event::stop);
    EXPECT_EQ(text_of(client).substr(0, 3), "lll");  // what needs no lease is answered
    EXPECT_EQ(relay->leases(), 0u);
}

TEST_F(RelayTest, KeepsALeaseUntilACancelOnItsWayHasArrived) {
    serve();
    tell(client, "Qone\n");
    servers->last->cancelling = true;
    tell(server(), "Z\n");
    EXPECT_TRUE(relay->leased());
    servers->last->cancelling = false;
    relay->cancel_finished();
    pump();
    EXPECT_FALSE(relay->leased());
    EXPECT_EQ(events.quarantines, 0);
}

TEST_F(RelayTest, KeepsALeaseUntilTheServerHasTakenWhatItAnsweredEarly) {
    serve();
    tell(client, "Qone\n");
    narrow(servers->last->transport());
    tell(client, "Q" + std::string(40'000, 'a') + "\n");
    ASSERT_GT(servers->last->transport().unsent(), 0u);
    tell(server(), "ZZ");
    EXPECT_TRUE(relay->leased());  // whoever got the backend now would write into the middle of a message
    for (int i = 0; i < 100 && relay->leased(); ++i) {
        (void)take(server());
        pump();
    }
    EXPECT_FALSE(relay->leased());
    EXPECT_EQ(events.quarantines, 0);
    relay->stop();
    pump();
    ASSERT_TRUE(over);
    relay.reset();
    (void)take(server());
}

}  // namespace
}  // namespace leasehold::daemon::lines
