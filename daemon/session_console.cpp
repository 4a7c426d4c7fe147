// SPDX-License-Identifier: Apache-2.0
// A session with the console: its commands are answered here, in the client's protocol, without any backend.
#include "daemon/admin/console.hpp"
#include "daemon/session.hpp"
#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <utility>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using Use = asio::use_awaitable_t<wire::Executor>;
using Kind = dialects::LocalService::Command::Kind;

// So many commands and reads go by before others on this worker have their turn.
constexpr std::size_t turns_at_once = 16;
// A client that sends on while its command runs is read up to here.
constexpr std::size_t watched_bytes = 64 * 1024;

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

}  // namespace

// A command that runs. What is said to it from other threads comes through the session's loop, and to nobody once the
// session is gone.
struct Session::ConsoleWait : Wakeable {
    using Wakeable::Wakeable;
    std::vector<std::string> notices;
    std::optional<admin::Answer> answer;
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
    bool gone = false;  // the client
};

// While a command runs its client's end is to be seen.
void Session::watch_console() {
    client_->on_readable([this] {
        if (!console_wait_ || inbox_.size() >= watched_bytes) return;
        const std::span<std::uint8_t> room = inbox_.prepare(4096);
        const wire::Transport::Io io = client_->recv(room);
        inbox_.commit(room.size(), io.bytes);
        if (!io.error) {
            watch_console();
            return;
        }
        console_wait_->gone = true;
        console_wait_->woken.cancel();
    });
}

// Runs one command and writes what it says. False: the session is over. A command goes on when its client leaves.
wire::awaitable<bool> Session::answer(dialects::LocalService* service, std::string text, wire::Outbox* out) {
    const wire::Executor executor = client_->executor();
    const auto wait = std::make_shared<ConsoleWait>(executor);
    console_wait_ = wait;
    const std::weak_ptr<ConsoleWait> asked = wait;
    admin::Caller caller;
    caller.permission = route_.administrator ? admin::Permission::administer : admin::Permission::read;
    caller.name = user_ + "@" + peer_;
    caller.session = id_;
    caller.cancelled = wait->cancelled;
    caller.notice = [asked, executor](std::string said) {
        tell(asked, executor,
             [said = std::move(said)](ConsoleWait& still) mutable { still.notices.push_back(std::move(said)); });
    };
    watch_console();
    shared_.console->execute(text, caller, [asked, executor](admin::Answer made) {
        tell(asked, executor, [made = std::move(made)](ConsoleWait& still) mutable { still.answer = std::move(made); });
    });
    while (!wait->answer && !wait->gone && stop_reason_.empty()) {
        for (const std::string& said : std::exchange(wait->notices, {})) service->notice(said, *out);
        if (!out->empty()) {
            const bool written = co_await write_all(out);
            if (!written) wait->gone = true;
            continue;
        }
        co_await wait->wait();
    }
    console_wait_.reset();
    client_->on_readable({});
    if (!wait->answer) {
        // Where an idle client is told nothing, one that waits for its reply is.
        if (!stop_reason_.empty() && dialect_.greets_first()) {
            service->error(farewell(), *out);
            (void)client_->send(*out);
        }
        co_return false;
    }
    if (wait->answer->error) {
        service->error(*wait->answer->error, *out);
    } else {
        service->result(wait->answer->result, *out);
    }
    co_return true;
}

void Session::cancel_console() {
    if (console_wait_) *console_wait_->cancelled = true;
}

// Wherever it waits: for a command's answer, for the next command, for its client to read.
void Session::stop_console() {
    if (console_wait_) {
        client_->on_readable({});  // the watch ends here, and is not to be woken
        console_wait_->woken.cancel();
    }
    client_->wake();
}

// MySQL has no words for a client that asks nothing.
void Session::say_goodbye() {
    if (client_->unsent() > 0 || dialect_.greets_first()) return;
    wire::Writer last;
    login_->refuse(farewell(), last);
    wire::Outbox out;
    out.own().append(last.bytes());
    (void)client_->send(out);
}

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
    const std::unique_ptr<dialects::LocalService> service = dialect_.local_service(*login_);
    wire::Writer last;
    login_->welcome(console_facts(), key_, last);
    wire::Outbox out;
    out.own().append(last.bytes());
    const bool welcomed = co_await write_all(&out);
    std::unique_ptr<wire::Codec> codec = login_->codec();
    if (welcomed && codec) client_->compress(std::move(codec), std::exchange(inbox_, wire::Inbox()));
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
            if (command.describes) {
                service->result(shared_.console->describe(command.text), out);
                continue;
            }
            const bool lives = co_await answer(service.get(), command.text, &out);
            if (!lives) break;
            continue;
        }
        if (!out.empty()) continue;
        const bool more = co_await read_some();
        if (!more) break;
    }
    if (!stop_reason_.empty() && client_->is_open()) say_goodbye();
    co_await linger();
}

}  // namespace leasehold::daemon
