// SPDX-License-Identifier: Apache-2.0
// The first half of a session: greeting, routing, authentication, and the console for those who asked for it.
#include "daemon/homes.hpp"
#include "daemon/listener.hpp"
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using Failure = dialects::Dialect::Failure;
using Use = asio::use_awaitable_t<wire::Executor>;

constexpr const char* changed_meanwhile = "leasehold's configuration changed during this login; connect again";

// What a client is told that named no database and cannot be sent to a pool without.
std::string unnamed(const std::vector<std::string>& choice) {
    constexpr std::size_t shown = 10;
    std::string message = "no database was named";
    if (choice.empty()) return message + ", and this user has no single pool";
    message += "; this user has the pools ";
    for (std::size_t i = 0; i < choice.size() && i < shown; ++i) message += (i > 0 ? ", \"" : "\"") + choice[i] + '"';
    if (choice.size() > shown) message += " and " + std::to_string(choice.size() - shown) + " more";
    return message;
}

// "192.0.2.7:5000", "[2001:db8::7]:5000": without the port and what it needs.
std::string host_of(std::string_view peer) {
    peer = peer.substr(0, peer.rfind(':'));
    if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
    return std::string(peer);
}

}  // namespace

wire::awaitable<Session::Next> Session::login() {
    const bool greeted = co_await greet();
    if (!greeted) co_return Next::done;
    const bool admitted = co_await authenticate();
    if (!admitted) co_return Next::done;
    co_return co_await go_on();
}

// With a client that has proven who it is.
wire::awaitable<Session::Next> Session::go_on() {
    if (route_.kind == Route::Kind::console) {
        log_login(true);
        co_await run_console();
        log_end("closed");
        co_return Next::done;
    }
    co_return Next::move;
}

std::string Session::client_host() const { return client_->is_unix() ? "localhost" : host_of(peer_); }

// Up to the point where the client has said who it is. False: the session is over.
wire::awaitable<bool> Session::greet() {
    const auto deadline = connected_ + shared_.config()->limits.handshake_timeout;
    dialects::Facts facts;
    if (dialect_.greets_first()) {
        std::vector<Served> served = shared_.router()->served_by(*listen_);
        std::string listener = address_of(*listen_);
        Greetings::Greeted greeted = co_await shared_.greetings->greet(
            client_->executor(), &dialect_, std::move(listener), std::move(served), deadline);
        facts = std::move(greeted.facts);
        if (!facts) {
            co_await refuse_greeting(std::move(greeted.message));
            co_return false;
        }
    }
    wire::TlsParty tls;
    if (!client_->is_unix()) tls.context = shared_.certificates.of(*listen_);
    const bool offered = tls.context != nullptr;
    const bool required = listen_->tls.mode >= config::TlsMode::require && !client_->is_unix();
    login_ =
        dialect_.login({facts, key_, shared_.config()->limits, offered, required, client_host(), client_->is_unix()});
    const std::error_code ec =
        co_await wire::drive(*client_, login_->greeting(), inbox_, deadline, &shared_.computing, std::move(tls));
    if (ec) {
        // Probes of the port, which say nothing and may not wait for a greeting, are no failed logins.
        const bool ours = ec == wire::errc::timed_out || ec == wire::errc::cancelled;
        const bool probe = client_->received() == 0 && !ours;
        if (!probe) co_await end_login(ec, login_->greeting().diagnostics());
        co_return false;
    }
    const dialects::LoginRequest& request = login_->request();
    if (request.kind == dialects::LoginRequest::Kind::closed) co_return false;
    if (request.kind == dialects::LoginRequest::Kind::cancel) {
        co_await deliver_cancel();
        co_return false;
    }
    if (request.cancel_secret_bytes != key_.secret.size())
        key_ = shared_.cancels.reissue(key_, key_.id, request.cancel_secret_bytes);
    user_ = request.user;
    database_ = request.database;
    application_ = request.application;
    certified_name_ = request.certified_name;
    co_return true;
}

// There is nothing true to greet with. Which server does not answer, and why, is the log's affair: nobody has logged in.
wire::awaitable<void> Session::refuse_greeting(std::string why) {
    login_ = dialect_.login({nullptr, key_, shared_.config()->limits, false, false});
    const LogField fields[] = {{"session", id_}, {"client", peer_}, {"message", why}};
    log_kin(LogLevel::warn, why, "greeting_impossible", fields);
    co_await say_refusal(failure(Failure::server_unavailable, "no database server has answered leasehold yet"));
}

// Whoever asks for a cancel is answered with nothing but the connection's end. It comes when the server has been told,
// so that the client's next statement is not hit by what was meant for the last one.
wire::awaitable<void> Session::deliver_cancel() {
    const CancelRegistry::Target target = shared_.cancels.find(login_->request().cancel);
    const LogField fields[] = {{"session", target.session}, {"client", peer_}, {"known", target.worker != nullptr}};
    log_kin(LogLevel::info, {}, "cancel", fields);
    if (target.worker == nullptr) co_return;
    const auto wait = std::make_shared<Wakeable>(client_->executor(), wire::Clock::now() + cancel_wait);
    auto done = [weak = std::weak_ptr<Wakeable>(wait), executor = client_->executor()] {
        tell(weak, executor, [](Wakeable&) {});
    };
    target.worker->post([target, done = std::move(done)] {
        Session* session = target.worker->find(target.session);
        if (session != nullptr) {
            session->cancel(done);
        } else {
            done();
        }
    });
    co_await wait->wait();
}

// What the connection tells of its client. The system's table of users may be slow to answer: another thread asks it.
wire::awaitable<Identity> Session::identify() {
    Identity identity;
    identity.local = client_->is_unix();
    if (method_for(*listen_, identity.local) != config::AuthMethod::peer) co_return identity;
    const std::optional<unsigned> id = peer_of(client_->descriptor());
    if (!identity.local || !id) co_return identity;
    auto look_up = [&lookups = shared_.lookups, executor = client_->executor(), id = *id](auto handler) {
        asio::post(lookups, [executor, id, handler = std::move(handler)]() mutable {
            asio::post(executor, [name = system_user_name(id), handler = std::move(handler)]() mutable {
                std::move(handler)(std::move(name));
            });
        });
    };
    const Use use{};
    identity.system_user = co_await asio::async_initiate<const Use, void(std::string)>(std::move(look_up), use);
    co_return identity;
}

wire::awaitable<bool> Session::authenticate() {
    const dialects::LoginRequest& request = login_->request();
    const Identity identity = co_await identify();
    generation_ = shared_.current();
    route_ = generation_->router->route(*listen_, request, identity);
    const bool console = route_.kind == Route::Kind::console;
    std::optional<TurnedAway> refused;
    if (!console && !client_place_) refused = refuse_before_password();
    if (refused) {
        co_await turn_away(std::move(*refused));
        co_return false;
    }
    const auto deadline = login_began_ + shared_.config()->limits.handshake_timeout;
    wire::Exchange& exchange = login_->authentication(route_.credential);
    const std::error_code ec = co_await wire::drive(*client_, exchange, inbox_, deadline, &shared_.computing);
    if (ec) {
        co_await end_login(ec, exchange.diagnostics());
        co_return false;
    }
    if (generation_ != shared_.current() && !route_anew(identity)) {
        co_await refuse(failure(Failure::shutting_down, changed_meanwhile));
        co_return false;
    }
    if (route_.kind == Route::Kind::no_such_pool || route_.kind == Route::Kind::no_pool_named) {
        const bool named = route_.kind == Route::Kind::no_such_pool;
        std::string message = named ? "there is no pool \"" + database_ + "\"" : unnamed(route_.choice);
        if (!route_.suggestion.empty()) message += "; did you mean \"" + route_.suggestion + "\"?";
        co_await refuse(failure(named ? Failure::no_such_pool : Failure::no_pool_named, std::move(message)));
        co_return false;
    }
    refused = take_places();
    if (refused) {
        co_await turn_away(std::move(*refused));
        co_return false;
    }
    lobby_place_ = {};
    std::optional<wire::Diagnostics> closed;
    if (!console) closed = pool_closed();
    if (closed) {
        co_await refuse(std::move(*closed));
        co_return false;
    }
    home_ = route_.home;
    if (route_.from_template) {
        Homes::Obtained obtained = shared_.homes->obtain(route_.database, route_.user, *worker_);
        home_ = std::move(obtained.home);
        if (!home_ && !obtained.full) {
            co_await refuse(failure(Failure::shutting_down, changed_meanwhile));
            co_return false;
        }
        if (!home_) {
            std::string message =
                "too many pools were made from the template \"*\" (limits.max_template_pools): no "
                "other database can be reached until one of them has been idle for its idle_timeout";
            wire::Diagnostics error = failure(Failure::too_many_clients, std::move(message));
            error.hint.clear();  // the message says what to do
            co_await refuse(std::move(error));
            co_return false;
        }
    }
    if (home_) {
        const std::string recovered = login_->recovered();
        if (!recovered.empty()) {
            home_->connector()->learn(recovered);
            // Whoever wanted a backend before this login was told that none could be dialled.
            asio::dispatch(home_->worker->executor(), [home = home_] {
                if (home->pool) home->pool->forget_refusals();
            });
        }
    }
    co_return console || home_ != nullptr;
}

// Whether the pool takes nobody, for a client that has proven who it is.
std::optional<wire::Diagnostics> Session::pool_closed() const {
    const std::string& pool = route_.home ? route_.home->name() : route_.database;
    if (shared_.standing.disabled(pool)) {
        wire::Diagnostics error = failure(Failure::server_unavailable, "pool \"" + pool + "\" is disabled");
        error.hint = "An administrator has closed it to new clients; ENABLE on leasehold's console opens it again.";
        return error;
    }
    return std::nullopt;
}

// One of the login's exchanges ended with an error: what it said, or what happened to it, is the reason.
wire::awaitable<void> Session::end_login(std::error_code ec, wire::Diagnostics said) {
    if (ec == wire::errc::timed_out) said = failure(Failure::handshake_timeout, "the login was not finished in time");
    // A client that was not told why by TLS itself could not read it; one that is gone cannot either.
    const bool heard = !said.message.empty() && ec != wire::errc::tls_failed;
    if (heard) {
        co_await refuse(std::move(said), route_.hint);
    } else {
        if (said.message.empty()) said.message = ec.message();
        note_failed_login(said, route_.hint);
    }
}

// The protocol's refusal during a login, then the close.
wire::awaitable<void> Session::refuse(wire::Diagnostics error, std::string_view hint) {
    note_failed_login(error, hint);
    co_await say_refusal(std::move(error));
}

wire::awaitable<void> Session::say_refusal(wire::Diagnostics error) {
    if (!error.from_server) shared_.counts.told(worker_->index(), error.sqlstate);
    if (!error.from_server || error.detail.empty()) error.detail = "leasehold session " + std::to_string(id_);
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

}  // namespace leasehold::daemon
