// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/drive.hpp"

#include "dialects/wire/watchdog.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace leasehold::wire {
namespace {

namespace asio = boost::asio;
// So many actions of an exchange are performed before others on the thread have their turn: 64 KiB of reading.
constexpr std::size_t turns_at_once = 16;

awaitable<std::error_code> write_all(Transport& transport, Bytes output, const Watchdog& dog) {
    for (;;) {
        if (!transport.flush()) co_return make_error_code(errc::closed);
        if (transport.unsent() == 0 && !output.empty()) {
            const Transport::Io io = transport.send(output);
            if (io.error) co_return io.error;
            output = output.subspan(io.bytes);
        }
        if (output.empty() && transport.unsent() == 0) co_return std::error_code{};
        co_await transport.writable();
        if (dog.expired()) co_return make_error_code(errc::timed_out);
        if (!transport.is_open()) co_return make_error_code(errc::cancelled);
    }
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
    const asio::use_awaitable_t<Executor> use;
    std::error_code ec;
    for (std::size_t turns = 1;; ++turns) {
        // A peer that always has more to say must keep neither the deadline's timer nor anybody else from running.
        if (turns % turns_at_once == 0) co_await asio::post(transport.executor(), use);
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
