// SPDX-License-Identifier: Apache-2.0
// The end of a login, on the pool's worker: what the client asked for when it came is tried on a backend, unless that was
// done for another, and the client is told what the server then says of itself. Nothing of a request happens here.
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using Failure = dialects::Dialect::Failure;

constexpr auto trial_within = std::chrono::seconds(10);
constexpr int trials_at_most = 3;
// A client that sends on before it is let in is read up to here, to see its end.
constexpr std::size_t watched_bytes = 64 * 1024;

wire::LeaseMode lease_mode(config::Mode mode) noexcept {
    switch (mode) {
        case config::Mode::transaction: return wire::LeaseMode::transaction;
        case config::Mode::session: return wire::LeaseMode::session;
        case config::Mode::statement: return wire::LeaseMode::statement;
    }
    return wire::LeaseMode::transaction;
}

dialects::SessionOptions options_for(const config::Pool& pool, const config::Limits& limits) {
    dialects::SessionOptions options;
    options.mode = lease_mode(pool.mode);
    options.disconnect_on_loss = pool.on_backend_loss == config::OnBackendLoss::disconnect;
    options.prepared_per_client = static_cast<std::size_t>(pool.prepared_per_client);
    options.max_settings = static_cast<std::size_t>(limits.max_settings_per_session);
    options.max_statement_cache_bytes = limits.max_statement_cache_bytes;
    options.isolation_level = pool.isolation_level;
    return options;
}

}  // namespace

// --- the client's end before it has a relay --------------------------------------------------------------------

void Session::watch_welcome() {
    client_->on_readable([this] {
        if (inbox_.size() >= watched_bytes) return;
        const std::span<std::uint8_t> room = inbox_.prepare(4096);
        const wire::Transport::Io io = client_->recv(room);
        inbox_.commit(room.size(), io.bytes);
        if (!io.error) {
            watch_welcome();
            return;
        }
        gone_ = true;
        if (waiting_) home_->pool->cancel(ticket_);
    });
}

wire::awaitable<bool> Session::welcome() {
    welcoming_ = true;
    watch_welcome();
    Trial trial;
    if (stop_reason_.empty()) trial = co_await try_login();
    welcoming_ = false;
    client_->on_readable({});
    if (gone_) {
        if (trial.lease) trial.lease.checkin();
        log_end("client_gone");
        co_return false;
    }
    // One on its way between two workers is missed by the drain of both.
    if (stop_reason_.empty() && shared_.draining.load(std::memory_order_relaxed))
        stop_reason_ = "leasehold is shutting down";
    if (!stop_reason_.empty()) trial.error = failure(killed_ ? Failure::killed : Failure::starting_drain, stop_reason_);
    if (trial.error) {
        if (trial.lease) trial.lease.checkin();
        co_await refuse(std::move(*trial.error));
        co_return false;
    }
    begin(*trial.facts, std::move(trial.lease));
    co_return true;
}

// --- the trial -------------------------------------------------------------------------------------------------

// Session mode gives the client its backend's own id at login; a server that speaks first has told another already.
bool Session::leases_at_login() const noexcept {
    return home_->settings()->mode == config::Mode::session && !dialect_.greets_first();
}

// A backend of the variant that the login asks for; waits in the pool's queue like a request.
wire::awaitable<pool::Checkout> Session::lease_for_login() {
    waiting_since_ = wire::Clock::now();
    waiting_ = true;
    const pool::Wanted wanted{login_->variant(), login_->fingerprint(), id_};
    pool::Checkout checkout = co_await home_->pool->checkout(wanted, &ticket_);
    waiting_ = false;
    end_wait(checkout);
    waiting_since_ = wire::Clock::time_point::min();
    co_return checkout;
}

wire::awaitable<Session::Trial> Session::try_login() {
    const bool keeps = leases_at_login();
    Trial trial;
    for (int attempt = 1;; ++attempt) {
        trial.facts = home_->connector()->facts_for(*login_);
        if (trial.facts && !keeps) co_return trial;
        pool::Checkout checkout = co_await lease_for_login();
        if (!checkout.lease) {
            trial.error = login_failure(checkout);
            co_return trial;
        }
        trial.lease = std::move(checkout.lease);
        if (gone_ || !stop_reason_.empty()) co_return trial;
        if (trial.lease.outdated()) {  // pointed elsewhere while this one was on its way here
            trial.lease.checkin();
            --attempt;
            continue;
        }
        const std::shared_ptr<dialects::Connector> connector = home_->connector();
        // Somebody else may have tried the same meanwhile.
        if (!keeps) trial.facts = home_->connector()->facts_for(*login_);
        if (!keeps && trial.facts) {
            trial.lease.checkin();
            co_return trial;
        }
        auto& backend =
            static_cast<dialects::Backend&>(trial.lease.backend());  // pools of the daemon hold nothing else
        const auto deadline = wire::Clock::now() + trial_within;
        dialects::Backend::Tried tried = co_await backend.try_login(*login_, deadline);
        if (!tried.error) {
            if (tried.facts) connector->remember(*login_, tried.facts);
            trial.facts = tried.facts ? std::move(tried.facts) : connector->facts();
            if (!keeps) trial.lease.checkin();
            co_return trial;
        }
        if (tried.error == wire::errc::settings_refused) {
            trial.lease.checkin();
            trial.error = std::move(tried.diagnostics);
            co_return trial;
        }
        trial.lease.invalidate(pool::CloseReason::server_lost);
        if (attempt < trials_at_most && !gone_ && stop_reason_.empty()) continue;
        trial.error = failure(Failure::server_unavailable, "no backend could be prepared: " + tried.error.message());
        co_return trial;
    }
}

wire::Diagnostics Session::login_failure(const pool::Checkout& checkout) const {
    switch (checkout.error) {
        case pool::Checkout::Error::cancelled: return failure(Failure::cancelled, {});
        case pool::Checkout::Error::closed: return failure(Failure::shutting_down, "the pool is being closed");
        case pool::Checkout::Error::timeout: return failure(Failure::pool_timeout_at_login, checkout.message);
        default: break;
    }
    wire::Diagnostics error = failure(Failure::server_unavailable, checkout.message);
    if (checkout.error == pool::Checkout::Error::refused && !checkout.sqlstate.empty()) {
        error.sqlstate = checkout.sqlstate;
        if (checkout.number != 0) error.number = checkout.number;
    }
    return error;
}

// --- the first words of the session -----------------------------------------------------------------------------

void Session::begin(const dialects::ServerFacts& facts, pool::Lease lease) {
    if (lease) {
        const auto server_id = static_cast<std::uint32_t>(lease.backend().server_id());
        key_ = shared_.cancels.reissue(key_, server_id, login_->request().cancel_secret_bytes);
    }
    wire::Writer last;
    login_->welcome(facts, key_, last);
    const std::shared_ptr<const config::Pool> settings = home_->settings();
    const config::Pool& pool = *settings;
    dialects::SessionOptions options = options_for(pool, shared_.config()->limits);
    options.identity = "leasehold session " + std::to_string(id_);
    options.number = key_.id;
    options.functions = home_->functions;
    tracker_ = login_->tracker(facts, std::move(options));
    std::unique_ptr<wire::Codec> codec = login_->codec();
    wire::Inbox coded;  // what the client has sent ahead, in frames
    if (codec) coded = std::exchange(inbox_, wire::Inbox());
    login_.reset();
    if (inbox_.empty()) inbox_.release();  // an idle client owns no buffer
    relay_ = std::make_unique<Relay>(*client_, std::move(inbox_), *tracker_, *home_->pool, worker_->buffer(), limits(),
                                     id_, home_->traffic.get());
    inbox_ = {};
    watch(wire::Clock::now());
    if (lease) {
        relay_->take(std::move(lease));
        if (relay_->backend()->aligned(*tracker_)) relay_->attach();
    }
    wire::Outbox out;
    out.own().append(last.bytes());
    relay_->say(out);
    if (codec) client_->compress(std::move(codec), std::move(coded));
}

}  // namespace leasehold::daemon
