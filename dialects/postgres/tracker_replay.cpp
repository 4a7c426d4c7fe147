// SPDX-License-Identifier: Apache-2.0
// Settings that the session wants and its new backend lacks, sent in front of the client's first request, in one write
// with it: their replies, and what becomes of the request when one of them is refused.
#include "dialects/postgres/replay.hpp"
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {

// A new lease: the backend has been brought to the session's settings, or lacks what is replayable().
void Tracker::begin_replay() noexcept {
    replay_ = lease_->held.fingerprint() == settings_.fingerprint() ? Replay::none : Replay::due;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_settings") || switches::on("no_replay")) replay_ = Replay::none;
#endif
}

// What the server reports of it is another session's, still.
bool Tracker::replays(std::string_view name) const noexcept {
    return replay_ != Replay::none && lease_->held.find(name) != settings_.find(name);
}

// The first request that is written to the backend follows.
void Tracker::replay(Flow& flow) {
    start_record();
    replay_ = Replay::sent;
    replayed_ = std::make_unique<Replayed>();
    for (const Settings* settings : {&std::as_const(lease_->held), &std::as_const(settings_)}) {
        for (const auto& [name, value] : *settings) {
            const bool reported = is_carriable(name) && lease_->reported.contains(name);
            if (reported && replays(name)) (void)replayed_->unreported.set(name, {});
        }
    }
    // Of what follows it may be noted already which request it will be.
    if (numbers_named_ > outstanding_.pushed()) numbers_named_ += replayed_requests.size();
    postgres::replay(flow.to_backend.own(), lease_->held, settings_);
    for (const std::uint8_t type : replayed_requests) {
        outstanding_.push({.type = type, .reply = Request::Reply::swallow});
    }
    replayed_->last = outstanding_.pushed();
    lease_->unnamed = nobodys_unnamed;
    in_sync_ = false;
}

// As replay(), with a Sync: for a request that is not to be sent in one piece with them.
Tracker::Step Tracker::replay_alone(Flow& flow) {
    replay(flow);
    replayed_->alone = true;
    sync(flow.to_backend.own());
    outstanding_.push({.type = frontend::sync, .reply = Request::Reply::swallow, .number = scope_++});
    return Step::hold;
}

// A request is on its way behind them: nothing may follow its end, where the server would cease to skip.
bool Tracker::awaits_replay() noexcept {
    if (replay_ == Replay::stands) replay_ = Replay::none;
    return replay_ == Replay::sent && outstanding_.back().readies();
}

// How many CommandCompletes are due of them.
std::size_t Tracker::unanswered_replays() const noexcept {
    std::size_t count = 0;
    for (std::size_t i = 0; replay_ == Replay::sent && outstanding_.first() + i <= replayed_->last; ++i) {
        if (outstanding_[i].type == frontend::execute) ++count;
    }
    return count;
}

// The reply to one of them.
Tracker::Passing Tracker::on_replayed(std::uint8_t type, Bytes body) {
    std::uint8_t answers = 0;
    switch (type) {
        case backend::parse_complete: answers = frontend::parse; break;
        case backend::bind_complete: answers = frontend::bind; break;
        case backend::command_complete: answers = frontend::execute; break;
        case backend::data_row:
        case backend::notice: return Passing::drop;
        case backend::notification: return Passing::pass;
        case backend::parameter_status: {  // servers before 14 report at once
            const std::optional<Parameter> said = parse_parameter_status(body);
            if (!said) return Passing::fatal;
            lease_->report(said->name, said->value);
            replayed_->unreported.erase(said->name);
            return Passing::drop;
        }
        case backend::error: return on_replay_error(body);
        default: return Passing::fatal;
    }
    if (outstanding_.front().type != answers) return Passing::fatal;
    if (outstanding_.first() == replayed_->last) {
        if (parse_command_complete(body) != "COMMIT") return Passing::fatal;
        replay_ = replayed_->alone ? Replay::stands : Replay::none;
        lease_->held = settings_;  // as the session spells them
    }
    outstanding_.pop();
    return Passing::drop;
}

// Whatever stands behind it has been skipped.
Tracker::Passing Tracker::on_replay_error(Bytes body) {
    replay_ = Replay::failed;
    std::optional<ServerMessage> said = parse_server_message(body);
    if (said && said->severity >= Severity::fatal) return Passing::lost;
    replayed_->refusal =
        said ? std::move(said->diagnostics) : failure(Fault::settings_refused, "the error is too long");
    return Passing::refused;
}

const wire::Diagnostics* Tracker::refusal() const noexcept {
    return replayed_ && !replayed_->refusal.sqlstate.empty() ? &replayed_->refusal : nullptr;
}

// The first ReadyForQuery behind them is here. Servers report what differs from what they reported last: a setting that
// was to be reported by now and is not has been changed again by the client's request, to what it was before.
void Tracker::end_replay(wire::Outbox& to_client) {
    const std::unique_ptr<Replayed> replayed = std::exchange(replayed_, nullptr);
    for (const auto& setting : replayed->unreported) {
        const auto now = lease_->reported.find(setting.name);
        if (!now || told_.find(setting.name) == now) continue;
        const std::string value(*now);
        if (take_parameter({setting.name, value}, to_client) == Passing::pass)
            parameter_status(to_client.own(), setting.name, value);
    }
}

}  // namespace leasehold::postgres
