// SPDX-License-Identifier: Apache-2.0
// The pipe over socket pairs; a message of this "protocol" ends with a semicolon.
#include "daemon/pipe.hpp"

#include "daemon/metrics/names.hpp"
#include "tests/unit/daemon/relay_fixture.hpp"

namespace leasehold::daemon::lines {
namespace {

class Semicolons final : public wire::Seam {
  public:
    std::size_t pass(Bytes in, bool to_end) noexcept override {
        std::size_t at = 0;
        while (at < in.size() && !(to_end && between_)) between_ = in[at++] == ';';
        return at;
    }
    bool between() const noexcept override { return between_; }

  private:
    bool between_ = true;
};

class PipeTest : public testing::Test {
  protected:
    PipeTest() {
        const auto [one, two] = pair_of_sockets();
        const auto [three, four] = pair_of_sockets();
        client_end = two;
        server_end = four;
        client = std::make_unique<wire::Transport>(io.get_executor(), one);
        server = std::make_unique<Wire>(io.get_executor(), three);
    }
    ~PipeTest() override {
        pipe.reset();
        pump();
        ::close(client_end);
        ::close(server_end);
    }
    void run(std::string_view from_server = {}, std::string_view from_client = {}) {
        wire::Inbox sent;
        sent.append(wire::as_bytes(from_client));
        server->inbox().append(wire::as_bytes(from_server));
        pipe = std::make_unique<Pipe>(*client, std::move(sent), *server, seam, buffer, &traffic);
        boost::asio::co_spawn(io, pipe->run(), [this](const std::exception_ptr& failure, Pipe::End how) {
            EXPECT_FALSE(failure);
            end = how;
        });
        pump();
    }
    void pump() {
        io.restart();
        io.run_for(5ms);
    }
    void tell(int descriptor, const std::string& text) {
        EXPECT_EQ(::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
        pump();
    }
    static std::string heard(int descriptor) {
        std::string all(1 << 20, '\0');
        const ssize_t n = ::recv(descriptor, all.data(), all.size(), MSG_DONTWAIT);
        all.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return all;
    }

    metrics::Registry registry{1};
    metrics::Traffic traffic{registry, 0, "orders"};
    boost::asio::io_context io{1};
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(4096);
    Semicolons seam;
    int client_end = -1, server_end = -1;
    std::unique_ptr<wire::Transport> client;
    std::unique_ptr<Wire> server;
    std::unique_ptr<Pipe> pipe;
    std::optional<Pipe::End> end;
};

TEST_F(PipeTest, CarriesWhatEitherSideSendsWhatWasReadBeforeIncluded) {
    run("early;", "hello;");
    EXPECT_EQ(heard(client_end), "early;");
    EXPECT_EQ(heard(server_end), "hello;");
    tell(client_end, "one;tw");
    EXPECT_EQ(heard(server_end), "one;tw");
    tell(server_end, "three");
    EXPECT_EQ(heard(client_end), "three");
    EXPECT_FALSE(end);
    EXPECT_EQ(registry.value(metrics::names::received_bytes, {{"pool", "orders"}}), 12);
    EXPECT_EQ(registry.value(metrics::names::sent_bytes, {{"pool", "orders"}}), 11);
}

TEST_F(PipeTest, EndsWithItsClient) {
    run();
    ::shutdown(client_end, SHUT_WR);
    pump();
    EXPECT_EQ(end, Pipe::End::client_gone);
}

TEST_F(PipeTest, GivesTheClientAllThatAServerSaidBeforeItsEnd) {
    run();
    const int small = 1;
    ::setsockopt(client->descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const std::string words(60'000, 'x');
    tell(server_end, words);
    ::shutdown(server_end, SHUT_WR);
    pump();
    std::string all;
    for (int i = 0; i < 1000 && all.size() < words.size(); ++i) {
        all += heard(client_end);
        pump();
    }
    EXPECT_EQ(all, words);
    EXPECT_EQ(end, Pipe::End::server_gone);
}

TEST_F(PipeTest, AClientThatStopsReadingStopsTheServer) {
    run();
    std::size_t taken = 0;
    const std::string words(64 * 1024, 'x');
    for (int i = 0; i < 200; ++i) {
        const ssize_t n = ::send(server_end, words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) taken += static_cast<std::size_t>(n);
        pump();
    }
    EXPECT_LT(taken, 4u << 20);
    EXPECT_LE(client->unsent(), buffer.size());
    tell(client_end, "still here;");  // the other way goes on
    EXPECT_EQ(heard(server_end), "still here;");
}

TEST_F(PipeTest, IsStoppedBetweenTwoMessages) {
    run();
    pipe->stop();
    pump();
    EXPECT_EQ(end, Pipe::End::stopped);
    EXPECT_TRUE(pipe->speakable());
}

TEST_F(PipeTest, IsStoppedAtTheEndOfTheMessageOnItsWay) {
    run();
    tell(server_end, "hal");
    pipe->stop();
    pump();
    EXPECT_FALSE(end);
    tell(server_end, "f;second;");
    EXPECT_EQ(end, Pipe::End::stopped);
    EXPECT_TRUE(pipe->speakable());
    EXPECT_EQ(heard(client_end), "half;");
}

TEST_F(PipeTest, DoesNotWaitForAMessageThatNeverEnds) {
    run();
    tell(server_end, "hal");
    pipe->stop();
    pipe->tick(wire::Clock::now());
    pump();
    EXPECT_FALSE(end);
    pipe->tick(wire::Clock::now() + 2s);
    pump();
    EXPECT_EQ(end, Pipe::End::stopped);
    EXPECT_FALSE(pipe->speakable());
}

}  // namespace
}  // namespace leasehold::daemon::lines
