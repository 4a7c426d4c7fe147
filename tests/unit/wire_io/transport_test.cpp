// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/transport.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

using namespace leasehold::wire;

namespace {

struct TransportTest : testing::Test {
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        transport = std::make_unique<Transport>(io.get_executor(), ends[0]);
        peer = ends[1];
    }
    void TearDown() override {
        if (peer >= 0) ::close(peer);
    }
    void put(std::string_view text) {
        ASSERT_EQ(::send(peer, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    }
    std::string get(std::size_t limit) {
        std::string text(limit, '\0');
        const ssize_t n = ::recv(peer, text.data(), limit, 0);
        text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return text;
    }
    // Until nothing is ready any more.
    void run() {
        io.restart();
        while (io.poll() > 0) {
        }
    }

    boost::asio::io_context io;
    std::unique_ptr<Transport> transport;
    int peer = -1;
};

TEST_F(TransportTest, CallsBackOnceWhenReadable) {
    int calls = 0;
    transport->on_readable([&] { ++calls; });
    run();
    EXPECT_EQ(calls, 0);
    put("x");
    run();
    EXPECT_EQ(calls, 1);
    put("y");
    run();
    EXPECT_EQ(calls, 1);
}

// A coroutine that waits owns its transport: a ring, which the end of the loop has to break.
TEST(TransportLoop, EndsWhatWaitsWhenItIsDestroyed) {
    for (const bool at_once : {false, true}) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        auto owner = std::make_shared<int>();
        const std::weak_ptr<int> waiting = owner;
        {
            boost::asio::io_context io;
            auto transport = std::make_shared<Transport>(io.get_executor(), ends[0]);
            if (at_once) {  // a call that is posted, not a wait
                transport->on_readable([] {});
                ASSERT_EQ(::send(ends[1], "x", 1, 0), 1);
                transport->on_readable({});
                (void)io.poll();
            }
            Transport& waited_for = *transport;
            waited_for.on_readable([owner = std::move(owner), transport = std::move(transport)] {});
            if (!at_once) (void)io.poll();
            EXPECT_FALSE(waiting.expired());
        }
        EXPECT_TRUE(waiting.expired()) << at_once;
        ::close(ends[1]);
    }
}

TEST_F(TransportTest, ExchangesTheCallbackOfAnArmedWait) {
    int first = 0;
    int second = 0;
    transport->on_readable([&] { ++first; });
    transport->on_readable([&] { ++second; });
    put("x");
    run();
    EXPECT_EQ(first, 0);
    EXPECT_EQ(second, 1);
}

TEST_F(TransportTest, DeliversAnEventThatNobodyListenedTo) {
    transport->on_readable([] { FAIL(); });
    transport->on_readable({});
    put("x");
    run();
    int calls = 0;
    transport->on_readable([&] { ++calls; });
    EXPECT_EQ(calls, 0);  // from the loop, never from within
    run();
    EXPECT_EQ(calls, 1);
}

TEST_F(TransportTest, ReportsTheEndOfTheStreamAsClosed) {
    ::close(std::exchange(peer, -1));
    std::uint8_t byte = 0;
    EXPECT_EQ(transport->recv({&byte, 1}).error, errc::closed);
    EXPECT_FALSE(transport->quiet());
}

TEST_F(TransportTest, IsQuietOnlyWhileNothingIsUnread) {
    EXPECT_TRUE(transport->quiet());
    put("x");
    EXPECT_FALSE(transport->quiet());
    std::uint8_t byte = 0;
    EXPECT_EQ(transport->recv({&byte, 1}).bytes, 1u);
    EXPECT_TRUE(transport->quiet());
}

TEST_F(TransportTest, KeepsWhatTheKernelDoesNotTakeAndSendsItLaterInOrder) {
    std::string big;
    for (int i = 0; big.size() < 4u << 20; ++i) big += std::to_string(i) + ",";
    Outbox out;
    out.own().text("head:");
    out.pass(as_bytes(big));
    out.own().text(":tail");
    ASSERT_TRUE(transport->send(out));
    EXPECT_GT(transport->unsent(), 0u);
    out.clear();
    out.own().text("+more");
    ASSERT_TRUE(transport->send(out));  // behind what waits
    std::string received;
    while (received.size() < big.size() + 15) {
        const std::string piece = get(1 << 20);
        ASSERT_FALSE(piece.empty());
        received += piece;
        ASSERT_TRUE(transport->flush());
    }
    EXPECT_EQ(received, "head:" + big + ":tail+more");
    EXPECT_EQ(transport->unsent(), 0u);
    EXPECT_EQ(transport->sent(), received.size());
}

TEST_F(TransportTest, SendsManySegmentsWholeAndInOrder) {
    std::string expected;
    const std::string text = "0123456789";
    Outbox out;
    for (std::size_t i = 0; i < 100; ++i) {
        out.pass(as_bytes(text).subspan(i % 5, 2));
        out.own().text("-");
        expected += text.substr(i % 5, 2) + "-";
    }
    ASSERT_TRUE(transport->send(out));
    EXPECT_EQ(get(4096), expected);
}

TEST_F(TransportTest, SaysThatSendingFailedWhenThePeerIsGone) {
    ::close(std::exchange(peer, -1));
    Outbox out;
    out.own().text("x");
    EXPECT_FALSE(transport->send(out));
}

TEST_F(TransportTest, ClosingWakesWhoWaits) {
    int calls = 0;
    transport->on_readable([&] { ++calls; });
    transport->close();
    run();
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(transport->is_open());
    std::uint8_t byte = 0;
    EXPECT_TRUE(transport->recv({&byte, 1}).error);
}

TEST_F(TransportTest, CallsNobodyAfterItsEnd) {
    transport->on_readable([] { FAIL(); });
    transport.reset();
    run();
}

TEST_F(TransportTest, MovesToAnotherLoopWithItsUnreadBytes) {
    put("unread");
    boost::asio::io_context other;
    Transport moved(other.get_executor(), transport->release());
    EXPECT_FALSE(transport->is_open());
    int calls = 0;
    moved.on_readable([&] { ++calls; });
    while (other.poll() > 0) {
    }
    EXPECT_EQ(calls, 1);
    std::uint8_t bytes[16];
    EXPECT_EQ(moved.recv(bytes).bytes, 6u);
}

TEST_F(TransportTest, LetsACallbackDestroyItsTransport) {
    transport->on_readable([&] { transport.reset(); });
    put("x");
    run();
    EXPECT_EQ(transport, nullptr);
}

}  // namespace
