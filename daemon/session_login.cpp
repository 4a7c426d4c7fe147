// SPDX-License-Identifier: Apache-2.0
// The first half of a session: greeting, routing, authentication, and the console for those who asked for it.
#include "daemon/admin/console.hpp"
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using Failure = dialects::Dialect::Failure;
using Use = asio::use_awaitable_t<wire::Executor>;
using Timer = asio::basic_waitable_timer<wire::Clock, asio::wait_traits<wire::Clock>, wire::Executor>;

constexpr auto greeting_wait = std::chrono::seconds(5);

// The facts of the first pool that a listener serves, for servers that speak first; bounded.
wire::awaitable<Warmth> greeting_facts(wire::Executor executor, std::vector<HomePtr> served) {
    Warmth late;
    late.message = "no pool is configured for this listener";
    if (served.empty()) co_return late;
    const HomePtr home = served.front();
    late.message = "no server of pool " + home->name() + " has answered yet";
    struct Wait {
        Timer timer;
        std::optional<Warmth> answer;
    };
    const auto wait = std::make_shared<Wait>(Wait{Timer(executor, greeting_wait), std::nullopt});
    asio::co_spawn(home->worker->executor(), warm(home),
                   [wait, executor](const std::exception_ptr& failure, Warmth made) {
                       if (failure) return;
                       asio::post(executor, [wait, made = std::move(made)]() mutable {
                           wait->answer = std::move(made);
                           wait->timer.cancel();
                       });
                   });
    const asio::as_tuple_t<Use> either_way;
    (void)co_await wait->timer.async_wait(either_way);
    co_return wait->answer ? std::move(*wait->answer) : std::move(late);
}

}  // namespace

wire::awaitable<Session::Next> Session::login() {
    const bool greeted = co_await greet();
    if (!greeted) co_return Next::done;
    const bool admitted = co_await authenticate();
    if (!admitted) co_return Next::done;
    if (route_.kind == Route::Kind::console) {
        co_await run_console();
        co_return Next::done;
    }
    co_return Next::move;
}

// Up to the point where the client has said who it is. False: the session is over.
wire::awaitable<bool> Session::greet() {
    const auto deadline = connected_ + shared_.config->limits.handshake_timeout;
    dialects::Facts facts;
    if (dialect_.greets_first()) {
        Warmth warmth = co_await greeting_facts(client_->executor(), shared_.router->served_by(listen_));
        facts = std::move(warmth.facts);
        if (!facts) {
            login_ = dialect_.login({nullptr, key_, shared_.config->limits});
            co_await refuse(failure(Failure::server_unavailable, warmth.message));
            co_return false;
        }
    }
    login_ = dialect_.login({facts, key_, shared_.config->limits});
    const std::error_code ec = co_await wire::drive(*client_, login_->greeting(), inbox_, deadline, &shared_.computing);
    if (ec) {
        wire::Diagnostics error = login_->greeting().diagnostics();
        if (ec == wire::errc::timed_out)
            error = failure(Failure::handshake_timeout, "the login was not finished in time");
        log_info(
            "login_failed",
            {{"session", id_}, {"client", peer_}, {"error", error.message.empty() ? ec.message() : error.message}});
        if (!error.message.empty()) co_await refuse(std::move(error));
        co_return false;
    }
    const dialects::LoginRequest& request = login_->request();
    if (request.kind == dialects::LoginRequest::Kind::closed) co_return false;
    if (request.kind == dialects::LoginRequest::Kind::cancel) {
        const CancelRegistry::Target target = shared_.cancels.find(request.cancel);
        if (target.worker != nullptr) {
            target.worker->post([target] {
                Session* session = target.worker->find(target.session);
                if (session != nullptr) session->cancel();
            });
        }
        co_return false;
    }
    user_ = request.user;
    database_ = request.database;
    application_ = request.application;
    co_return true;
}

wire::awaitable<bool> Session::authenticate() {
    const dialects::LoginRequest& request = login_->request();
    route_ = shared_.router->route(listen_, request, client_->is_unix());
    const bool console = route_.kind == Route::Kind::console;
    if (!console) {
        counted_ = true;
        if (shared_.clients.fetch_add(1, std::memory_order_relaxed) >= shared_.config->limits.max_clients) {
            co_await refuse(failure(Failure::too_many_clients, "sorry, too many clients already (max_clients)"));
            co_return false;
        }
    }
    const auto deadline = connected_ + shared_.config->limits.handshake_timeout;
    wire::Exchange& exchange = login_->authentication(route_.credential);
    const std::error_code ec = co_await wire::drive(*client_, exchange, inbox_, deadline, &shared_.computing);
    if (ec) {
        wire::Diagnostics error = exchange.diagnostics();
        if (ec == wire::errc::timed_out)
            error = failure(Failure::handshake_timeout, "the login was not finished in time");
        log_info("login_failed", {{"session", id_},
                                  {"client", peer_},
                                  {"user", user_},
                                  {"database", database_},
                                  {"error", error.message.empty() ? ec.message() : error.message}});
        if (!error.message.empty()) co_await refuse(std::move(error));
        co_return false;
    }
    if (route_.kind == Route::Kind::no_such_pool || route_.kind == Route::Kind::no_pool_named) {
        const bool named = route_.kind == Route::Kind::no_such_pool;
        std::string message =
            named ? "there is no pool \"" + database_ + "\"" : "no database was named, and the user has no single pool";
        if (!route_.suggestion.empty()) message += "; did you mean \"" + route_.suggestion + "\"?";
        co_await refuse(failure(named ? Failure::no_such_pool : Failure::no_pool_named, std::move(message)));
        co_return false;
    }
    if (shared_.draining.load(std::memory_order_relaxed) && !console) {
        co_await refuse(failure(Failure::shutting_down, "leasehold is shutting down"));
        co_return false;
    }
    home_ = route_.home;
    co_return console || home_ != nullptr;
}

// The protocol's refusal during a login, then the close.
wire::awaitable<void> Session::refuse(wire::Diagnostics error) {
    log_info("login_refused", {{"session", id_},
                               {"client", peer_},
                               {"user", user_},
                               {"database", database_},
                               {"sqlstate", error.sqlstate},
                               {"message", error.message}});
    wire::Writer last;
    login_->refuse(error, last);
    wire::Outbox out;
    out.own().append(last.bytes());
    (void)client_->send(out);
    co_await linger();
}

// Closing at once would reset the connection and could destroy the last words on their way: what was not yet sent gets
// half a second, and what the client still sends is read and dropped.
wire::awaitable<void> Session::linger() {
    if (!client_ || !client_->is_open()) co_return;
    const auto until = wire::Clock::now() + std::chrono::milliseconds(500);
    Timer timer(client_->executor(), until);
    const auto alive = std::make_shared<wire::Transport*>(client_.get());
    timer.async_wait([alive](const boost::system::error_code& ec) {
        if (!ec && *alive != nullptr) (*alive)->close();
    });
    while (client_->is_open() && client_->unsent() > 0 && client_->flush() && client_->unsent() > 0) {
        co_await client_->writable();
    }
    if (client_->is_open()) client_->shutdown_send();
    std::size_t dropped = 0;
    while (client_->is_open() && dropped < 1024 * 1024) {
        const wire::Transport::Io io = client_->recv(worker_->buffer());
        if (io.error) break;
        dropped += io.bytes;
        if (io.would_block) co_await client_->readable();
    }
    *alive = nullptr;
    client_->close();
}

wire::awaitable<void> Session::run_console() {
    console_ = true;
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
    wire::Writer last;
    login_->welcome(facts, key_, last);
    wire::Outbox out;
    out.own().append(last.bytes());
    const std::unique_ptr<dialects::LocalService> service = dialect_.local_service(*login_);
    const Use use{};
    const auto permission = route_.administrator ? admin::Permission::administer : admin::Permission::read;
    for (;;) {
        if (!client_->send(out)) break;
        out.clear();
        while (client_->unsent() > 0) {
            co_await client_->writable();
            if (!client_->flush()) break;
        }
        const dialects::LocalService::Command command = service->next(inbox_.bytes(), out);
        inbox_.consume(command.consumed);
        using Kind = dialects::LocalService::Command::Kind;
        if (command.kind == Kind::close) break;
        if (command.kind == Kind::fatal) {
            (void)client_->send(out);
            break;
        }
        if (command.kind == Kind::query) {
            // The answer may be made on any thread; it is taken up on this session's.
            auto ask = [this, &command, permission](auto handler) {
                auto kept = std::make_shared<decltype(handler)>(std::move(handler));
                shared_.console->execute(
                    command.text, permission, [kept, executor = client_->executor()](admin::Answer made) {
                        asio::post(executor,
                                   [kept, made = std::move(made)]() mutable { std::move (*kept)(std::move(made)); });
                    });
            };
            const admin::Answer answer =
                co_await asio::async_initiate<const Use, void(admin::Answer)>(std::move(ask), use);
            if (answer.error) {
                service->error(*answer.error, out);
            } else {
                service->result(answer.result, out);
            }
            continue;
        }
        if (!out.empty()) continue;
        const std::span<std::uint8_t> room = inbox_.prepare(4096);
        const wire::Transport::Io io = client_->recv(room);
        inbox_.commit(room.size(), io.bytes);
        if (io.error || !client_->is_open()) break;
        if (io.would_block) co_await client_->readable();
    }
    co_await linger();
}

}  // namespace leasehold::daemon
