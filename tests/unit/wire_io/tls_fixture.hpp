// SPDX-License-Identifier: Apache-2.0
// Two transports that secure each other in one loop, with certificates of an authority of their own.
#pragma once

#include "dialects/wire/transport.hpp"
#include "tests/unit/wire_io/certificates.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <functional>
#include <optional>

namespace leasehold::testing {

using namespace leasehold::wire;
using namespace std::chrono_literals;

struct Identities {
    Identities() {
        write("server", named("server.test", "DNS:db.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1"));
        write("client", named("alice"));
        authority.write(folder.at("ca.crt"), folder.at("ca.key"));
        stranger.write(folder.at("stranger.crt"), folder.at("stranger.key"));
    }
    void write(const std::string& name, const Wish& wish) { write(name, wish, authority); }
    void write(const std::string& name, const Wish& wish, const Certificate& issuer) {
        Certificate(wish, &issuer).write(folder.at(name + ".crt"), folder.at(name + ".key"));
    }
    [[nodiscard]] TlsContext::ServerFiles server() const {
        TlsContext::ServerFiles files;
        files.cert = folder.at("server.crt");
        files.key = folder.at("server.key");
        return files;
    }
    [[nodiscard]] TlsContext::ClientFiles client() const {
        TlsContext::ClientFiles files;
        files.verify = TlsContext::Verify::full;
        files.ca = folder.at("ca.crt");
        return files;
    }
    Folder folder;
    Certificate authority{authority_named("Test authority"), nullptr};
    Certificate stranger{authority_named("Another authority"), nullptr};
};

inline Identities& identities() {
    static Identities made;
    return made;
}

inline std::shared_ptr<const TlsContext> loaded(TlsContext::Loaded outcome) {
    EXPECT_EQ(outcome.error, "");
    return outcome.context;
}

inline void put_all(int fd, std::string_view text) {
    ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// Bytes that the kernel holds for the reader.
inline std::size_t waiting(int fd) {
    int bytes = 0;
    (void)::ioctl(fd, FIONREAD, &bytes);
    return static_cast<std::size_t>(bytes);
}

struct TlsTest : ::testing::Test {
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        server = std::make_unique<Transport>(io.get_executor(), ends[0]);
        client = std::make_unique<Transport>(io.get_executor(), ends[1]);
    }
    void contexts(const TlsContext::ServerFiles& of_server, const TlsContext::ClientFiles& of_client) {
        server_party.context = loaded(TlsContext::server(of_server));
        client_party.context = loaded(TlsContext::client(of_client));
        if (client_party.host.empty()) client_party.host = "db.test";
    }
    static void secure(Transport& transport, TlsParty party, std::optional<Transport::Secured>& outcome,
                       boost::asio::thread_pool* pool, Deadline deadline = Clock::now() + 10s, Inbox head = {}) {
        boost::asio::co_spawn(transport.executor(), transport.secure(std::move(party), std::move(head), deadline, pool),
                              [&outcome](const std::exception_ptr& failure, Transport::Secured secured) {
                                  EXPECT_FALSE(failure);
                                  outcome = std::move(secured);
                              });
    }
    void start() {
        at_server.reset();
        at_client.reset();
        secure(*server, server_party, at_server, &pool);
        secure(*client, client_party, at_client, &pool);
    }
    // Runs until `done`, or ten seconds; whether it was done.
    bool until(const std::function<bool()>& done, std::chrono::milliseconds limit = 10s) {
        const auto end = Clock::now() + limit;
        io.restart();
        bool well = false;
        while (!(well = done()) && Clock::now() < end) {
            io.run_one_for(10ms);
            io.restart();
        }
        return well;
    }
    void handshake() {
        start();
        ASSERT_TRUE(until([this] { return at_server && at_client; }));
    }
    void secured() {
        handshake();
        ASSERT_FALSE(at_server->error) << at_server->why;
        ASSERT_FALSE(at_client->error) << at_client->why;
    }
    void reconnect() {
        server.reset();
        client.reset();
        TlsTest::SetUp();
    }
    // Reads what comes within the time, until `bytes` of it or an end.
    std::string get(Transport& from, std::size_t bytes, std::error_code* error = nullptr) {
        std::string text;
        (void)until([&] {
            std::array<std::uint8_t, 4096> buffer{};
            const Transport::Io io_ = from.recv(std::span(buffer).first(std::min(buffer.size(), bytes - text.size())));
            text += as_text(Bytes(buffer).first(io_.bytes));
            if (io_.error && error != nullptr) *error = io_.error;
            return io_.error || text.size() >= bytes;
        });
        return text;
    }
    void say(Transport& to, std::string_view text) {
        const Transport::Io io_ = to.send(as_bytes(text));
        EXPECT_FALSE(io_.error) << io_.error.message();
        EXPECT_EQ(io_.bytes, text.size());
    }
    void converse() {
        say(*client, "ping");
        EXPECT_EQ(get(*server, 4), "ping");
        say(*server, "pong");
        EXPECT_EQ(get(*client, 4), "pong");
    }

    boost::asio::io_context io;
    boost::asio::thread_pool pool{2};
    std::unique_ptr<Transport> server, client;
    TlsParty server_party, client_party;
    std::optional<Transport::Secured> at_server, at_client;
};

}  // namespace leasehold::testing
