// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/drive.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include <sys/socket.h>
#include <unistd.h>
#include <optional>
#include <thread>

using namespace leasehold::wire;
using namespace std::chrono_literals;

namespace {

// Says "hi", wants `wanted` bytes, optionally computes, then is done; ends with whatever error it is told.
class Talk final : public Exchange {
  public:
    explicit Talk(std::size_t wanted, std::size_t volume = 2) : wanted_(wanted), out_(volume, 'h') {}
    Action resume(Bytes input, std::error_code ec) override {
        if (ec) return Action::done(0, ec);
        switch (step_++) {
            case 0: return Action::write(0, out_);
            case 1: return Action::compute(0);
            default:
                if (input.size() < wanted_) return Action::read(0);
                return Action::done(wanted_);
        }
    }
    void compute() override { computed_on = std::this_thread::get_id(); }
    std::thread::id computed_on;

  private:
    std::size_t wanted_;
    std::vector<std::uint8_t> out_;
    int step_ = 0;
};

class StartsTls final : public Exchange {
  public:
    Action resume(Bytes, std::error_code ec) override { return ec ? Action::done(0, ec) : Action::start_tls(0); }
};

struct DriveTest : testing::Test {
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        transport = std::make_unique<Transport>(io.get_executor(), ends[0]);
        peer = ends[1];
    }
    void TearDown() override {
        if (peer >= 0) ::close(peer);
    }
    void spawn(Exchange& exchange, Deadline deadline, boost::asio::thread_pool* pool = nullptr) {
        boost::asio::co_spawn(io, drive(*transport, exchange, inbox, deadline, pool),
                              [this](const std::exception_ptr& failure, std::error_code ec) {
                                  EXPECT_FALSE(failure);
                                  outcome = ec;
                              });
    }
    void put(std::string_view text) {
        ASSERT_EQ(::send(peer, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    }
    // Until the exchange has ended, or two seconds.
    void finish() {
        const auto until = Clock::now() + 2s;
        while (!outcome && Clock::now() < until) io.run_one_for(50ms);
    }
    void poll() {
        io.restart();
        while (io.poll() > 0) {
        }
    }

    boost::asio::io_context io;
    std::unique_ptr<Transport> transport;
    Inbox inbox;
    int peer = -1;
    std::optional<std::error_code> outcome;
};

TEST_F(DriveTest, PerformsActionsAndLeavesWhatWasNotConsumed) {
    Talk talk(5);
    spawn(talk, Clock::now() + 10s);
    poll();
    EXPECT_FALSE(outcome);
    put("he");
    poll();
    EXPECT_FALSE(outcome);
    put("llo and more");
    poll();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(*outcome);
    EXPECT_EQ(as_text(inbox.bytes()), " and more");
}

TEST_F(DriveTest, EndsAtTheDeadline) {
    Talk talk(5);
    spawn(talk, Clock::now() + 20ms);
    finish();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(*outcome, errc::timed_out);
}

TEST_F(DriveTest, EndsAtTheDeadlineWhileThePeerDoesNotRead) {
    Talk talk(5, 64u << 20);
    spawn(talk, Clock::now() + 20ms);
    finish();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(*outcome, errc::timed_out);
}

TEST_F(DriveTest, EndsWhenThePeerCloses) {
    Talk talk(5);
    spawn(talk, Clock::now() + 10s);
    poll();
    ::close(std::exchange(peer, -1));
    poll();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(*outcome);
}

TEST_F(DriveTest, EndsWhenItsTransportIsClosedFromOutside) {
    Talk talk(5);
    spawn(talk, Clock::now() + 10s);
    poll();
    transport->close();
    poll();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(*outcome, errc::cancelled);
}

TEST_F(DriveTest, ComputesOnTheOtherThreadsAndComesBack) {
    boost::asio::thread_pool pool(1);
    Talk talk(1);
    put("x");
    spawn(talk, Clock::now() + 10s, &pool);
    finish();
    pool.join();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(*outcome);
    EXPECT_NE(talk.computed_on, std::this_thread::get_id());
    EXPECT_NE(talk.computed_on, std::thread::id());
}

TEST_F(DriveTest, RefusesPlaintextThatWaitsInFrontOfATlsHandshake) {
    inbox.append(as_bytes("injected"));
    StartsTls tls;
    spawn(tls, Clock::now() + 10s);
    poll();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(*outcome, errc::plaintext_before_tls);
}

}  // namespace
