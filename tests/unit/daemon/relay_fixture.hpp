// SPDX-License-Identifier: Apache-2.0
// The relay over socket pairs, with a tracker of a protocol as small as can be: lines. "Q..." needs a backend and is
// answered by lines, the last of which is "Z" (or "T": a transaction is open); "L" is answered here; "X" is goodbye.
#pragma once

#include "daemon/relay.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <new>

namespace leasehold::daemon::lines {

using namespace std::chrono_literals;
using wire::Bytes;
using wire::Verdict;

struct LinesLease : wire::LeaseState {
    bool half = false, transaction = false;
    int due = 0;
};

class Lines final : public wire::Tracker {
  public:
    Verdict from_client(Bytes in, wire::Outbox& to_backend, wire::Outbox& to_client) override {
        std::size_t at = 0;
        while (at < in.size()) {
            const auto* newline = std::find(in.data() + at, in.data() + in.size(), '\n');
            const bool whole = newline != in.data() + in.size();
            const std::size_t end = static_cast<std::size_t>(newline - in.data()) + (whole ? 1 : 0);
            const bool begins = lease_ == nullptr || !lease_->half;
            if (begins && in[at] == 'X') return {Verdict::Kind::close, in.size()};
            if (begins && in[at] == 'L') {
                if (!whole) return {Verdict::Kind::more, at};
                to_client.own().append(Bytes(answer_));
            } else if (begins && refused_) {
                refused_ = false;
                to_client.own().append(Bytes(answer_));
            } else {
                if (lease_ == nullptr) return {Verdict::Kind::lease, at};
                if (begins && one_at_a_time && lease_->due > 0) return {Verdict::Kind::more, at};
                if (begins) ++lease_->due;
                lease_->half = !whole;
                to_backend.pass(in.subspan(at, end - at));
                if (no_memory) throw std::bad_alloc();
            }
            at = end;
        }
        return {Verdict::Kind::more, at};
    }
    Verdict from_backend(Bytes in, wire::Outbox& to_client, wire::Outbox&) override {
        to_client.pass(in);
        if (no_memory) throw std::bad_alloc();
        bool ended = false;
        for (const std::uint8_t c : in) {
            if (c != 'Z' && c != 'T') continue;
            lease_->due -= 1;
            lease_->transaction = c == 'T';
            ended = true;
            ++counts_.requests;
            if (c == 'Z') ++counts_.transactions;
        }
        const bool boundary = ended && lease_->due == 0 && !lease_->transaction;
        return {boundary ? Verdict::Kind::boundary : Verdict::Kind::more, in.size()};
    }
    bool ends_with_goodbye(Bytes held) const noexcept override {
        return held.size() >= 2 && held[held.size() - 2] == 'X';
    }
    void attach(wire::LeaseState& state) override { lease_ = static_cast<LinesLease*>(&state); }
    void detach() noexcept override { lease_ = nullptr; }
    bool attached() const noexcept override { return lease_ != nullptr; }
    wire::Aftermath lose(const wire::Loss&, wire::Outbox& to_client) override {
        to_client.own().append(Bytes(lost_));
        lease_ = nullptr;
        return wire::Aftermath::lives;
    }
    wire::Aftermath refuse(const wire::Diagnostics&, wire::Outbox&) override {
        refused_ = true;
        return wire::Aftermath::lives;
    }
    void farewell(const wire::Diagnostics&, wire::Outbox&) override {}
    std::uint64_t variant() const noexcept override { return 0; }
    std::uint64_t fingerprint() const noexcept override { return 0; }
    wire::TransactionStatus status() const noexcept override {
        return lease_ != nullptr && lease_->transaction ? wire::TransactionStatus::active
                                                        : wire::TransactionStatus::idle;
    }
    bool busy() const noexcept override { return lease_ != nullptr && lease_->due > 0; }
    bool completes() const noexcept override { return lease_ == nullptr || !lease_->half; }
    std::string_view pin() const noexcept override { return {}; }
    bool dirty() const noexcept override { return false; }
    std::string_view application() const noexcept override { return {}; }
    std::vector<std::string> transcript(bool) const override { return {}; }

    bool one_at_a_time = false, no_memory = false;

  private:
    LinesLease* lease_ = nullptr;
    bool refused_ = false;
    std::vector<std::uint8_t> answer_ = std::vector<std::uint8_t>(1024, 'l');
    std::vector<std::uint8_t> lost_{'!'};
};

inline std::pair<int, int> pair_of_sockets() {
    int both[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    (void)::fcntl(both[1], F_SETFL, O_NONBLOCK);
    return {both[0], both[1]};
}

class Wire final : public dialects::Backend {
  public:
    Wire(wire::Executor executor, int descriptor) : transport_(executor, descriptor) {}
    pool::Condition condition() const noexcept override {
        pool::Condition is;
        is.dead = dead_ || !transport_.is_open();
        is.half_message = transport_.unsent() > 0 || lease_.half;
        is.outstanding = lease_.due > 0;
        is.cancelling = cancelling;
        is.in_transaction = lease_.transaction;
        return is;
    }
    pool::Variant variant() const noexcept override { return 0; }
    pool::Fingerprint fingerprint() const noexcept override { return 0; }
    bool quiet() noexcept override { return transport_.quiet(); }
    void watch(std::function<void()> broken) override {
        if (broken) {
            transport_.on_readable(std::move(broken));
        } else {
            transport_.on_readable({});
        }
    }
    wire::awaitable<std::error_code> ping(pool::Deadline) override { co_return std::error_code{}; }
    wire::awaitable<std::error_code> reset(pool::Deadline) override { co_return std::error_code{}; }
    wire::awaitable<std::error_code> finish(bool, pool::Deadline) override { co_return std::error_code{}; }
    wire::awaitable<std::error_code> recover(pool::Deadline, pool::RecoverSink&) override {
        boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor> timer(
            transport_.executor(), 50ms);
        co_await timer.async_wait(boost::asio::use_awaitable_t<wire::Executor>{});
        co_return std::make_error_code(std::errc::io_error);
    }
    wire::awaitable<std::error_code> cancel(pool::Deadline) override { co_return std::error_code{}; }
    void close() noexcept override { transport_.close(); }
    std::uint64_t server_id() const noexcept override { return 1; }
    std::string_view address() const noexcept override { return "here"; }
    wire::Transport& transport() noexcept override { return transport_; }
    wire::LeaseState& lease_state() noexcept override { return lease_; }
    wire::Inbox& inbox() noexcept override { return inbox_; }
    wire::awaitable<Aligned> align(wire::Tracker&, pool::Deadline) override { co_return Aligned{}; }
    void soil() noexcept override {}
    void mark_dead() noexcept override { dead_ = true; }

    bool cancelling = false;

  private:
    wire::Transport transport_;
    wire::Inbox inbox_;
    LinesLease lease_;
    bool dead_ = false;
};

class Servers final : public pool::Connector {
  public:
    explicit Servers(wire::Executor executor) : executor_(executor) {}
    ~Servers() override {
        for (const int server : ends) ::close(server);
    }
    wire::awaitable<pool::Connected> connect(pool::Variant, pool::Deadline) override {
        const auto [ours, theirs] = pair_of_sockets();
        ends.push_back(theirs);
        pool::Connected made;
        auto wire = std::make_unique<Wire>(executor_, ours);
        last = wire.get();
        made.backend = std::move(wire);
        co_return made;
    }
    std::string_view address() const noexcept override { return "here"; }
    std::vector<int> ends;
    Wire* last = nullptr;

  private:
    wire::Executor executor_;
};

struct Silent final : pool::Events {
    void connect(std::string_view, std::chrono::microseconds) override {}
    void connect_failed(std::string_view, std::string_view, bool) override {}
    void checkout(std::chrono::microseconds) override {}
    void checkin(std::chrono::microseconds) override { ++checkins; }
    void timeout(std::chrono::microseconds) override {}
    void reset(std::error_code) override {}
    void invalidate(bool) override {}
    void close(pool::CloseReason, std::uint64_t) override {}
    void quarantined(const pool::QuarantineRecord&) override { ++quarantines; }
    void released(const pool::QuarantineRecord&) override {}
    void lost(const pool::QuarantineRecord&) override {}
    int checkins = 0, quarantines = 0;
};

// What the session does with the relay's outcomes, as short as it goes.
class RelayTest : public testing::Test {
  protected:
    RelayTest() {
        const auto [ours, theirs] = pair_of_sockets();
        client = theirs;
        transport = std::make_unique<wire::Transport>(io.get_executor(), ours);
        servers = std::make_shared<Servers>(io.get_executor());
        pool::Params params;
        params.pool_size = 1;
        params.max_overflow = 0;
        pool =
            std::make_shared<pool::Pool>(io.get_executor(), params, servers, std::make_shared<pool::Quota>(0), events);
        start({});
    }
    ~RelayTest() override {
        relay.reset();
        pool->dispose();
        pump(5ms);
        if (client >= 0) ::close(client);
    }
    void start(Relay::Limits limits) {
        relay = std::make_unique<Relay>(*transport, wire::Inbox(), tracker, *pool, buffer, limits, 1, traffic);
    }
    void serve() {
        boost::asio::co_spawn(io, session(), [this](const std::exception_ptr& failure) {
            EXPECT_FALSE(failure);
            over = true;
        });
        pump(5ms);
    }
    wire::awaitable<void> session() {
        for (;;) {
            const Relay::Outcome outcome = co_await relay->next();
            outcomes.push_back(outcome.event);
            if (outcome.event == Relay::Event::checkout) {
                relay->watch_client([this] { pool->cancel(ticket); });
                pool::Checkout checkout = co_await pool->checkout(pool::Wanted{}, &ticket);
                relay->watch_client({});
                if (relay->gone()) break;
                if (!checkout.lease) {
                    wire::Outbox out;
                    (void)tracker.refuse({}, out);
                    relay->say(out);
                    continue;
                }
                relay->take(std::move(checkout.lease));
                relay->attach();
            } else if (outcome.event == Relay::Event::lost) {
                wire::Outbox out;
                (void)tracker.lose(outcome.loss, out);
                relay->say(out);
                relay->release().invalidate(pool::CloseReason::server_lost);
            } else {
                break;
            }
        }
        if (relay->leased())
            relay->release().checkin(
                outcomes.back() == Relay::Event::close ? pool::EndReason::orderly : pool::EndReason::client_gone, {});
    }
    void pump(std::chrono::milliseconds time = 20ms) {
        io.restart();
        io.run_for(time);
    }
    void tell(int to, std::string_view text) {
        ASSERT_EQ(::send(to, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
        pump();
    }
    // As much as comes while the relay is let run.
    std::size_t take(int from, std::string* last = nullptr) {
        std::vector<char> room(1 << 20);
        std::size_t all = 0;
        for (int idle = 0; idle < 3;) {
            const ssize_t n = ::recv(from, room.data(), room.size(), MSG_DONTWAIT);
            idle = n > 0 ? 0 : idle + 1;
            if (n > 0) {
                all += static_cast<std::size_t>(n);
                if (last != nullptr) last->append(room.data(), static_cast<std::size_t>(n));
            }
            pump(5ms);
        }
        return all;
    }
    // Sends until nothing is taken any more, or all of it.
    std::size_t pour(int to, std::string_view text) {
        std::size_t all = 0;
        for (int idle = 0; idle < 3 && all < text.size();) {
            const ssize_t n = ::send(to, text.data() + all, text.size() - all, MSG_NOSIGNAL | MSG_DONTWAIT);
            idle = n > 0 ? 0 : idle + 1;
            if (n > 0) all += static_cast<std::size_t>(n);
            pump(5ms);
        }
        return all;
    }
    std::string text_of(int from) {
        std::string text;
        (void)take(from, &text);
        return text;
    }
    int server() { return servers->ends.back(); }
    // Its peer has to read before more than a little can be sent.
    static void narrow(wire::Transport& to) {
        const int least = 1;
        ASSERT_EQ(::setsockopt(to.descriptor(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    }

    boost::asio::io_context io;
    Silent events;
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(65536);
    Lines tracker;
    const metrics::Traffic* traffic = nullptr;  // set it, then start()
    std::unique_ptr<wire::Transport> transport;
    std::shared_ptr<Servers> servers;
    std::shared_ptr<pool::Pool> pool;
    std::unique_ptr<Relay> relay;
    pool::Pool::Ticket ticket = 0;
    std::vector<Relay::Event> outcomes;
    int client = -1;
    bool over = false;
};

}  // namespace leasehold::daemon::lines
