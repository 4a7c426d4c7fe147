// SPDX-License-Identifier: Apache-2.0
// A session with the console: its commands are answered here, in the client's protocol, without any backend.
#include "daemon/admin/console.hpp"
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using Use = asio::use_awaitable_t<wire::Executor>;
using Failure = dialects::Dialect::Failure;
using Kind = dialects::LocalService::Command::Kind;

// So many commands and reads go by before others on this worker have their turn.
constexpr std::size_t turns_at_once = 16;

const dialects::ServerFacts& console_facts() {
    static const dialects::ServerFacts facts{LEASEHOLD_VERSION,
                                             {{"server_version", "15.0 (leasehold " LEASEHOLD_VERSION ")"},
                                              {"server_encoding", "UTF8"},
                                              {"client_encoding", "UTF8"},
                                              {"DateStyle", "ISO, MDY"},
                                              {"TimeZone", "UTC"},
                                              {"integer_datetimes", "on"},
                                              {"standard_conforming_strings", "on"}},
                                             0,
                                             0,
                                             2};
    return facts;
}

// The answer may be made on any thread; it is taken up on the session's.
wire::awaitable<admin::Answer> ask(wire::Executor executor, admin::Console& console, std::string command,
                                   admin::Permission permission) {
    auto start = [executor, &console, &command, permission](auto handler) {
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        console.execute(command, permission, [kept, executor](admin::Answer made) {
            asio::post(executor, [kept, made = std::move(made)]() mutable { std::move (*kept)(std::move(made)); });
        });
    };
    const Use use{};
    admin::Answer answer = co_await asio::async_initiate<const Use, void(admin::Answer)>(std::move(start), use);
    co_return answer;
}

}  // namespace

// Everything of `out`, however long the client takes.
wire::awaitable<bool> Session::write_all(wire::Outbox* out) {
    if (!client_->send(*out)) co_return false;
    out->clear();
    while (client_->unsent() > 0) {
        co_await client_->writable();
        if (!stop_reason_.empty()) co_return false;
        if (!client_->flush()) co_return false;
    }
    co_return true;
}

// Something more than nothing; false at the end of the stream.
wire::awaitable<bool> Session::read_some() {
    for (;;) {
        const std::span<std::uint8_t> room = inbox_.prepare(4096);
        const wire::Transport::Io io = client_->recv(room);
        inbox_.commit(room.size(), io.bytes);
        if (io.error || !client_->is_open() || !stop_reason_.empty()) co_return false;
        if (!io.would_block) co_return true;
        co_await client_->readable();
    }
}

wire::awaitable<void> Session::run_console() {
    console_ = true;
    const Use use{};
    const auto permission = route_.administrator ? admin::Permission::administer : admin::Permission::read;
    const std::unique_ptr<dialects::LocalService> service = dialect_.local_service(*login_);
    wire::Writer last;
    login_->welcome(console_facts(), key_, last);
    wire::Outbox out;
    out.own().append(last.bytes());
    for (std::size_t turns = 1;; ++turns) {
        if (turns % turns_at_once == 0) co_await asio::post(client_->executor(), use);
        const bool written = co_await write_all(&out);
        if (!written || !stop_reason_.empty()) break;
        const dialects::LocalService::Command command = service->next(inbox_.bytes(), out);
        inbox_.consume(command.consumed);
        if (command.kind == Kind::close) break;
        if (command.kind == Kind::fatal) {
            (void)client_->send(out);
            break;
        }
        if (command.kind == Kind::query) {
            const admin::Answer answer = co_await ask(client_->executor(), *shared_.console, command.text, permission);
            if (answer.error) {
                service->error(*answer.error, out);
            } else {
                service->result(answer.result, out);
            }
            continue;
        }
        if (!out.empty()) continue;
        const bool more = co_await read_some();
        if (!more) break;
    }
    if (!stop_reason_.empty()) {
        last.clear();
        login_->refuse(failure(Failure::shutting_down, stop_reason_), last);
        out.clear();
        out.own().append(last.bytes());
        (void)client_->send(out);
    }
    co_await linger();
}

}  // namespace leasehold::daemon
