// SPDX-License-Identifier: Apache-2.0
// What a session shows of itself, on its worker's thread.
#include "daemon/session.hpp"

namespace leasehold::daemon {
namespace {

constexpr auto no_time = wire::Clock::time_point::min();

}  // namespace

SessionView Session::view() const {
    SessionView view;
    view.id = id_;
    view.user = user_;
    view.database = database_;
    view.address = peer_;
    view.application = tracker_ ? std::string(tracker_->application()) : application_;
    view.connected = connected_;
    view.waiting_since = waiting_since_;
    view.transaction_since = view.pinned_since = no_time;
    view.state = console_ ? "console" : replica_ ? "replication" : waiting_ ? "waiting" : "login";
    if (home_) view.pool = home_->name();
    view.listener = listen_->host;
    view.listener_port = listen_->port;
    view.ending = !stop_reason_.empty();
    view.encrypted = client_ && client_->encrypted();
    if (replica_) {
        view.leased = true;
        view.server_id = replica_->server_id();
        view.server_address = std::string(replica_->address());
        view.pin = "replication";
    }
    if (!relay_) return view;
    view.pin = std::string(tracker_->pin());
    if (!view.pin.empty()) view.pin_statement = tracker_->pin_statement();
    view.pinned_since = relay_->pinned_since();
    view.running = tracker_->busy();
    view.requested = relay_->request_since();
    view.leased = relay_->leased();
    if (view.leased) view.server_id = relay_->backend()->server_id();
    view.transaction = std::string(wire::to_string(tracker_->status()));
    const bool in_transaction = tracker_->status() != wire::TransactionStatus::idle;
    if (in_transaction && relay_->leased()) view.transaction_since = relay_->transaction_since();
    view.state = waiting_ ? "waiting" : tracker_->busy() ? "active" : in_transaction ? "transaction" : "idle";
    return view;
}

Session::Glance Session::glance() const noexcept {
    Glance is;
    is.console = console_;
    is.waiting = waiting_;
    is.replicating = replica_ != nullptr;
    is.leased = relay_ && relay_->leased();
    if (is.leased) is.pin = tracker_->pin();
    is.pinned = !is.pin.empty();
    const bool in_transaction = is.leased && tracker_->status() != wire::TransactionStatus::idle;
    if (in_transaction) is.transaction_since = relay_->transaction_since();
    is.login = !relay_ && !is.console && !is.waiting && !is.replicating;
    return is;
}

std::string Session::last_statement() const {
    if (!relay_ || !relay_->leased()) return {};
    std::vector<std::string> statements = tracker_->transcript(false);
    return statements.empty() ? std::string() : std::move(statements.back());
}

}  // namespace leasehold::daemon
