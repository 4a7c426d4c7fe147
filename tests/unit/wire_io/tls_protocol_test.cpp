// SPDX-License-Identifier: Apache-2.0
// What TLS says to itself beside the data: key updates, renegotiation, tickets. The peer is OpenSSL alone, or us.
#include "tests/unit/wire_io/tls_fixture.hpp"

#include <openssl/ssl.h>

#include <fcntl.h>
#include <atomic>
#include <thread>

using namespace leasehold::testing;

namespace {

struct TlsProtocol : TlsTest {
    void SetUp() override {
        TlsTest::SetUp();
        contexts(identities().server(), identities().client());
    }
    // A peer that is OpenSSL alone, blocking, on a thread of the test's; the transport is the server.
    template <class F>
    std::thread bare_client(int fd, int max_version, F body) {
        return std::thread([fd, max_version, body, context = client_party.context] {
            SSL_CTX* settings = SSL_CTX_new(TLS_client_method());
            SSL_CTX_set_max_proto_version(settings, max_version);
            SSL* ssl = SSL_new(settings);
            (void)::fcntl(fd, F_SETFL, 0);
            SSL_set_fd(ssl, fd);
            if (SSL_connect(ssl) == 1) body(ssl);
            SSL_free(ssl);
            SSL_CTX_free(settings);
            ::close(fd);
        });
    }
    // Server against bare_client.
    template <class F>
    std::thread against(int max_version, F body) {
        server.reset();
        client.reset();
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        server = std::make_unique<Transport>(io.get_executor(), ends[0]);
        at_server.reset();
        std::thread thread = bare_client(ends[1], max_version, body);
        secure(*server, server_party, at_server, &pool);
        EXPECT_TRUE(until([this] { return at_server.has_value(); }));
        EXPECT_FALSE(at_server->error) << at_server->why;
        return thread;
    }
};

TEST_F(TlsProtocol, FollowsKeyUpdatesAndAnswersThem) {
    std::thread peer = against(TLS1_3_VERSION, [](SSL* ssl) {
        for (int i = 0; i < 5; ++i) {
            SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
            SSL_write(ssl, "ask", 3);
            char answer[3];
            SSL_read(ssl, answer, sizeof answer);
        }
        SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(ssl);
        SSL_write(ssl, "!", 1);
        char end;
        SSL_read(ssl, &end, 1);
    });
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(get(*server, 3), "ask");
        say(*server, "yes");
    }
    EXPECT_EQ(get(*server, 1), "!");
    server->close();
    peer.join();
}

TEST_F(TlsProtocol, IsQuietThroughAKeyUpdate) {
    std::atomic<bool> sent{false}, seen{false};
    std::thread peer = against(TLS1_3_VERSION, [&](SSL* ssl) {
        char go;
        SSL_read(ssl, &go, 1);  // else it might come with the handshake's last bytes
        SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(ssl);
        sent = true;
        while (!seen) std::this_thread::sleep_for(1ms);
    });
    say(*server, "!");
    while (!sent) std::this_thread::sleep_for(1ms);
    EXPECT_GT(waiting(server->descriptor()), 0u);
    EXPECT_TRUE(server->quiet());
    EXPECT_EQ(waiting(server->descriptor()), 0u);
    seen = true;
    peer.join();
}

TEST_F(TlsProtocol, DoesNotRenegotiate) {
    std::atomic<bool> over{false};
    std::thread peer = against(TLS1_2_VERSION, [&](SSL* ssl) {
        SSL_write(ssl, "before", 6);
        SSL_renegotiate(ssl);
        EXPECT_NE(SSL_do_handshake(ssl), 1);
        over = true;
    });
    EXPECT_EQ(at_server->facts.version, "TLSv1.2");
    EXPECT_EQ(get(*server, 6), "before");
    std::error_code error;
    EXPECT_TRUE(until([&] {
        std::array<std::uint8_t, 64> buffer{};
        const Transport::Io io_ = server->recv(buffer);
        EXPECT_EQ(io_.bytes, 0u);
        error = io_.error;
        return error || over;
    }));
    server->close();
    peer.join();
}

TEST_F(TlsProtocol, DoesNotLetAFloodOfKeyUpdatesKeepTheThreadOrTheMemory) {
    std::atomic<bool> stop{false};
    std::atomic<int> asked{0};
    std::thread peer = against(TLS1_3_VERSION, [&](SSL* ssl) {
        SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
        const timeval limit{0, 100'000};
        (void)::setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        for (int i = 0; i < 200'000 && !stop; ++i) {  // asks and asks and never reads
            SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
            if (SSL_do_handshake(ssl) != 1) return;
            ++asked;
        }
    });
    bool ended = false;
    std::size_t most = 0;
    (void)until(
        [&] {
            std::array<std::uint8_t, 64> buffer{};
            const auto before = Clock::now();
            const Transport::Io io_ = server->recv(buffer);
            EXPECT_LT(Clock::now() - before, 3s);
            most = std::max(most, server->unsent());
            ended = static_cast<bool>(io_.error);
            return ended;
        },
        8s);
    stop = true;
    server->close();
    peer.join();
    EXPECT_TRUE(ended) << most << " after " << asked;
    EXPECT_LE(most, 300'000u);
}

// --- resumption ---------------------------------------------------------------------------------------------------

struct TlsResumption : TlsTest {};

TEST_F(TlsResumption, ResumesWithATicketAndKnowsThePeerStill) {
    auto of_server = identities().server();
    auto of_client = identities().client();
    of_server.client_ca = of_client.ca;
    of_server.client_must = true;
    of_client.cert = identities().folder.at("client.crt");
    of_client.key = identities().folder.at("client.key");
    contexts(of_server, of_client);
    for (int i = 0; i < 4; ++i) {
        secured();
        EXPECT_EQ(at_client->facts.version, "TLSv1.3");
        EXPECT_EQ(at_client->facts.resumed, i > 0) << i;
        EXPECT_EQ(at_server->facts.resumed, i > 0) << i;
        EXPECT_TRUE(at_client->facts.peer_certified);
        EXPECT_EQ(at_client->facts.peer_name, "server.test");
        EXPECT_EQ(at_server->facts.peer_name, "alice");
        EXPECT_EQ(at_client->facts.server_end_point, at_server->facts.server_end_point);
        EXPECT_EQ(at_client->facts.server_end_point.size(), 32u);
        converse();  // the ticket comes before the first data
        reconnect();
    }
}

TEST_F(TlsResumption, ResumesTls12AsWell) {
    contexts(identities().server(), identities().client());
    SSL_CTX_set_max_proto_version(server_party.context->native(), TLS1_2_VERSION);
    for (int i = 0; i < 3; ++i) {
        secured();
        EXPECT_EQ(at_client->facts.version, "TLSv1.2");
        EXPECT_EQ(at_client->facts.resumed, i > 0) << i;
        EXPECT_EQ(at_client->facts.server_end_point, at_server->facts.server_end_point);
        converse();
        reconnect();
    }
}

TEST_F(TlsResumption, DoesNotOfferOneHostsSessionToAnother) {
    contexts(identities().server(), identities().client());
    secured();
    converse();
    reconnect();
    client_party.host = "a.wild.test";
    secured();
    EXPECT_FALSE(at_client->facts.resumed);
}

TEST_F(TlsResumption, BeginsAnewWithANewContext) {
    contexts(identities().server(), identities().client());
    secured();
    converse();
    reconnect();
    server_party.context = loaded(TlsContext::server(identities().server()));
    secured();
    EXPECT_FALSE(at_client->facts.resumed);
    converse();
}

}  // namespace
