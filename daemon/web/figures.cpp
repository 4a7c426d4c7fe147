// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/figures.hpp"

#include "daemon/worker.hpp"

#include <algorithm>

namespace leasehold::daemon::web {
namespace {

constexpr auto no_time = wire::Clock::time_point::min();

ClientState state_of(const Session::Glance& session) noexcept {
    if (session.console) return ClientState::console;
    if (session.replicating) return ClientState::replication;
    if (session.waiting) return ClientState::waiting;
    if (session.login) return ClientState::login;
    return session.leased ? ClientState::active : ClientState::idle;
}

PoolFigures figures_of(const pool::Pool& pool) {
    const pool::Stats stats = pool.stats();
    const pool::Params& params = pool.params();
    PoolFigures figures;
    figures.size = stats.size;
    figures.limit = params.max_overflow < 0 ? -1 : params.pool_size + params.max_overflow;
    figures.open = stats.open;
    figures.checked_in = stats.checkedin;
    figures.checked_out = stats.checkedout;
    figures.overflow = stats.overflow;
    figures.dialling = stats.dialling;
    figures.quarantined = stats.quarantined;
    figures.waiting = stats.waiting;
    figures.oldest_wait = stats.oldest_wait;
    figures.paused = stats.paused;
    figures.failing = !stats.last_error.empty();
    return figures;
}

void count_session(const Session::Glance& session, ClientState state, wire::Clock::time_point now, PoolFigures& pool) {
    if (state == ClientState::waiting) ++pool.clients_waiting;
    if (state == ClientState::idle) ++pool.clients_idle;
    if (state == ClientState::active) ++pool.clients_active;
    if (session.transaction_since != no_time) {
        const auto open = std::chrono::duration_cast<std::chrono::milliseconds>(now - session.transaction_since);
        pool.oldest_transaction = std::max(pool.oldest_transaction, open);
    }
    if (!session.pinned) return;
    const std::string_view label = pin_label(session.pin);
    const bool room = pool.pinned.size() < metrics::most_pin_labels || pool.pinned.contains(label);
    ++pool.pinned[room ? std::string(label) : "other"];
}

}  // namespace

std::string_view to_string(ClientState state) noexcept {
    switch (state) {
        case ClientState::login: return "login";
        case ClientState::idle: return "idle";
        case ClientState::waiting: return "waiting";
        case ClientState::active: return "active";
        case ClientState::replication: return "replication";
        case ClientState::console: return "console";
    }
    return "login";
}

void PoolFigures::add(const PoolFigures& more) {
    size += more.size;
    limit = limit < 0 || more.limit < 0 ? -1 : limit + more.limit;
    open += more.open;
    checked_in += more.checked_in;
    checked_out += more.checked_out;
    overflow += more.overflow;
    dialling += more.dialling;
    quarantined += more.quarantined;
    waiting += more.waiting;
    oldest_wait = std::max(oldest_wait, more.oldest_wait);
    oldest_transaction = std::max(oldest_transaction, more.oldest_transaction);
    for (const auto& [reason, count] : more.pinned) pinned[reason] += count;
    clients_active += more.clients_active;
    clients_waiting += more.clients_waiting;
    clients_idle += more.clients_idle;
    paused = paused || more.paused;
    failing = failing || more.failing;
}

void Figures::add(const Figures& more) {
    for (const auto& [key, pool] : more.pools) {
        if (const auto [at, is_new] = pools.try_emplace(key, pool); !is_new) at->second.add(pool);
    }
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i] += more.clients[i];
}

Figures figures_of(const Worker& worker) {
    Figures figures;
    for (const HomePtr& home : worker.homes()) {
        const std::pair key{home->name(), home->user};
        const PoolFigures pool = figures_of(*home->pool);
        if (const auto [at, is_new] = figures.pools.try_emplace(key, pool); !is_new) at->second.add(pool);
    }
    std::map<const Home*, PoolFigures*> pools;
    for (const HomePtr& home : worker.homes()) pools[home.get()] = &figures.pools[{home->name(), home->user}];
    const auto now = wire::Clock::now();
    for (const auto& [id, session] : worker.sessions()) {
        const Session::Glance glance = session->glance();
        const ClientState state = state_of(glance);
        ++figures.clients[static_cast<std::size_t>(state)];
        if (const auto pool = pools.find(session->home().get()); pool != pools.end()) {
            count_session(glance, state, now, *pool->second);
        }
    }
    return figures;
}

Sampler::Sampler(wire::Executor loop, Shared& shared, std::chrono::milliseconds patience)
    : loop_(loop), shared_(shared), patience_(patience), timer_(loop) {}

Sampler::~Sampler() = default;

void Sampler::take(Then then) {
    next_.push_back(std::move(then));
    if (!running_) begin();
}

void Sampler::begin() {
    running_ = true;
    served_.swap(next_);
    ++round_;
    figures_ = {};
    answered_.assign(shared_.workers.size(), false);
    asked_.resize(shared_.workers.size(), false);
    timer_.expires_after(patience_);
    timer_.async_wait([this, round = round_](const boost::system::error_code& ec) {
        if (!ec && running_ && round == round_) finish();
    });
    for (std::size_t i = 0; i < shared_.workers.size(); ++i) {
        if (!asked_[i]) ask(i);
    }
    if (shared_.workers.empty()) finish();
}

void Sampler::ask(std::size_t worker) {
    asked_[worker] = true;
    Worker* const place = shared_.workers[worker];
    place->post([this, place, worker, round = round_] {
        boost::asio::post(loop_, [this, worker, round, figures = figures_of(*place)]() mutable {
            told(worker, round, std::move(figures));
        });
    });
}

// What was asked for by an earlier round may have been taken before this one began.
void Sampler::told(std::size_t worker, std::uint64_t round, Figures figures) {
    asked_[worker] = false;
    if (!running_) return;
    if (round != round_) return ask(worker);
    figures_.add(figures);
    answered_[worker] = true;
    if (std::ranges::find(answered_, false) == answered_.end()) finish();
}

void Sampler::finish() {
    for (std::size_t i = 0; i < answered_.size(); ++i) {
        if (!answered_[i]) figures_.missing.push_back(static_cast<int>(i));
    }
    timer_.cancel();
    running_ = false;
    const Figures figures = std::exchange(figures_, {});
    const std::vector<Then> served = std::exchange(served_, {});
    for (const Then& then : served) then(figures);
    if (!next_.empty() && !running_) begin();
}

}  // namespace leasehold::daemon::web
