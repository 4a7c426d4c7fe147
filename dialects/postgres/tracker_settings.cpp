// SPDX-License-Identifier: Apache-2.0
// Settings that the server does not report, carried all the same: what each statement does to them is read from its text,
// counts when the server says that it is done, and is undone with its transaction. What cannot be read pins.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

constexpr std::size_t most_requests = 1000, most_steps = 10'000;  // on their way, that change settings

}  // namespace

SettingTrail& Tracker::trail() {
    if (!trail_) trail_ = std::make_unique<SettingTrail>(settings_, lease_->held, options_.startup, told_, stuck_);
    return *trail_;
}

// What the text's statements do to settings and savepoints. Nothing when that is not known: what it takes then is done.
std::optional<SettingSteps> Tracker::read_steps(const Digest& digest, std::string_view sql) {
    std::optional<SettingSteps> steps = read_setting_steps(sql, conforming_, &Tracker::carried, this);
    const bool read = steps && steps->size() == digest.statements && understood(*steps);
    if (read && has_room(*steps)) {
        keep_privileged(*steps);
        if (in_the_dark()) distrust(digest);
        return steps;
    }
    distrust(digest);
    return std::nullopt;
}

// What the transaction's end takes back is not known any more: what is set pins, and is followed only so that what is
// reset goes to where the session began.
bool Tracker::in_the_dark() const noexcept { return trail_ && trail_->blind(); }

bool Tracker::has_room(const SettingSteps& steps) const noexcept {
    std::size_t added = 0;
    for (const SettingStep& step : steps) {
        for (const Assignment& each : step.assigns) {
            if (!each.reset && !each.reported && !settings_.contains(each.name)) ++added;
        }
    }
    if (trail_ && trail_->steps() + steps.size() > most_steps) return false;
    if (trail_ && trail_->requests() >= most_requests) return false;
    if (added == 0) return true;
    return settings_.size() + stuck_.size() + added + (trail_ ? trail_->underway() : 0) <= options_.max_settings;
}

// What a role let it set, its login may not be allowed to set anew.
void Tracker::keep_privileged(SettingSteps& steps) const noexcept {
    if (superuser_) return;
    for (SettingStep& step : steps) {
        for (Assignment& each : step.assigns) {
            each.stuck |= !each.reset && !each.reported && wants_privilege(each.name);
        }
    }
}

// The text does to settings what nobody here knows.
void Tracker::distrust(const Digest& digest) {
    if (digest.settings) private_reading_ = true;
    if (digest.setting_pin != PinKind::none) pin_fresh(digest.setting_pin, digest.variable());
    if (!digest.savepoints && !trail_) return;
    if (digest.savepoints && trail_ && !trail_->settled()) pin_fresh(PinKind::setting, "before a savepoint");
    trail().lose_sight();
}

// What it resets goes to what the session began with.
std::optional<Restated> Tracker::restated(const Digest& digest, std::string_view sql) const {
    if (options_.startup.empty() || !(digest.settings || digest.locals)) return std::nullopt;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_restate")) return std::nullopt;
#endif
    std::optional<SettingSteps> steps = read_setting_steps(sql, conforming_, &Tracker::carried, this);
    if (!steps || steps->size() != digest.statements || !has_room(*steps)) return std::nullopt;
    keep_privileged(*steps);
    return restate(sql, *steps, options_.startup);
}

// The request that was pushed last does this.
void Tracker::follow(SettingSteps steps, Rewriting places) {
    trail().send(outstanding_.pushed(), std::move(steps), std::move(places));
}

// So does the Execute that was pushed last; what has to stand behind it in a text is executed behind it.
void Tracker::execute_steps(SettingSteps steps, Flow& flow) {
    std::vector<std::string> behind;
    for (const SettingStep& step : steps) {
        for (std::string& sql : restoring_statements(step, options_.startup)) behind.push_back(std::move(sql));
    }
    follow(std::move(steps));
    for (const std::string& sql : behind) run_own(sql, flow);
}

// A portal with a name lives up to its transaction's end, or to a Close. Once its name is given again, which of the two it
// is depends on what fails meanwhile.
void Tracker::bound_settings(std::string_view portal, const Digest* digest, std::string_view sql) {
    constexpr std::size_t most = 64;
    const bool touches = digest != nullptr && digest->touches_settings(true);
    if (const auto known = named_portal_steps_.find(portal); known != named_portal_steps_.end()) {
        pin_fresh(PinKind::setting, "of unknown outcome");
        trail().lose_sight();
        named_portal_steps_.erase(known);
        if (touches) distrust(*digest);
    } else if (touches && named_portal_steps_.size() >= most) {
        distrust(*digest);
    } else if (touches) {
        if (auto steps = read_steps(*digest, sql)) {
            named_portal_steps_.emplace(portal, PortalSteps{scope_, std::move(*steps)});
        }
    }
}

// DISCARD ALL is done, and the pipeline goes on.
void Tracker::restore_within(Flow& flow) {
    unaligned_ = false;
    for (const auto& setting : options_.startup) {
        const std::string sql = setting_statement(setting.name, setting.value, false);
        run_own(sql, flow);
        SettingStep step{.kind = SettingStep::Kind::assign, .tag = sql.starts_with("DO") ? "DO" : "SET"};
        step.assigns.push_back({.name = setting.name, .value = setting.value});
        SettingSteps steps;
        steps.push_back(std::move(step));
        trail().send(outstanding_.pushed() - 1, std::move(steps));  // the Close behind it was pushed last
    }
}

void Tracker::step_done(std::uint8_t type, Bytes body) {
    // A portal that gives one row at a time has given the only one.
    const std::string_view tag =
        type == backend::portal_suspended ? "SELECT 1" : parse_command_complete(body).value_or(std::string_view());
    // Outside of a transaction's block these may have committed what was set before them, whatever fails behind them.
    const bool unclear = status_ == 'I' && (tag == "CALL" || tag == "DO") && trail_->pending();
    if (!trail_->complete(outstanding_.first(), tag) || unclear) pin_fresh(PinKind::setting, "of unknown outcome");
    if (!stuck_.empty()) note_stuck();
}

// What no other backend can be given keeps the session, as long as it is so.
void Tracker::note_stuck() {
    if (stuck_.empty()) {
        if (!trail_->pending()) pins_.release(PinKind::stuck);
        return;
    }
    private_reading_ = true;
    if (!pins_.has(PinKind::stuck)) pin_fresh(PinKind::stuck, stuck_.begin()->name);
    // Tables may be temporary by it without being called so.
    if (stuck_.contains("search_path") && !pins_.has(PinKind::temporary)) pin_fresh(PinKind::temporary, {});
}

// Of leasehold's own.
void Tracker::own_step_done(Bytes body) {
    const std::string_view tag = parse_command_complete(body).value_or(std::string_view());
    if (trail_ && !trail_->complete(outstanding_.first(), tag)) pin_fresh(PinKind::setting, "of unknown outcome");
    if (outstanding_.front().has(Request::listens)) listening_->statement_done(outstanding_.first());
}

void Tracker::settle(std::uint64_t answered, bool failed) {
    trail_->ready(answered, status_ == 'I', failed);
    if (!stuck_.empty() || pins_.has(PinKind::stuck)) note_stuck();
    if (outstanding_.empty()) unaligned_ = !(lease_->held == settings_);
    if (trail_->idle()) trail_.reset();
}

// The lease is over, or its backend is gone with whatever it had not committed.
void Tracker::leave_trail() {
    if (trail_) trail_->roll_back();
    trail_.reset();
    stuck_.clear();
    portal_steps_.clear();
    replay_ = Replay::none;
    replayed_.reset();
    named_portal_steps_.clear();
    if (aside_) take_identity_back(true);
}

// What the session began with, and its backend has not any more: at once, where no other lease follows that brings it.
void Tracker::restore(wire::Outbox& to_backend) {
    if (lease_ == nullptr || !outstanding_.empty() || scope_open_ || skipping_ || copy_in_) return;
    if (reply_left_ > 0 || request_left_ > 0 || status_ == 'E' || (status_ == 'I' && pin().empty())) return;
    const std::string sql = missing_sql(lease_->held, settings_);
    unaligned_ = false;
    if (sql.empty()) return;
    query(to_backend.own(), sql);
    outstanding_.push({.type = frontend::query, .reply = Request::Reply::swallow});
    ++dropping_;
}

// The reply to that. Nothing of the session runs without it.
Tracker::Passing Tracker::on_restoring(std::uint8_t type, Bytes body, wire::Outbox& to_client) {
    if (outstanding_.first() == clearing_) return on_clearing(type, body, to_client);
    switch (type) {
        case backend::row_description:
        case backend::data_row:
        case backend::command_complete:
        case backend::notice: return Passing::drop;
        case backend::notification: return hears_along(body) ? Passing::drop : Passing::pass;
        case backend::parameter_status: {
            const std::optional<Parameter> said = parse_parameter_status(body);
            const bool known = said && told_.find(said->name) == said->value;
            const Passing passing = on_parameter(body, to_client);
            return known && passing == Passing::pass ? Passing::drop : passing;
        }
        case backend::ready_for_query: break;
        default: return Passing::lost;
    }
    if (parse_ready_for_query(body) != status_) return Passing::lost;
    outstanding_.pop();
    --dropping_;
    // A Query drops the unnamed statement.
    lease_->unnamed = {};
    in_sync_ = holds_unnamed();
    trail().aligned(status_ == 'I');
    if (trail_->idle()) trail_.reset();
    return Passing::drop;
}

}  // namespace leasehold::postgres
