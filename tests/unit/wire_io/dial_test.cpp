// SPDX-License-Identifier: Apache-2.0
// Dialling by names, with getaddrinfo() taken over by this program: names that answer, that fail and that hang.
#include "dialects/wire/transport.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

using namespace leasehold::wire;
using namespace std::chrono_literals;

namespace {

struct Names {
    std::mutex mutex;
    std::condition_variable released;
    std::map<std::string, std::vector<std::string>> addresses;
    std::map<std::string, int> asked;
    bool hang = true;  // names that begin with "hang"
};

Names& names() {
    static Names* const all = new Names;  // threads may ask for ever
    return *all;
}

int asked(const std::string& name) {
    const std::lock_guard lock(names().mutex);
    return names().asked[name];
}

struct Made {
    addrinfo info{};
    sockaddr_in address{};
};

}  // namespace

extern "C" int getaddrinfo(const char* host, const char*, const addrinfo*, addrinfo** found) {
    std::unique_lock lock(names().mutex);
    const std::string name = host;
    ++names().asked[name];
    if (name.starts_with("hang")) {
        names().released.wait(lock, [] { return !names().hang; });
        return EAI_AGAIN;
    }
    const auto known = names().addresses.find(name);
    if (known == names().addresses.end()) return EAI_NONAME;
    *found = nullptr;
    for (auto each = known->second.rbegin(); each != known->second.rend(); ++each) {
        auto* made = new Made;
        made->address.sin_family = AF_INET;
        ::inet_pton(AF_INET, each->c_str(), &made->address.sin_addr);
        made->info.ai_family = AF_INET;
        made->info.ai_addr = reinterpret_cast<sockaddr*>(&made->address);
        made->info.ai_addrlen = sizeof made->address;
        made->info.ai_next = *found;
        *found = &made->info;
    }
    return 0;
}

extern "C" void freeaddrinfo(addrinfo* list) noexcept {
    while (list != nullptr) {
        auto* made = reinterpret_cast<Made*>(list);  // its first member
        list = list->ai_next;
        delete made;
    }
}

namespace {

// A port on which some loopback addresses are listened on.
class Listening {
  public:
    std::uint16_t at(const char* address, std::uint16_t port, int backlog) {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port);
        ::inet_pton(AF_INET, address, &where.sin_addr);
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
        EXPECT_EQ(::listen(fd, backlog), 0);
        socklen_t length = sizeof where;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &length);
        fds_.push_back(fd);
        return ntohs(where.sin_port);
    }
    // Swallows every further attempt: its queue is full.
    void blackhole(const char* address, std::uint16_t port) {
        at(address, port, 0);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port);
        ::inet_pton(AF_INET, address, &where.sin_addr);
        for (int i = 0; i < 4; ++i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            (void)::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where);
            fds_.push_back(fd);
        }
    }
    [[nodiscard]] int accept() { return ::accept(fds_.front(), nullptr, nullptr); }
    ~Listening() {
        for (const int fd : fds_) ::close(fd);
    }

  private:
    std::vector<int> fds_;
};

int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    ::getsockopt(fd, level, name, &value, &length);
    return value;
}

struct DialTest : testing::Test {
    void SetUp() override {
        const std::lock_guard lock(names().mutex);
        names().hang = true;
        names().asked.clear();
        names().addresses = {{"one.test", {"127.0.0.1"}}, {"two.test", {"127.0.0.2", "127.0.0.1"}}};
    }
    void TearDown() override {
        const std::lock_guard lock(names().mutex);
        names().hang = false;
        names().released.notify_all();
    }
    std::optional<Dialled>& start(const std::string& host, std::uint16_t port, Clock::duration within = 5s) {
        std::optional<Dialled>& outcome = outcomes.emplace_back();
        boost::asio::co_spawn(*io, dial(io->get_executor(), host, port, Clock::now() + within),
                              [&outcome](const std::exception_ptr& failure, Dialled dialled) {
                                  EXPECT_FALSE(failure);
                                  outcome = std::move(dialled);
                              });
        return outcome;
    }
    void finish(const std::optional<Dialled>& outcome) {
        const auto end = Clock::now() + 10s;
        while (!outcome && Clock::now() < end) {
            io->run_one_for(10ms);
            io->restart();
        }
        ASSERT_TRUE(outcome);
    }
    const Dialled& dialled(const std::string& host, std::uint16_t port, Clock::duration within = 5s) {
        std::optional<Dialled>& outcome = start(host, port, within);
        finish(outcome);
        return *outcome;
    }

    std::unique_ptr<boost::asio::io_context> io = std::make_unique<boost::asio::io_context>();
    std::list<std::optional<Dialled>> outcomes;
    Listening listening;
};

TEST_F(DialTest, TakesAnAddressAsItIs) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    const Dialled& outcome = dialled("127.0.0.1", port);
    ASSERT_TRUE(outcome.transport);
    EXPECT_EQ(outcome.transport->peer(), "127.0.0.1:" + std::to_string(port));
    EXPECT_EQ(asked("127.0.0.1"), 0);
    EXPECT_NE(dialled("::1", port).message, "");
    EXPECT_EQ(asked("::1"), 0);
}

TEST_F(DialTest, GoesOnToTheNextAddressWhenOneRefuses) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    ASSERT_TRUE(dialled("two.test", port).transport);
    EXPECT_EQ(asked("two.test"), 1);
}

TEST_F(DialTest, NamesEveryAddressThatFailed) {
    std::uint16_t port = 0;
    {
        Listening gone;
        port = gone.at("127.0.0.1", 0, 8);
    }
    EXPECT_EQ(dialled("two.test", port).message, "two.test:" + std::to_string(port) +
                                                     ": 127.0.0.2: Connection refused; 127.0.0.1: Connection refused");
    EXPECT_EQ(dialled("one.test", port).message, "one.test:" + std::to_string(port) + ": Connection refused");
    EXPECT_EQ(dialled("none.test", port).message,
              "none.test:" + std::to_string(port) + ": cannot resolve the name: Name or service not known");
}

TEST_F(DialTest, GivesAnAddressThatSwallowsEverythingItsShareOnly) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    listening.blackhole("127.0.0.2", port);
    const auto began = Clock::now();
    ASSERT_TRUE(dialled("two.test", port, 1s).transport);
    EXPECT_GE(Clock::now() - began, 400ms);
}

TEST_F(DialTest, EndsAtTheDeadlineThoughTheNameHangs) {
    const auto began = Clock::now();
    const Dialled& outcome = dialled("hang-a.test", 5432, 50ms);
    EXPECT_LT(Clock::now() - began, 2s);
    EXPECT_EQ(outcome.error, errc::timed_out);
    EXPECT_EQ(outcome.message, "hang-a.test:5432: cannot resolve the name: no name server has answered in time");
}

TEST_F(DialTest, ResolvesOtherNamesWhileOneHangsHoweverOftenItIsAskedFor) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    for (int i = 0; i < 100; ++i) (void)start("hang-b.test", port, 3s);
    EXPECT_TRUE(dialled("one.test", port, 2s).transport);
    EXPECT_EQ(asked("hang-b.test"), 1);
    TearDown();
    for (const auto& outcome : outcomes) finish(outcome);
    EXPECT_NE(outcomes.front()->message.find("Temporary failure in name resolution"), std::string::npos)
        << outcomes.front()->message;
}

TEST_F(DialTest, SaysThatNameResolutionHangsAsAWhole) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    for (const char* name : {"hang-1.test", "hang-2.test", "hang-3.test", "hang-4.test"}) (void)start(name, port, 100ms);
    const Dialled& behind = dialled("one.test", port, 200ms);
    EXPECT_EQ(behind.error, errc::timed_out);
    EXPECT_NE(behind.message.find("name resolution hangs: other names are being waited for"), std::string::npos)
        << behind.message;
    std::this_thread::sleep_for(5s);
    const auto began = Clock::now();
    const Dialled& later = dialled("late.test", port, 5s);
    EXPECT_LT(Clock::now() - began, 2s) << "nobody waits for what will not come";
    EXPECT_NE(later.message.find("name resolution hangs: no name server has answered for seconds"), std::string::npos);
    EXPECT_TRUE(dialled("127.0.0.1", port).transport);
    TearDown();
    for (int i = 0; i < 100 && asked("one.test") == 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(dialled("one.test", port).transport);
}

TEST_F(DialTest, MayLoseItsLoopWhileANameIsLookedUp) {
    (void)start("hang-c.test", 5432);
    for (int i = 0; i < 200 && asked("hang-c.test") == 0; ++i) io->run_one_for(10ms);
    io.reset();
    TearDown();
    std::this_thread::sleep_for(50ms);
    SetUp();
    io = std::make_unique<boost::asio::io_context>();
    EXPECT_NE(dialled("none.test", 5432).message, "");
}

TEST_F(DialTest, FindsOutAboutPeersThatVanish) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    const Dialled& outcome = dialled("127.0.0.1", port);
    ASSERT_TRUE(outcome.transport);
    const int fd = outcome.transport->descriptor();
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
}

// TCP_USER_TIMEOUT also ends a peer that is alive and has merely closed its window for so long: a client that takes its
// time over a large result, a server that is busy while a pipeline waits for it.
TEST_F(DialTest, HasPatienceWithAPeerThatTakesItsTimeOverMuch) {
    const std::uint16_t port = listening.at("127.0.0.1", 0, 8);
    Transport& transport = *dialled("127.0.0.1", port).transport;
    const int fd = transport.descriptor();
    const int peer = listening.accept();
    const std::vector<std::uint8_t> much(100'000, 'x');
    Outbox out;
    out.pass(Bytes(much).first(100));
    ASSERT_TRUE(transport.send(out));
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
    out.clear();
    out.pass(much);
    ASSERT_TRUE(transport.send(out));
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    std::vector<std::uint8_t> taken(much.size() + 100);
    ASSERT_EQ(::recv(peer, taken.data(), taken.size(), MSG_WAITALL), static_cast<ssize_t>(taken.size()));
    for (int i = 0; i < 20; ++i) {  // ordinary exchanges again
        ASSERT_EQ(::send(peer, "ok", 2, 0), 2);
        for (int n = 0; n < 100 && transport.recv(taken).would_block; ++n) std::this_thread::sleep_for(1ms);
        EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0, i < 7) << i;
    }
    ::close(peer);
}

}  // namespace
