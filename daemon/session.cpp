// SPDX-License-Identifier: Apache-2.0
#include "daemon/session.hpp"

#include "daemon/admin/unfinished.hpp"
#include "daemon/logging.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/co_spawn.hpp>

#include <unistd.h>

namespace leasehold::daemon {
namespace {

using Failure = dialects::Dialect::Failure;

// A login that is on its way when a drain begins.
constexpr auto for_logins = std::chrono::seconds(2);
constexpr auto no_time = wire::Clock::time_point::min();

}  // namespace

Session::Session(Shared& shared, Worker& worker, std::shared_ptr<const config::Listen> listen,
                 const dialects::Dialect& dialect, int descriptor, const std::shared_ptr<Lobby>& lobby)
    : shared_(shared), worker_(&worker), listen_(std::move(listen)), dialect_(dialect), id_(++shared.last_session),
      connected_(wire::Clock::now()), login_began_(connected_),
      client_(std::make_unique<wire::Transport>(worker.executor(), descriptor)), peer_(client_->peer()),
      lobby_place_(lobby->enter(*this)), key_(shared.cancels.issue(id_, &worker)) {}

Session::~Session() {
    leave_hub();
    shared_.cancels.revoke(key_);
    if (home_ && home_->from_template) --home_->sessions;
}

wire::Diagnostics Session::failure(Failure kind, std::string message) const {
    return dialect_.failure(kind, std::move(message));
}

wire::Diagnostics Session::farewell() const {
    return failure(killed_ ? Failure::killed : Failure::shutting_down, stop_reason_);
}

// --- moving to the pool's worker -------------------------------------------------------------------------------

void Session::leave() {
    moving_.emplace(client_->release());
    client_.reset();
}

void Session::join(Worker& worker) {
    worker_ = &worker;
    shared_.cancels.move(key_, &worker);
    client_ = std::make_unique<wire::Transport>(worker.executor(), std::move(*moving_));
    moving_.reset();
}

// --- serving ---------------------------------------------------------------------------------------------------

wire::awaitable<Session::Next> Session::serve() {
    welcoming_ = true;  // who may not stay after all is told so at the end of its welcome
    reconsider(shared_.current());
    const bool replicates = !login_->request().replication.empty();
    if (replicates) {
        co_await replicate();
        co_return Next::done;
    }
    const bool welcomed = co_await welcome();
    if (welcomed) {
        log_login(false);
        const Requests requests = co_await serve_requests();
        if (requests == Requests::logs_in_again) co_return co_await log_in_again();
        if (logged_in_) log_end(!relay_ || relay_->gone() ? "client_gone" : "refused");
    }
    relay_.reset();
    co_await linger();
    co_return Next::done;
}

wire::awaitable<Session::Requests> Session::serve_requests() {
    for (;;) {
        const Relay::Outcome outcome = co_await relay_->next();
        bool lives = false;
        switch (outcome.event) {
            case Relay::Event::checkout: lives = co_await checkout(); break;
            case Relay::Event::align: lives = co_await align(); break;
            case Relay::Event::own: lives = co_await own_backend(); break;
            case Relay::Event::errand:
                if (tracker_->errand().kind == wire::Errand::Kind::log_in_again) co_return Requests::logs_in_again;
                lives = co_await carry_out();
                break;
            case Relay::Event::audit: lives = co_await audit(); break;
            case Relay::Event::lost: lives = lose(outcome.loss); break;
            case Relay::Event::close:
                end_lease(pool::EndReason::orderly);
                log_end("closed");
                break;
            case Relay::Event::client_gone:
                end_lease(pool::EndReason::client_gone);
                log_end("client_gone");
                break;
            case Relay::Event::fatal:
                end_lease(pool::EndReason::protocol_error);
                log_end(relay_->starved() ? "no_memory" : "protocol_error");
                break;
            case Relay::Event::stop: {
                wire::Outbox out;
                tracker_->farewell(farewell(), out);
                relay_->say(out);
                end_lease(killed_ ? pool::EndReason::killed : pool::EndReason::drained);
                log_end(killed_ ? "killed" : "stopped");
                break;
            }
        }
        if (!lives) co_return Requests::over;
    }
}

// Waits in the pool's queue for the request that the relay holds. False: the session is over.
wire::awaitable<bool> Session::checkout() {
    waiting_since_ = wire::Clock::now();
    waiting_ = true;
    cancelled_ = false;
    relay_->watch_client([this] {
        if (waiting_) home_->pool->cancel(ticket_);
    });
    const pool::Wanted wanted{tracker_->variant(), tracker_->fingerprint(), id_};
    pool::Checkout checkout = co_await home_->pool->checkout(wanted, &ticket_);
    waiting_ = false;
    end_wait(checkout);
    waiting_since_ = no_time;
    relay_->watch_client({});
    if (relay_->gone()) {
        if (checkout.lease) checkout.lease.checkin();
        log_end("client_gone");
        co_return false;
    }
    if (checkout.lease) {
        relay_->take(std::move(checkout.lease));
        co_return co_await align();
    }
    wire::Diagnostics error;
    switch (checkout.error) {
        case pool::Checkout::Error::cancelled:
            if (!stop_reason_.empty()) co_return true;  // the next run ends with `stop`
            error = failure(Failure::cancelled, {});
            break;
        case pool::Checkout::Error::closed: error = failure(Failure::shutting_down, "the pool is being closed"); break;
        case pool::Checkout::Error::refused: error = failure(Failure::pool_timeout, checkout.message); break;
        default: error = failure(Failure::pool_timeout, checkout.message); break;
    }
    co_return refuse_request(error);
}

// Brings the lease's backend to the session's settings, then lets the tracker use it.
wire::awaitable<bool> Session::align() {
    dialects::Backend& backend = *relay_->backend();
    if (!backend.aligned(*tracker_)) {
        const auto deadline = wire::Clock::now() + std::chrono::seconds(10);
        dialects::Backend::Aligned aligned = co_await backend.align(*tracker_, deadline);
        if (aligned.error) {
            pool::Lease lease = relay_->release();
            const bool refused = aligned.error == wire::errc::settings_refused;
            lease.invalidate(refused ? pool::CloseReason::settings_refused : pool::CloseReason::server_lost);
            // Nothing of the request was sent: it is still held, and asks for another lease.
            if (!refused && ++align_losses_ < 3) co_return true;
            align_losses_ = 0;
            if (!refused) co_return refuse_request(failure(Failure::pool_timeout, "no backend could be prepared"));
            co_return refuse_request(aligned.diagnostics);
        }
    }
    align_losses_ = 0;
    relay_->attach();
    co_return true;
}

void Session::log_refusal(const wire::Diagnostics& error) {
    const LogField fields[] = {{"session", id_},  {"pool", home_->name()},      {"user", user_},
                               {"client", peer_}, {"sqlstate", error.sqlstate}, {"message", error.message}};
    log_kin(LogLevel::warn, home_->name() + '\0' + error.sqlstate, "request_refused", fields);
}

bool Session::refuse_request(wire::Diagnostics error) {
    log_refusal(error);
    if (!error.from_server) {
        error.detail = "leasehold session " + std::to_string(id_);
        shared_.counts.told(worker_->index(), error.sqlstate);
    }
    wire::Outbox out;
    const wire::Aftermath aftermath = tracker_->refuse(error, out);
    relay_->say(out);
    return aftermath == wire::Aftermath::lives && !relay_->gone();
}

// The lease is lost. The client is told what the loss table says; the backend is closed or put on the ladder.
bool Session::lose(const wire::Loss& loss) {
    pool::Holder who = holder(true);
    const std::string pin(tracker_->pin());
    if (const wire::Diagnostics* error = tracker_->refusal()) log_refusal(*error);
    wire::Outbox out;
    const wire::Aftermath aftermath = tracker_->lose(loss, out);
    relay_->say(out);
    pool::Lease lease = relay_->release();
    switch (loss.kind) {
        case wire::Loss::Kind::backend: lease.lost(std::move(who)); break;
        case wire::Loss::Kind::transaction_idle:
            lease.checkin(pool::EndReason::transaction_idle_timeout, std::move(who));
            break;
        case wire::Loss::Kind::transaction_time:
            lease.checkin(relay_->overran() ? pool::EndReason::query_timeout : pool::EndReason::transaction_timeout,
                          std::move(who));
            break;
        case wire::Loss::Kind::pin_idle: lease.checkin(pool::EndReason::pin_idle_timeout, std::move(who)); break;
        case wire::Loss::Kind::killed: lease.checkin(pool::EndReason::killed, std::move(who)); break;
        case wire::Loss::Kind::settings: lease.invalidate(pool::CloseReason::settings_refused); break;
    }
    shared_.counts.lost(worker_->index(), wire::to_string(loss.kind));
    const LogField fields[] = {{"session", id_},
                               {"pool", home_->name()},
                               {"user", user_},
                               {"client", peer_},
                               {"kind", wire::to_string(loss.kind)},
                               {"reason", loss.reason},
                               {"pin", pin},
                               {"session_lives", aftermath == wire::Aftermath::lives}};
    log_kin(LogLevel::info, home_->name(), "lease_lost", fields);
    if (aftermath == wire::Aftermath::ends) log_end("lease_lost");
    return aftermath == wire::Aftermath::lives;
}

void Session::end_lease(pool::EndReason reason) {
    if (!relay_->leased()) return;
    pool::Holder who = holder(true);
    pool::Lease lease = relay_->release();
    lease.checkin(reason, std::move(who));
}

pool::Holder Session::holder(bool with_statements) const {
    pool::Holder who;
    who.session = id_;
    who.client = peer_;
    who.user = user_;
    who.application = tracker_ ? std::string(tracker_->application()) : application_;
    if (with_statements && tracker_) {
        who.in_transaction = tracker_->status() != wire::TransactionStatus::idle;
        std::vector<std::string> masked = tracker_->transcript(false);
        who.shape = admin::shape_of(masked);
        who.statements =
            shared_.config()->log.quarantine_keep_literals ? tracker_->transcript(true) : std::move(masked);
    }
    if (relay_) who.transaction_since = relay_->transaction_since();
    return who;
}

// --- from outside ----------------------------------------------------------------------------------------------

void Session::tick(wire::Clock::time_point now) {
    leave_in_time(now);
    if (relay_) relay_->tick(now);
    watch(now);
    if (pipe_) pipe_->tick(now);
    const bool logs_in = !relay_ && !pipe_ && !welcoming_ && !console_;
    if (login_until_ && now >= *login_until_ && logs_in && client_) client_->close();
}

void Session::cancel(std::function<void()> done) {
    if (console_) cancel_console();
    if (waiting_) {
        cancelled_ = true;
        home_->pool->cancel(ticket_);
    }
    const bool runs = relay_ && relay_->leased() && tracker_->cancellable();
    dialects::Backend* backend = replica_ ? replica_.get() : runs ? relay_->backend() : nullptr;
    if (waiting_ || backend == nullptr) {
        done();
        return;
    }
    const auto deadline = wire::Clock::now() + std::chrono::seconds(10);
    boost::asio::co_spawn(worker_->executor(), backend->cancel(deadline),
                          [worker = worker_, id = id_, kept = replica_, done = std::move(done)](
                              const std::exception_ptr&, const std::error_code& ec) {
                              done();
                              if (ec) log_warn("cancel_failed", {{"session", id}, {"error", ec.message()}});
                              Session* session = worker->find(id);
                              if (session != nullptr && session->relay_) session->relay_->cancel_finished();
                          });
}

bool Session::kill(std::string reason) {
    if (std::exchange(killed_, true)) return false;
    stop_reason_.clear();
    stop(std::move(reason));
    return true;
}

void Session::stop(std::string reason) {
    if (stop_reason_.empty()) stop_reason_ = std::move(reason);
    if (console_) return stop_console();
    if (waiting_) home_->pool->cancel(ticket_);
    if (hub_) pass_on_heard();
    if (relay_) {
        relay_->stop();
    } else if (pipe_) {
        pipe_->stop();
    } else if (welcoming_) {
        return;  // it is told at the end of its wait
    } else if (client_) {
        client_->close();  // in the middle of a login: there is nobody to say goodbye to yet
    }
}

void Session::drain(std::string reason) {
    if (relay_ && relay_->leased()) {
        stop_reason_ = std::move(reason);
        relay_->drain();
    } else if (relay_ || pipe_ || welcoming_) {
        stop(std::move(reason));
    } else if (!console_ && route_.kind != Route::Kind::console) {
        // Its login goes on and ends with a refusal in its protocol's words, unless the client says no more.
        login_until_ = wire::Clock::now() + for_logins;
    }
}

Session::Standing Session::standing() const noexcept {
    if (console_) return Standing::console;
    if (!client_place_) return Standing::login;
    if (waiting_) return Standing::waiting;
    return replica_ || (relay_ && relay_->leased()) ? Standing::holding : Standing::idle;
}

}  // namespace leasehold::daemon
