// SPDX-License-Identifier: Apache-2.0
// What the tracker holds between bytes: settings, pins, its lease.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>
#include <atomic>

namespace leasehold::mysql {
namespace {

std::uint64_t next_session() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

std::uint64_t variant_of(Capabilities capabilities) noexcept { return capabilities & cap::of_variant; }
Capabilities capabilities_of(std::uint64_t variant) noexcept { return variant & cap::of_variant; }

Settings initial_settings(std::string_view isolation_level, bool mariadb, bool autocommit) {
    Settings settings;
    settings.autocommit = autocommit || isolation_level == "AUTOCOMMIT";
    if (isolation_level.empty() || isolation_level == "AUTOCOMMIT") return settings;
    std::string literal = "'";
    for (const char c : isolation_level) {
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        literal += letter ? c : '-';
    }
    settings.set(mariadb ? "tx_isolation" : "transaction_isolation", literal + "'");
    return settings;
}

Tracker::Tracker(TrackerOptions options)
    : options_(std::move(options)), number_(next_session()), capabilities_(options_.capabilities),
      conversion_(options_.capabilities, options_.tracked_variables),
      settings_(
          initial_settings(options_.isolation_level, options_.mariadb, (options_.status & status::autocommit) != 0)),
      status_(options_.status), prepared_(options_.prepared_per_client) {
    settings_.multi_statements = (options_.capabilities & cap::multi_statements) != 0;
    settings_.charset = options_.charset;
    status_ = static_cast<std::uint16_t>(status_ & ~status::in_transaction);
}

bool Tracker::ends_with_goodbye(Bytes held) const noexcept {
    std::size_t at = body_.left;
    bool goodbye = false;
    while (at < held.size()) {
        if (held.size() - at < header_size) return false;
        const Header header = header_of(held.subspan(at));
        if (held.size() - at - header_size < header.length) return false;
        const std::uint8_t first = header.length == 0 ? std::uint8_t{0} : held[at + header_size];
        goodbye = header.length == 1 && header.sequence == 0 && first == static_cast<std::uint8_t>(Command::quit);
        at += header_size + header.length;
    }
    return goodbye;
}

void Tracker::attach(wire::LeaseState& backend) {
    lease_ = &static_cast<MysqlLease&>(backend);  // a pool of this dialect has no other
    wants_lease_ = wants_clean_ = false;
    lease_->used_by = lease_->used_by == 0 || lease_->used_by == number_ ? number_ : MysqlLease::leaseholds;
    preparing_.chunk_of = 0;
    status_ = lease_->status;
    first_of_lease_ = true;
    conversion_.attach(lease_->capabilities);
    session_pinned_ = options_.mode == wire::LeaseMode::session;
    foreign_found_rows_ = insert_id_own_ = insert_id_moved_ = false;
    state_unknown_ = suspect_ = false;
    met_ = {};
    said_before_ = false;
    // What came with the handshake and cannot be read safely.
    if (is_unsafe_charset(options_.charset)) pin_to_end("character set of the handshake");
}

void Tracker::detach() noexcept {
    if (watching_) watch_loss();
    if (lease_ != nullptr && dirty()) lease_->dirty = true;
    lease_ = nullptr;
    request_.active = false;
    savepoint_open_ = false;
    suspect_ = stored_state_ = stored_sets_ = stored_moves_ = called_in_vain_ = false;
    lock_ = {};
    pins_.clear();
    one_shot_ = false;
    dirty_ = false;
    insert_id_moved_ = false;
    preparing_ = {};
    sql_copies_.clear();
    // An idle session needs no room for what it sent.
    constexpr std::size_t small = 1024;
    if (plain_.capacity() > small) plain_ = {};
    if (renumbered_.capacity() > small) renumbered_ = {};
    settles_ = closing_ = false;
    said_ = 0;
}

std::string_view Tracker::pin() const noexcept {
    const std::string_view state = state_pin();
    if (!state.empty()) return state;
    const std::string_view statement = statement_pin();
    return statement.empty() && session_pinned_ ? std::string_view("session mode") : statement;
}

std::string_view Tracker::state_pin(bool of_any_age) const noexcept {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_pins")) return {};
#endif
    // Of the transaction in progress, or of the request that is on its way.
    const bool young = pin_young_ || (request_.active && request_.unpinned);
    if (!pin_.empty() && (of_any_age || !young)) return pin_;
    if (!lock_.empty()) return lock_;
    const std::string_view reason = pins_.reason();
    if (!reason.empty() && (of_any_age || !pins_young_)) return reason;
    if (one_shot_) return "SET TRANSACTION";
    if (by_hand_) return "by hand";
    std::string_view statement;
    if (lease_ != nullptr) {
        lease_->statements.each_owned([&statement](const HeldStatement& held) {
            if (held.why == HeldStatement::too_long) statement = held.why;
        });
    }
    return statement;
}

wire::TransactionStatus Tracker::status() const noexcept {
    if (lost_) return wire::TransactionStatus::failed;
    return in_transaction() || state_unknown_ ? wire::TransactionStatus::active : wire::TransactionStatus::idle;
}

void Tracker::pin_to_end(std::string_view reason) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_pin:" + std::string(reason))) return;
#endif
    if (reason == "GET_LOCK") {
        pins_.lock_somewhere();
        if (lease_ != nullptr) lease_->dirty = true;
        dirty_ = true;
        return;
    }
    if (pin_.empty()) {
        if (pins_.reason().empty()) pin_text_ = transcript_.last();
        pin_ = reason;
        pin_young_ = in_transaction();
    }
    dirty_ = true;
    if (lease_ != nullptr) lease_->dirty = true;
}

// COM_RESET_CONNECTION: a session as after its login, in the database where it is. MySQL's then has the server's character
// sets, not those of its handshake.
void Tracker::reset_session() {
    const std::optional<std::string> database = settings_.database;
    const std::string role(settings_.role());  // the servers leave it, too
    const bool autocommit = (options_.status & status::autocommit) != 0;
    const bool multi_statements = settings_.multi_statements;  // the server leaves it as it is, too
    settings_ = initial_settings(options_.isolation_level, options_.mariadb, autocommit);
    settings_.multi_statements = multi_statements;
    settings_.database = database;
    if (!role.empty()) settings_.set(role_key, role);
    settings_.charset = options_.mariadb ? options_.charset : std::uint8_t{0};
    status_ = static_cast<std::uint16_t>(options_.status & ~status::in_transaction);
    pin_ = lock_ = {};
    pins_.clear();
    suspect_ = stored_state_ = stored_sets_ = stored_moves_ = called_in_vain_ = false;
    by_hand_ = one_shot_ = dirty_ = savepoint_open_ = insert_id_moved_ = false;
    prepared_.clear();
    sql_prepared_.clear();
    if (lease_ != nullptr && !statement_pin().empty()) {
        // Nothing of the session holds the backend any more; its cursors and long data are for a reset to end.
        lease_->dirty = true;
        lease_->statements.disown_all();
    }
    insert_id_ = 0;
    lost_.reset();
}

LexMode Tracker::lex_mode() const noexcept {
    LexMode mode;
    mode.mariadb = options_.mariadb;
    mode.no_backslash_escapes = (status_ & status::no_backslash_escapes) != 0;
    const auto set = std::ranges::find(settings_.variables, "sql_mode", &std::pair<std::string, std::string>::first);
    const bool usual = set == settings_.variables.end() || set->second == "DEFAULT" || set->second == "default";
    mode.ansi_quotes = has_ansi_quotes(usual ? std::string_view(options_.sql_mode) : std::string_view(set->second));
    return mode;
}

}  // namespace leasehold::mysql
