// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/drive.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace leasehold::wire {
namespace {

namespace asio = boost::asio;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

// One deadline for a whole conversation: when it passes, whatever waits on the transport is woken.
class Watchdog {
  public:
    Watchdog(Transport& transport, Deadline deadline)
        : timer_(transport.executor()), state_(std::make_shared<State>(State{&transport, false})) {
        if (deadline == Deadline::max()) return;
        timer_.expires_at(deadline);
        timer_.async_wait([state = state_](const boost::system::error_code& ec) {
            if (ec || state->transport == nullptr) return;
            state->expired = true;
            state->transport->wake();
        });
    }
    ~Watchdog() { state_->transport = nullptr; }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    [[nodiscard]] bool expired() const noexcept { return state_->expired; }

  private:
    struct State {
        Transport* transport;  // null once the watchdog is gone
        bool expired;
    };
    Timer timer_;
    std::shared_ptr<State> state_;
};

awaitable<std::error_code> write_all(Transport& transport, Bytes output, const Watchdog& dog) {
    while (!output.empty()) {
        const Transport::Io io = transport.send(output);
        if (io.error) co_return io.error;
        output = output.subspan(io.bytes);
        if (output.empty()) break;
        co_await transport.writable();
        if (dog.expired()) co_return make_error_code(errc::timed_out);
        if (!transport.is_open()) co_return make_error_code(errc::cancelled);
    }
    co_return std::error_code{};
}

awaitable<std::error_code> read_some(Transport& transport, Inbox& inbox, const Watchdog& dog) {
    constexpr std::size_t piece = 4096;
    for (;;) {
        if (dog.expired()) co_return make_error_code(errc::timed_out);
        if (!transport.is_open()) co_return make_error_code(errc::cancelled);
        const std::span<std::uint8_t> room = inbox.prepare(piece);
        const Transport::Io io = transport.recv(room);
        inbox.commit(piece, io.bytes);
        if (io.error) co_return io.error;
        if (!io.would_block) co_return std::error_code{};
        co_await transport.readable();
    }
}

awaitable<void> compute(Executor executor, Exchange& exchange, asio::thread_pool* computing) {
    if (computing == nullptr) {
        exchange.compute();
        co_return;
    }
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [executor, computing, &exchange](auto handler) {
            asio::post(*computing, [executor, &exchange, handler = std::move(handler)]() mutable {
                exchange.compute();
                asio::post(executor, [handler = std::move(handler)]() mutable { std::move(handler)(); });
            });
        },
        asio::use_awaitable_t<Executor>{});
}

awaitable<std::error_code> secure(Transport& transport, Exchange& exchange, Inbox& inbox, TlsParty tls,
                                  Deadline deadline, asio::thread_pool* computing) {
    Inbox head = std::exchange(inbox, Inbox());
    Transport::Secured secured = co_await transport.secure(std::move(tls), std::move(head), deadline, computing);
    if (secured.error) {
        exchange.tls_failed(std::move(secured.why));
    } else {
        exchange.secured(secured.facts);
    }
    co_return secured.error;
}

}  // namespace

awaitable<std::error_code> drive(Transport& transport, Exchange& exchange, Inbox& inbox, Deadline deadline,
                                 asio::thread_pool* computing, TlsParty tls) {
    const Watchdog dog(transport, deadline);
    std::error_code ec;
    for (;;) {
        const Action action = exchange.resume(inbox.bytes(), ec);
        inbox.consume(action.consumed);
        if (action.kind == Action::Kind::done) co_return action.error;
        if (ec) co_return ec;  // an exchange that was told of an error and still wants something
        switch (action.kind) {
            case Action::Kind::read: ec = co_await read_some(transport, inbox, dog); break;
            case Action::Kind::write: ec = co_await write_all(transport, action.output, dog); break;
            case Action::Kind::start_tls:
                if (!action.direct && !inbox.empty()) {
                    ec = make_error_code(errc::plaintext_before_tls);
                } else if (!tls.context) {
                    ec = make_error_code(errc::unsupported);
                } else {
                    ec = co_await secure(transport, exchange, inbox, tls, deadline, computing);
                }
                break;
            case Action::Kind::compute: co_await compute(transport.executor(), exchange, computing); break;
            case Action::Kind::done: break;
        }
    }
}

awaitable<std::error_code> drive(Transport& transport, Exchange& exchange, Inbox& inbox, Deadline deadline,
                                 asio::thread_pool* computing) {
    return drive(transport, exchange, inbox, deadline, computing, TlsParty());
}

}  // namespace leasehold::wire
