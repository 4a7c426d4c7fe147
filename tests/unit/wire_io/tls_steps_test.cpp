// SPDX-License-Identifier: Apache-2.0
// A handshake that is disturbed: in pieces, with noise, broken off, out of time or abandoned at every step.
#include "tests/unit/wire_io/tls_fixture.hpp"

#include "dialects/wire/drive.hpp"

#include <cerrno>
#include <cstdlib>
#include <thread>

using namespace leasehold::testing;

namespace {

// Server and client on two pairs of sockets, what they say passed on by the test.
struct TlsSteps : TlsTest {
    void SetUp() override {
        connect();
        contexts(identities().server(), identities().client());
    }
    void TearDown() override { disconnect(); }
    void connect() {
        disconnect();
        int one[2], two[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, one), 0);
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, two), 0);
        server = std::make_unique<Transport>(io.get_executor(), one[0]);
        client = std::make_unique<Transport>(io.get_executor(), two[0]);
        to_server = one[1];
        to_client = two[1];
        at_server.reset();
        at_client.reset();
        passed = 0;
    }
    void disconnect() {
        server.reset();
        client.reset();
        for (int* fd : {&to_server, &to_client}) {
            if (*fd >= 0) ::close(std::exchange(*fd, -1));
        }
    }
    // Passes at most `limit` bytes on altogether, in pieces, until both are done or nothing moves for a while.
    void relay(std::size_t piece, std::size_t limit, std::chrono::milliseconds patience = 20ms) {
        auto last = Clock::now();
        std::array<char, 20'000> buffer{};
        while (!(at_server && at_client) && Clock::now() - last < patience) {
            for (const auto& [from, to] : {std::pair(to_server, to_client), std::pair(to_client, to_server)}) {
                const std::size_t room = std::min({piece, limit - passed, buffer.size()});
                const ssize_t n = room == 0 ? 0 : ::recv(from, buffer.data(), room, MSG_DONTWAIT);
                if (n <= 0) continue;
                passed += static_cast<std::size_t>(n);
                while (::send(to, buffer.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) < 0 && errno == EAGAIN) {
                    io.poll();  // so many small pieces fill the kernel's buffer until they are read
                    io.restart();
                }
                last = Clock::now();
            }
            io.poll();
            io.restart();
            std::this_thread::yield();
        }
    }
    // What a whole handshake takes.
    std::size_t whole() {
        start();
        relay(20'000, SIZE_MAX, 5s);
        EXPECT_TRUE(at_server && at_client);
        return passed;
    }

    int to_server = -1, to_client = -1;
    std::size_t passed = 0;
};

TEST_F(TlsSteps, SucceedsByteByByte) {
    start();
    relay(1, SIZE_MAX, 5s);
    ASSERT_TRUE(at_server && at_client);
    EXPECT_FALSE(at_server->error) << at_server->why;
    EXPECT_FALSE(at_client->error) << at_client->why;
}

TEST_F(TlsSteps, EndsAtTheDeadlineWhereverThePeerStops) {
    const std::size_t total = whole();
    for (std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{100}, total / 4, total / 2,
                              total * 3 / 4}) {
        connect();
        secure(*server, server_party, at_server, &pool, Clock::now() + 40ms);
        secure(*client, client_party, at_client, &pool, Clock::now() + 40ms);
        relay(50, limit);
        ASSERT_TRUE(until([this] { return at_server && at_client; }, 3s)) << limit;
        EXPECT_TRUE(at_server->error == errc::timed_out || at_client->error == errc::timed_out) << limit;
        EXPECT_FALSE(server->encrypted() && client->encrypted());
    }
}

TEST_F(TlsSteps, IsClosedWhereverThePeerCloses) {
    const std::size_t total = whole();
    for (std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{100}, total / 4, total / 2}) {
        connect();
        start();
        relay(50, limit);
        ::close(std::exchange(to_server, -1));
        ::close(std::exchange(to_client, -1));
        ASSERT_TRUE(until([this] { return at_server && at_client; }, 3s)) << limit;
        EXPECT_TRUE(at_server->error == errc::closed || at_server->error == std::errc::connection_reset)
            << limit << at_server->error.message();
        EXPECT_TRUE(at_client->error) << limit;
        EXPECT_NE(at_server->why, "");
    }
}

TEST_F(TlsSteps, IsCancelledWhereverItIsClosedFromOutside) {
    const std::size_t total = whole();
    for (std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{100}, total / 2}) {
        for (const bool underway : {false, true}) {
            connect();
            start();
            relay(50, limit);
            if (underway) io.poll_one();  // a step may be on the other threads
            server->close();
            client->close();
            EXPECT_FALSE(server->is_open());
            ASSERT_TRUE(until([this] { return at_server && at_client; }, 3s)) << limit;
            EXPECT_EQ(at_server->error, errc::cancelled) << limit;
            EXPECT_FALSE(server->encrypted());
        }
    }
}

TEST_F(TlsSteps, MayBeAbandonedAtAnyMoment) {
    // The transport goes while a step runs on another thread, or while it waits; so does the coroutine.
    for (int i = 0; i < 60; ++i) {
        connect();
        start();
        relay(700, static_cast<std::size_t>(i) * 60);
        if (at_server || at_client) break;
        put_all(to_server, "x");  // wakes both, whatever they wait for
        put_all(to_client, "x");
        for (int n = i % 4; n > 0; --n) io.poll_one();
        server.reset();
        client.reset();
        if (i % 2 == 0) (void)until([] { return false; }, 2ms);
    }
    pool.join();
    io.restart();
    while (io.poll() > 0) {
    }
}

TEST_F(TlsSteps, RefusesWhatIsNoClientHello) {
    put_all(to_server, "GET / HTTP/1.1\r\nHost: db.test\r\n\r\n");
    secure(*server, server_party, at_server, &pool);
    ASSERT_TRUE(until([this] { return at_server.has_value(); }));
    EXPECT_EQ(at_server->error, errc::tls_failed);
    EXPECT_EQ(at_server->why, "http request");
}

TEST_F(TlsSteps, RefusesWhatIsNoServerHello) {
    secure(*client, client_party, at_client, &pool);
    put_all(to_client, "E: no such thing as TLS here\n");
    ASSERT_TRUE(until([this] { return at_client.has_value(); }));
    EXPECT_EQ(at_client->error, errc::tls_failed);
    EXPECT_EQ(at_client->why, "wrong version number");
    std::array<char, 4096> buffer{};
    ASSERT_GT(::recv(to_client, buffer.data(), buffer.size(), 0), 0);
}

TEST_F(TlsSteps, SurvivesNoiseAtEveryPlace) {
    const std::size_t total = whole();
    std::srand(7);
    for (int i = 0; i < 60; ++i) {
        connect();
        start();
        relay(20'000, static_cast<std::size_t>(std::rand()) % total);
        std::string noise(static_cast<std::size_t>(std::rand()) % 3000 + 1, '\0');
        for (char& c : noise) c = static_cast<char>(std::rand());
        put_all(to_server, noise);
        put_all(to_client, noise);
        relay(20'000, SIZE_MAX);
        server->close();
        client->close();
        ASSERT_TRUE(until([this] { return at_server && at_client; }, 3s));
    }
}

TEST_F(TlsSteps, SendsItsAlertBeforeTheEnd) {
    auto of_client = identities().client();
    of_client.ca = identities().folder.at("stranger.crt");
    client_party.context = loaded(TlsContext::client(of_client));
    start();
    relay(20'000, SIZE_MAX, 5s);
    ASSERT_TRUE(at_client && at_server);
    client->close();
    EXPECT_NE(at_server->why.find("alert unknown ca"), std::string::npos) << at_server->why;
}

// --- as drive() performs it ---------------------------------------------------------------------------------------

// Wants TLS at once (`direct`) or behind a byte, then a word, and is done.
class Greets final : public Exchange {
  public:
    Greets(bool direct, std::string_view word) : direct_(direct), word_(word) {}
    Action resume(Bytes input, std::error_code ec) override {
        if (ec) return Action::done(0, ec);
        switch (step_++) {
            case 0:
                if (direct_ && input.empty()) {
                    --step_;
                    return Action::read(0);
                }
                return Action::start_tls(0, direct_);
            case 1: return Action::write(0, as_bytes(word_));
            default:
                if (input.size() < word_.size()) return Action::read(0);
                heard.assign(as_text(input.first(word_.size())));
                return Action::done(word_.size());
        }
    }
    void secured(const TlsFacts& of_tls) override { facts = of_tls; }
    TlsFacts facts;
    std::string heard;

  private:
    bool direct_;
    std::string_view word_;
    int step_ = 0;
};

struct TlsDrive : TlsTest {
    void SetUp() override {
        TlsTest::SetUp();
        contexts(identities().server(), identities().client());
    }
    void spawn(Transport& transport, Exchange& exchange, Inbox& inbox, TlsParty party,
               std::optional<std::error_code>& outcome) {
        boost::asio::co_spawn(io, drive(transport, exchange, inbox, Clock::now() + 5s, &pool, std::move(party)),
                              [&outcome](const std::exception_ptr& failure, std::error_code ec) {
                                  EXPECT_FALSE(failure);
                                  outcome = ec;
                              });
    }
    void converse(bool direct) {
        Greets of_server(direct, "hello"), of_client(false, "hello");
        Inbox from_client, from_server;
        std::optional<std::error_code> one, two;
        spawn(*server, of_server, from_client, server_party, one);
        spawn(*client, of_client, from_server, client_party, two);
        ASSERT_TRUE(until([&] { return one && two; }));
        EXPECT_FALSE(*one) << one->message();
        EXPECT_FALSE(*two) << two->message();
        EXPECT_EQ(of_server.heard, "hello");
        EXPECT_EQ(of_client.heard, "hello");
        EXPECT_EQ(of_client.facts.version, "TLSv1.3");
        EXPECT_EQ(of_client.facts.server_end_point, of_server.facts.server_end_point);
    }
};

TEST_F(TlsDrive, StartsTlsInTheMiddleOfAConversation) { converse(false); }

TEST_F(TlsDrive, BeginsAHandshakeWithBytesThatWereReadAlready) { converse(true); }

TEST_F(TlsDrive, TellsTheExchangeWhyTheHandshakeFailed) {
    client_party.host = "elsewhere.test";
    Greets of_server(false, "hello"), of_client(false, "hello");
    Inbox from_client, from_server;
    std::optional<std::error_code> one, two;
    spawn(*server, of_server, from_client, server_party, one);
    spawn(*client, of_client, from_server, client_party, two);
    ASSERT_TRUE(until([&] { return one && two; }));
    EXPECT_EQ(*two, errc::tls_failed);
    EXPECT_EQ(of_client.diagnostics().message,
              "certificate verify failed: hostname mismatch: the server's certificate is not for \"elsewhere.test\"");
    EXPECT_NE(of_server.diagnostics().message, "");
}

}  // namespace
