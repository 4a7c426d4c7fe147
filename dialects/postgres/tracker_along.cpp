// SPDX-License-Identifier: Apache-2.0
// The backend of a listening session's transaction listens along, for what was said on a channel before the session
// listened to it: see listening_along. Nothing that it says reaches the client by itself.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {

// In front of what begins a transaction, or is going to; behind the settings that the backend lacks, which end with a Sync
// then: a server would cease to skip at the one that ends this.
std::optional<Tracker::Step> Tracker::begin_along(const Digest* what, Flow& flow) {
    if (what == nullptr || !what->begins || scope_open_ || status_ != 'I') return std::nullopt;
    if (pins_.has(PinKind::listen) || !listening_->may_begin_along()) return std::nullopt;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_along")) return std::nullopt;
#endif
    if (replay_ == Replay::due) return replay_alone(flow);
    listen_along(listening_->begin_along(), flow);
    return std::nullopt;
}

// In a segment of its own, unless one is open. If it fails, so does the transaction that it is for.
void Tracker::listen_along(const std::vector<std::string>& channels, Flow& flow) {
    if (channels.empty()) return;
    lease_->along = true;
    const bool open = scope_open_;
    begin_scope(flow, false);
    for (const std::string& channel : channels) run_own(about_channel("LISTEN", channel), flow);
    if (open) return;
    outstanding_.push({.type = frontend::sync, .reply = Request::Reply::swallow, .number = scope_++});
    scope_open_ = false;
    sync(flow.to_backend.own());
}

void Tracker::listen_along(const ListenOrder& order, Flow& flow) {
    if (order.kind != ListenOrder::Kind::listen || !along() || boundary()) return;
    if (listening_->add_along(order.channel)) listen_along(std::vector<std::string>{order.channel}, flow);
}

// What its backend says is not for the client.
bool Tracker::hears_along(Bytes notification) {
    return along() && listening_->heard_along(notification, outstanding_.empty() && status_ == 'I');
}

std::vector<std::string> Tracker::along_channels() const {
    return listening_ ? listening_->along_channels() : std::vector<std::string>();
}

void Tracker::pass_notifications(Bytes messages, wire::Outbox& to_client) {
    while (!messages.empty()) {
        const Bytes message = messages.first(header_at(messages).size());
        if (!hears_along(message.subspan(header_size))) to_client.own().append(message);
        messages = messages.subspan(message.size());
    }
}

}  // namespace leasehold::postgres
