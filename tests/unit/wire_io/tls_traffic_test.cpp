// SPDX-License-Identifier: Apache-2.0
// Bytes through a secured transport: readiness, records, idleness, ends, and the move to another thread.
#include "tests/unit/wire_io/tls_fixture.hpp"

#include <thread>

using namespace leasehold::testing;

namespace {

void shrink(int fd) {
    const int size = 2048;
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

struct TlsTraffic : TlsTest {
    void SetUp() override {
        TlsTest::SetUp();
        contexts(identities().server(), identities().client());
        secured();
    }
    void settle() {
        io.restart();
        while (io.poll() > 0) {
        }
    }
};

TEST_F(TlsTraffic, CallsBackForWhatARecordHoldsBeyondTheReadersBuffer) {
    say(*client, "abcdef");
    std::string got;
    int calls = 0;
    std::function<void()> read = [&] {
        ++calls;
        std::array<std::uint8_t, 2> two{};
        const Transport::Io io_ = server->recv(two);
        got += as_text(Bytes(two).first(io_.bytes));
        if (got.size() < 6) server->on_readable([&] { read(); });
    };
    server->on_readable([&] { read(); });
    EXPECT_TRUE(until([&] { return got.size() == 6; }, 2s));
    EXPECT_EQ(got, "abcdef");
    server->on_readable([] { FAIL() << "nothing is left"; });
    settle();
    server->on_readable({});
}

TEST_F(TlsTraffic, DoesNotSpinOnHalfARecord) {
    // The record goes to the server in two pieces, the second later.
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    say(*client, std::string(1000, 'x'));
    std::array<std::uint8_t, 4096> wire{};
    const ssize_t size = ::recv(server->descriptor(), wire.data(), wire.size(), 0);
    ASSERT_GT(size, 1000);
    const int direct = ::dup(client->descriptor());
    put_all(direct, as_text(Bytes(wire).first(600)));
    int calls = 0;
    std::function<void()> read = [&] {
        std::array<std::uint8_t, 4096> buffer{};
        if (++calls > 20) return;
        if (server->recv(buffer).would_block) server->on_readable([&] { read(); });
    };
    server->on_readable([&] { read(); });
    settle();
    EXPECT_LE(calls, 3);
    EXPECT_FALSE(server->quiet()) << "half a record may hold data";
    put_all(direct, as_text(Bytes(wire).first(static_cast<std::size_t>(size)).subspan(600)));
    settle();
    EXPECT_LE(calls, 5);
    ::close(direct);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(TlsTraffic, PutsSmallSegmentsIntoOneRecord) {
    (void)server->quiet();
    const std::size_t before = waiting(server->descriptor());
    Outbox out;
    const std::vector<std::uint8_t> first(100, 'a'), second(100, 'b');
    for (int i = 0; i < 20; ++i) {
        out.pass(first);
        out.own().text("own");
        out.pass(second);
    }
    ASSERT_TRUE(client->send(out));
    EXPECT_EQ(client->unsent(), 0u);
    EXPECT_EQ(client->sent(), 20u * 203);
    EXPECT_LT(waiting(server->descriptor()) - before, 20u * 203 + 64);
    std::string expected;
    for (int i = 0; i < 20; ++i) expected += std::string(100, 'a') + "own" + std::string(100, 'b');
    EXPECT_EQ(get(*server, expected.size()), expected);
}

TEST_F(TlsTraffic, KeepsWhatTheKernelDoesNotTakeAndCountsItOnce) {
    shrink(client->descriptor());
    const std::vector<std::uint8_t> big(300'000, 'x');
    Outbox out;
    out.pass(big);
    out.own().text("end");
    ASSERT_TRUE(client->send(out));
    EXPECT_GT(client->unsent(), 0u);
    EXPECT_LT(client->sent(), big.size());
    std::string got;
    (void)until([&] {
        std::array<std::uint8_t, 3000> buffer{};
        const Transport::Io io_ = server->recv(buffer);
        got += as_text(Bytes(buffer).first(io_.bytes));
        EXPECT_TRUE(client->flush());
        return got.size() >= big.size() + 3;
    });
    EXPECT_EQ(got, std::string(300'000, 'x') + "end");
    EXPECT_EQ(client->unsent(), 0u);
    EXPECT_EQ(client->sent(), 300'003u);
    EXPECT_EQ(server->received(), 300'003u);
}

TEST_F(TlsTraffic, CarriesSixtyFourMebibytesBothWaysThroughTinyBuffersWithSlowEnds) {
    struct End {
        Transport& transport;
        std::uint8_t seed;
        std::size_t written = 0, read = 0;
        bool wrong = false;
        int turn = 0;
    };
    constexpr std::size_t total = 64u << 20;
    shrink(server->descriptor());
    shrink(client->descriptor());
    End ends[2] = {{*server, 3}, {*client, 7}};
    std::vector<std::uint8_t> buffer(64 * 1024);
    const auto value = [](std::uint8_t seed, std::size_t at) { return static_cast<std::uint8_t>(at * 31 + (at >> 8) + seed); };
    Outbox out;
    const auto step = [&](End& end, std::uint8_t other) {
        ++end.turn;
        if (end.transport.unsent() > 0) {
            ASSERT_TRUE(end.transport.flush());
        } else if (end.written < total && end.turn % 3 != 0) {
            const std::size_t n = std::min<std::size_t>({total - end.written, static_cast<std::size_t>(end.turn) * 977 % 60'000 + 1});
            for (std::size_t i = 0; i < n; ++i) buffer[i] = value(end.seed, end.written + i);
            out.clear();
            out.pass(Bytes(buffer).first(n / 2));
            out.own().append(Bytes(buffer).subspan(n / 2, n - n / 2));
            ASSERT_TRUE(end.transport.send(out));
            end.written += n;
        }
        if (end.turn % 2 == 0) {
            const std::size_t room = static_cast<std::size_t>(end.turn) * 131 % 40'000 + 1;
            const Transport::Io io_ = end.transport.recv(std::span(buffer).first(room));
            ASSERT_FALSE(io_.error) << io_.error.message();
            for (std::size_t i = 0; i < io_.bytes; ++i) end.wrong |= buffer[i] != value(other, end.read + i);
            end.read += io_.bytes;
        }
    };
    const auto deadline = Clock::now() + 50s;
    while ((ends[0].read < total || ends[1].read < total) && Clock::now() < deadline && !HasFatalFailure()) {
        step(ends[0], ends[1].seed);
        step(ends[1], ends[0].seed);
    }
    for (const End& end : ends) {
        EXPECT_EQ(end.read, total);
        EXPECT_FALSE(end.wrong);
        EXPECT_EQ(end.transport.unsent(), 0u);
        EXPECT_EQ(end.transport.sent(), total);
    }
}

TEST_F(TlsTraffic, IsQuietThroughTicketsButNotThroughData) {
    // The server's ticket has come behind the handshake and was not read.
    ASSERT_GT(waiting(client->descriptor()), 0u);
    EXPECT_TRUE(client->quiet());
    EXPECT_EQ(waiting(client->descriptor()), 0u);
    EXPECT_TRUE(client->quiet());
    say(*server, "x");
    EXPECT_FALSE(client->quiet());
    EXPECT_EQ(get(*client, 1), "x");
    EXPECT_TRUE(client->quiet());
    server->close();
    EXPECT_FALSE(client->quiet());
}

TEST_F(TlsTraffic, EndsWithCloseNotifyOnceAndReportsItAsClosed) {
    (void)client->quiet();
    server->shutdown_send();
    const std::size_t notified = waiting(client->descriptor());
    EXPECT_GT(notified, 0u);
    server->close();
    EXPECT_EQ(waiting(client->descriptor()), notified);
    std::error_code error;
    EXPECT_EQ(get(*client, 1, &error), "");
    EXPECT_EQ(error, errc::closed);
    EXPECT_EQ(client->recv(std::span<std::uint8_t>()).error, errc::closed);
}

TEST_F(TlsTraffic, ReportsAnEndWithoutCloseNotifyAsClosed) {
    say(*server, "last words");
    Transport::Released given = server->release();
    ::close(std::exchange(given.descriptor, -1));
    EXPECT_EQ(get(*client, 10), "last words");
    std::error_code error;
    EXPECT_EQ(get(*client, 1, &error), "");
    EXPECT_EQ(error, errc::closed);
}

TEST_F(TlsTraffic, ReadsTheLastWordsOfAPeerThatDoesNotTakeMore) {
    say(*server, "last words");
    server->close();
    std::error_code refused;
    for (int i = 0; i < 3 && !refused; ++i) refused = client->send(as_bytes("too late")).error;
    EXPECT_TRUE(refused);
    EXPECT_EQ(get(*client, 10), "last words");
}

TEST_F(TlsTraffic, ReportsBytesThatAreNoRecord) {
    const int direct = ::dup(server->descriptor());
    put_all(direct, "ERROR: this is no TLS at all\n");
    std::error_code error;
    EXPECT_EQ(get(*client, 1, &error), "");
    EXPECT_TRUE(error);
    EXPECT_NE(error, errc::closed);
    EXPECT_EQ(error.message().substr(0, 5), "TLS: ");
    EXPECT_FALSE(client->quiet());
    ::close(direct);
}

TEST_F(TlsTraffic, GoesOnAfterTheMoveOfBothEndsToOtherThreads) {
    say(*client, "half read");
    EXPECT_EQ(get(*server, 4), "half");  // the rest is decrypted and waits inside
    shrink(server->descriptor());
    const std::vector<std::uint8_t> big(100'000, 'y');
    Outbox out;
    out.pass(big);
    ASSERT_TRUE(server->send(out));
    ASSERT_GT(server->unsent(), 0u);  // on its way while the ends move
    Transport::Released moved_server = server->release();
    Transport::Released moved_client = client->release();
    EXPECT_FALSE(server->is_open());
    std::string at_new_server, at_new_client;
    const auto live = [](Transport::Released connection, std::string_view says, std::size_t wants, std::string& got) {
        boost::asio::io_context own;
        Transport transport(own.get_executor(), std::move(connection));
        EXPECT_TRUE(transport.encrypted());
        Outbox words;
        words.own().text(says);
        bool spoke = false;
        std::array<std::uint8_t, 5000> buffer{};
        std::function<void()> on_read = [&] {
            const Transport::Io io_ = transport.recv(buffer);
            got += as_text(Bytes(buffer).first(io_.bytes));
            EXPECT_FALSE(io_.error) << io_.error.message();
            if (!io_.error && got.size() < wants) transport.on_readable([&] { on_read(); });
        };
        transport.on_readable([&] { on_read(); });
        const auto deadline = Clock::now() + 10s;
        while ((got.size() < wants || !spoke || transport.unsent() > 0) && Clock::now() < deadline) {
            EXPECT_TRUE(transport.flush());
            if (!spoke && transport.unsent() == 0) {
                EXPECT_TRUE(transport.send(words));
                spoke = true;
            }
            own.restart();
            own.run_one_for(1ms);
        }
        (void)transport.release().descriptor;
    };
    std::thread one([&] { live(std::move(moved_server), "from the server", 5 + 15, at_new_server); });
    std::thread two([&] { live(std::move(moved_client), "from the client", 100'000 + 15, at_new_client); });
    one.join();
    two.join();
    EXPECT_EQ(at_new_server, " readfrom the client");
    EXPECT_EQ(at_new_client, std::string(100'000, 'y') + "from the server");
}

TEST_F(TlsTraffic, CallsBackForDataThatCameWithTheHandshake) {
    reconnect();
    at_client.reset();
    at_server.reset();
    secure(*client, client_party, at_client, nullptr);
    io.restart();
    io.poll();  // the client has said its hello
    secure(*server, server_party, at_server, nullptr);
    // The client's last flight and its first data are there before the server looks.
    while (!at_client) io.run_one();
    say(*client, "early");
    EXPECT_FALSE(at_server);
    ASSERT_TRUE(until([&] { return at_server.has_value(); }));
    bool called = false;
    server->on_readable([&] { called = true; });
    EXPECT_TRUE(until([&] { return called; }, 2s));
    EXPECT_EQ(get(*server, 5), "early");
}

TEST_F(TlsTraffic, IsNotSecuredTwice) {
    std::optional<Transport::Secured> again;
    secure(*client, client_party, again, &pool);
    ASSERT_TRUE(until([&] { return again.has_value(); }));
    EXPECT_EQ(again->error, errc::unsupported);
    say(*client, "still");
    EXPECT_EQ(get(*server, 5), "still");
}

TEST_F(TlsTraffic, IsClosedWhenItIsDroppedOnTheWayToAnotherThread) {
    { const Transport::Released dropped = server->release(); }
    std::error_code error;
    EXPECT_EQ(get(*client, 1, &error), "");
    EXPECT_EQ(error, errc::closed);
}

}  // namespace
