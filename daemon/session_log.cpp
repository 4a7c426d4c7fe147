// SPDX-License-Identifier: Apache-2.0
// What the log is told of a session: its login, its end, logins that fail, waits that take long, and, where somebody
// wants to know, its statements. Nothing is decided here.
#include "daemon/listener.hpp"
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

#include <algorithm>

namespace leasehold::daemon {
namespace {

constexpr std::size_t holders_named = 3;
constexpr unsigned described_at_once = 20;  // waits of one pool within a second: each looks at all that wait

// "10.0.0.5" of "10.0.0.5:4242": what many connections of one program have in common.
std::string_view host_of(std::string_view peer) noexcept {
    const std::size_t colon = peer.rfind(':');
    const bool port = colon != std::string_view::npos && !peer.starts_with("unix");
    return port ? peer.substr(0, colon) : peer;
}

std::string seconds(std::chrono::milliseconds time) {
    std::string text = std::to_string(time.count() / 1000) + "." + std::to_string(time.count() % 1000 / 100);
    return text + " s";
}

}  // namespace

void Session::log_login(bool console) {
    logged_in_ = true;
    const std::string& pool = console ? database_ : home_->name();
    const LogField fields[] = {{"session", id_},
                               {"pool", pool},
                               {"user", user_},
                               {"client", peer_},
                               {"database", database_},
                               {"application", application_},
                               {"ms", wire::Clock::now() - login_began_}};
    log_kin(LogLevel::info, pool + '\0' + user_, "login", fields);
}

void Session::log_end(std::string_view reason) {
    const std::string pool = home_ ? home_->name() : database_;
    // A client that breaks the protocol has been told this id, and may ask.
    if (reason == "protocol_error") {
        const LogField fields[] = {
            {"session", id_}, {"pool", pool}, {"user", user_}, {"client", peer_}, {"sqlstate", "08P01"}};
        log_kin(LogLevel::warn, pool, "protocol_error", fields);
    }
    if (!std::exchange(logged_in_, false)) {
        if (reason != "client_gone") return;  // a refusal, which was logged
        wire::Diagnostics gone;
        gone.message = "the client went away before it was let in";
        note_failed_login(gone, {});
        return;
    }
    shared_.counts.ended(worker_->index(), reason);
    std::vector<LogField> fields{{"session", id_}, {"pool", pool}, {"user", user_}, {"client", peer_}};
    fields.push_back({"reason", reason});
    const bool asked = reason == "stopped" && !stop_reason_.empty();
    if (asked) fields.push_back({"message", stop_reason_});
    fields.push_back({"ms", wire::Clock::now() - connected_});
    if (tracker_) {
        fields.push_back({"transactions", tracker_->counts().transactions});
        fields.push_back({"requests", tracker_->counts().requests});
    }
    std::string kin = pool + '\0' + user_ + '\0';
    kin += reason;
    log_kin(LogLevel::info, kin, "logout", fields);
}

// Each failed login is counted and logged once, with its reason and without a credential.
void Session::note_failed_login(const wire::Diagnostics& error, std::string_view hint) {
    shared_.login_failures.add(worker_->index());
    const std::string listen = address_of(*listen_);
    const LogField fields[] = {{"session", id_},           {"client", peer_},
                               {"listen", listen},         {"user", user_},
                               {"database", database_},    {"sqlstate", error.sqlstate},
                               {"message", error.message}, {"hint", hint}};
    std::string kin(host_of(peer_));
    (kin += '\0') += error.sqlstate;
    log_kin(LogLevel::info, kin, "login_failed", fields);
}

// --- statements ------------------------------------------------------------------------------------------------

// At each tick: a reload may have changed what is wanted.
void Session::watch(wire::Clock::time_point now) {
    if (!home_) return;
    if (tracker_ && logs_statements(*home_) != (statements_ != nullptr)) {
        tracker_->observe(nullptr);
        statements_.reset();
        if (logs_statements(*home_)) {
            statements_ = std::make_unique<StatementLog>(*home_, *tracker_, id_, user_, peer_);
            tracker_->observe(statements_.get());
        }
    }
    const auto limit = slow_wait();
    if (waiting_ && !wait_told_ && limit.count() > 0 && now - waiting_since_ >= limit) tell_wait(now);
}

// --- waits -----------------------------------------------------------------------------------------------------

void Session::tell_wait(wire::Clock::time_point now) {
    wait_told_ = true;
    const std::string_view application = tracker_ ? tracker_->application() : std::string_view(application_);
    std::vector<LogField> fields{{"session", id_},  {"pool", home_->name()},      {"user", user_},
                                 {"client", peer_}, {"application", application}, {"ms", now - waiting_since_}};
    std::string holders;
    if (now - home_->waits_told_since >= std::chrono::seconds(1)) {
        home_->waits_told_since = now;
        home_->waits_told = 0;
    }
    // One that was over before a tick saw it has no place in the queue any more.
    if (waiting_ && home_->waits_told++ < described_at_once) {
        std::size_t position = 1;
        std::size_t all = 0;
        for (const auto& [id, other] : worker_->sessions()) {
            if (!other->waiting_ || other->home_ != home_) continue;
            ++all;
            if (other->ticket_ < ticket_) ++position;
        }
        fields.push_back({"position", position});
        fields.push_back({"waiting", all});
        holders = holders_of_pool();
        fields.push_back({"holders", holders});
    }
    log_kin(LogLevel::warn, home_->name(), "slow_wait", fields);
}

// Who has had the pool's backends for longest.
std::string Session::holders_of_pool() const {
    std::vector<pool::BackendRow> rows = home_->pool->backends();
    const std::size_t open = rows.size();
    std::erase_if(rows, [](const pool::BackendRow& row) { return row.state != "leased"; });
    std::ranges::sort(rows, std::ranges::greater(), &pool::BackendRow::in_state);
    std::string text = std::to_string(rows.size()) + " of " + std::to_string(open) + " backends leased";
    for (std::size_t i = 0; i < std::min(rows.size(), holders_named); ++i) {
        const pool::BackendRow& row = rows[i];
        (text += "; for ") += seconds(row.in_state);
        const Session* holder = worker_->find(row.session);
        if (holder == nullptr) continue;
        const SessionView view = holder->view();
        text += " by session " + std::to_string(view.id) + " " + view.user + "@" + view.address;
        if (!view.application.empty()) text += " (" + view.application + ")";
        text += " " + view.state;
        if (!view.pin.empty()) text += ", pinned: " + view.pin;
    }
    return text;
}

// Called where a wait ends, before waiting_since_ is forgotten.
void Session::end_wait(const pool::Checkout& checkout) {
    const auto now = wire::Clock::now();
    const auto limit = slow_wait();
    const bool slow = limit.count() > 0 && now - waiting_since_ >= limit;
    if (slow && !wait_told_) tell_wait(now);
    if (!std::exchange(wait_told_, false)) return;
    std::string_view outcome = "leased";
    switch (checkout.error) {
        case pool::Checkout::Error::none: break;
        case pool::Checkout::Error::timeout: outcome = "timeout"; break;
        case pool::Checkout::Error::unavailable: outcome = "unavailable"; break;
        case pool::Checkout::Error::refused: outcome = "refused"; break;
        case pool::Checkout::Error::cancelled: outcome = "cancelled"; break;
        case pool::Checkout::Error::closed: outcome = "closed"; break;
    }
    const LogField fields[] = {
        {"session", id_}, {"pool", home_->name()}, {"reason", outcome}, {"ms", now - waiting_since_}};
    std::string kin = home_->name() + '\0';
    kin += outcome;
    log_kin(LogLevel::info, kin, "slow_wait_end", fields);
}

}  // namespace leasehold::daemon
