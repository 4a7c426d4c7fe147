// SPDX-License-Identifier: Apache-2.0
// A session that asks for replication: it has a connection of its own, logged in with the client's own parameters and
// counted at the server, not in its pool; its bytes are relayed unread.
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using Failure = dialects::Dialect::Failure;

// A place among the pool's replication sessions.
struct Counted {
    explicit Counted(HomePtr of) : home(std::move(of)) { ++home->replicating; }
    ~Counted() { --home->replicating; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    HomePtr home;
};

// Somebody who waits for a place at the server.
struct Wait : Wakeable {
    using Wakeable::Wakeable;
    bool announced = false;  // the quota will call
};

// The quota calls on any thread, and may outlive both the wait and its worker: who does not wait any more passes the
// news on to the next.
void announce(const std::shared_ptr<Wait>& wait, const std::shared_ptr<pool::Quota>& quota) {
    if (std::exchange(wait->announced, true)) return;
    quota->when_free([waiting = std::weak_ptr<Wait>(wait), free = std::weak_ptr<pool::Quota>(quota),
                      executor = wait->woken.get_executor()] {
        const auto pass_on = [](const std::weak_ptr<pool::Quota>& to) {
            if (const auto next = to.lock()) const pool::Permit passed_on = next->try_acquire();
        };
        if (waiting.expired()) {
            pass_on(free);
            return;
        }
        asio::post(executor, [waiting, free, pass_on] {
            if (const auto still = waiting.lock()) {
                still->announced = false;
                still->woken.cancel();
            } else {
                pass_on(free);
            }
        });
    });
}

}  // namespace

// Nothing: the pool admits another replication session.
std::optional<wire::Diagnostics> Session::no_place_for_replica() const {
    const int most = home_->settings()->max_replication;
    if (home_->replicating < most) return std::nullopt;
    const std::string count = most == 0 ? "no replication sessions are admitted to pool \""
                                        : "all places for replication sessions are taken in pool \"";
    return failure(Failure::too_many_clients,
                   count + home_->name() + "\" (its max_replication is " + std::to_string(most) + ")");
}

wire::awaitable<void> Session::replicate() {
    std::optional<wire::Diagnostics> full = no_place_for_replica();
    if (full) {
        co_await refuse(std::move(*full));
        co_return;
    }
    const Counted place(home_);
    welcoming_ = true;
    watch_welcome();
    std::optional<wire::Diagnostics> error = co_await connect_replica();
    welcoming_ = false;
    client_->on_readable({});
    if (stop_reason_.empty() && shared_.draining.load(std::memory_order_relaxed))
        stop_reason_ = "leasehold is shutting down";
    if (!stop_reason_.empty()) error = failure(killed_ ? Failure::killed : Failure::starting_drain, stop_reason_);
    if (gone_) {
        log_end("client_gone");
    } else if (error) {
        co_await refuse(std::move(*error));
    } else {
        co_await run_pipe();
    }
    if (replica_) replica_->close();
    co_await linger();
}

// Pools give up idle backends for those who wait. Empty: nobody did within pool_timeout.
wire::awaitable<pool::Permit> Session::permit_for_replication() {
    const std::shared_ptr<pool::Quota> quota = home_->terms()->quota;
    const auto until = wire::Clock::now() + home_->settings()->pool_timeout;
    const auto acquire = [&] { return home_->pool->paused() ? pool::Permit() : quota->try_acquire(); };
    pool::Permit permit = acquire();
    const auto wait = std::make_shared<Wait>(client_->executor());
    while (!permit && wire::Clock::now() < until && !gone_ && stop_reason_.empty()) {
        wait->woken.expires_at(std::min(until, wire::Clock::now() + std::chrono::milliseconds(200)));
        if (!home_->pool->paused()) announce(wait, quota);
        co_await wait->wait();
        permit = acquire();
    }
    co_return permit;
}

// Nothing: replica_ is there, and the client may be told so.
wire::awaitable<std::optional<wire::Diagnostics>> Session::connect_replica() {
    waiting_since_ = wire::Clock::now();
    replica_permit_ = co_await permit_for_replication();
    waiting_since_ = wire::Clock::time_point::min();
    if (!replica_permit_) {
        const bool paused = home_->pool->paused();
        co_return failure(Failure::pool_timeout_at_login, paused ? "pool \"" + home_->name() + "\" is paused"
                                                                 : "the server of pool \"" + home_->name() +
                                                                       "\" has no connection left for replication");
    }
    const auto deadline = wire::Clock::now() + home_->settings()->dial_timeout;
    const std::shared_ptr<dialects::Connector> connector = home_->connector();
    replica_moves_ = home_->moves;
    dialects::Replicating made = co_await connector->connect_replication(*login_, deadline);
    if (!made.connected.backend) {
        log_warn("replication_failed",
                 {{"session", id_}, {"pool", home_->name()}, {"message", made.connected.message}});
        if (!made.refusal.sqlstate.empty()) co_return std::move(made.refusal);
        co_return failure(Failure::server_unavailable, made.connected.message);
    }
    if (made.connected.quota && !replica_permit_.of(*made.connected.quota)) {
        // Another server than the first: it counts there, unless there is no place for the moment.
        pool::Permit there = made.connected.quota->try_acquire();
        if (there) replica_permit_ = std::move(there);
    }
    replica_.reset(static_cast<dialects::Backend*>(made.connected.backend.release()));  // connectors make nothing else
    seam_ = std::move(made.seam);
    replica_facts_ = std::move(made.facts);
    co_return std::nullopt;
}

wire::awaitable<void> Session::run_pipe() {
    const auto server_id = static_cast<std::uint32_t>(replica_->server_id());
    key_ = shared_.cancels.reissue(key_, server_id, login_->request().cancel_secret_bytes);
    wire::Writer last;
    login_->welcome(*replica_facts_, key_, last);
    wire::Outbox out;
    out.own().append(last.bytes());
    (void)client_->send(out);
    co_await pipe_through();
}

// The client and the connection that is its own, joined until either ends.
wire::awaitable<void> Session::pipe_through() {
    log_info("replication_start", {{"session", id_},
                                   {"pool", home_->name()},
                                   {"user", user_},
                                   {"client", peer_},
                                   {"application", application_},
                                   {"server_id", replica_->server_id()}});
    pipe_ =
        std::make_unique<Pipe>(*client_, std::move(inbox_), *replica_, *seam_, worker_->buffer(), home_->traffic.get());
    inbox_ = {};
    const Pipe::End end = co_await pipe_->run();
    const bool speaks = end == Pipe::End::stopped && pipe_->speakable();
    pipe_.reset();
    if (speaks && login_) {
        wire::Writer last;
        login_->refuse(farewell(), last);
        wire::Outbox out;
        out.own().append(last.bytes());
        (void)client_->send(out);
    }
    const std::string_view why = end == Pipe::End::stopped       ? "stopped"
                                 : end == Pipe::End::client_gone ? "client_gone"
                                                                 : "server_gone";
    log_info("replication_end", {{"session", id_}, {"pool", home_->name()}, {"client", peer_}, {"reason", why}});
}

// A session like others until it asks for a server's binary log: what it has prepared for that is on the backend that it
// holds, so this one leaves the pool with it. True: it may not, and has been told.
wire::awaitable<bool> Session::own_backend() {
    std::unique_ptr<wire::Seam> seam = relay_->backend()->seam();
    std::optional<wire::Diagnostics> full = no_place_for_replica();
    if (full || !seam) co_return refuse_request(full ? std::move(*full) : failure(Failure::internal, "no dump"));
    const Counted place(home_);
    inbox_ = relay_->take_input();
    pool::Lease::Detached own = relay_->release().detach();
    relay_.reset();
    replica_permit_ = std::move(own.permit);
    replica_.reset(static_cast<dialects::Backend*>(own.backend.release()));  // pools of the daemon hold nothing else
    replica_moves_ = home_->moves;
    seam_ = std::move(seam);
    co_await pipe_through();
    replica_->close();
    log_end("closed");
    co_return false;
}

}  // namespace leasehold::daemon
