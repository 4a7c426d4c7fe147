// SPDX-License-Identifier: Apache-2.0
// What a changed configuration means for a client that is logged in: whether it may stay, and what holds for it now.
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

#include <algorithm>

namespace leasehold::daemon {
namespace {

constexpr auto never = wire::Clock::time_point::max();

}  // namespace

// Called on the worker after each reload, and by a session that was on its way between two workers meanwhile.
void Session::reconsider(const GenerationPtr& current) {
    if (generation_ == current) return;
    // One that is still logging in looks by itself when it has: the configuration is not what it was asked under.
    if (!home_ && !console_) return;
    generation_ = current;
    const auto& all = current->config->listen;
    const auto same = std::ranges::find_if(
        all, [this](const config::Listen& it) { return it.host == listen_->host && it.port == listen_->port; });
    // Whoever came by an address that is closed now stays; a copy keeps no configuration alive.
    listen_ = same == all.end() ? std::make_shared<const config::Listen>(*listen_)
                                : std::shared_ptr<const config::Listen>(current->config, &*same);
    const std::string reason = console_ ? current->router->console_objection(user_, route_.administrator)
                                        : current->router->objection(*listen_, user_, *home_);
    if (!reason.empty()) {
        if (leave_by_ == never) leave_by_ = wire::Clock::now() + current->config->drain_timeout;
        drain(reason);
        return;
    }
    if (relay_) relay_->set_limits(limits());
}

// The configuration changed while a client was asked for its password. False: it was asked for another one, or for
// something else. What its listener and pool say now is looked at when it is served.
bool Session::route_anew(const Identity& identity) {
    Route route = shared_.router()->route(*listen_, login_->request(), identity);
    const bool same = route.kind == route_.kind && route.account.known == route_.account.known &&
                      route.account.secret == route_.account.secret && route.administrator == route_.administrator &&
                      route.credential.kind == route_.credential.kind;
    if (same) route_ = std::move(route);
    return same;
}

// What the pool's settings say of a session's time.
Relay::Limits Session::limits() const {
    const std::shared_ptr<const config::Pool> pool = home_->settings();
    return {pool->transaction_idle_timeout, pool->transaction_timeout, pool->query_timeout, pool->pin_idle_timeout,
            pool->quarantine_timeout};
}

// From the tick: drain_timeout after a reload nobody is left where the new configuration does not want him.
void Session::leave_in_time(wire::Clock::time_point now) {
    if (now >= leave_by_) {
        leave_by_ = never;
        stop(stop_reason_);
    }
    if (!home_ || now < home_->moved_out_by || moved_out_) return;
    const bool relays_old = relay_ && relay_->outdated();
    const bool pipes_old = pipe_ && replica_moves_ != home_->moves;
    if (!relays_old && !pipes_old) return;
    moved_out_ = true;
    stop("pool \"" + home_->name() + "\" was pointed at another server, and the time to leave the old one is over");
}

}  // namespace leasehold::daemon
