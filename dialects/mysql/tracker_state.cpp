// SPDX-License-Identifier: Apache-2.0
// The tracker's half that learns what a statement made of its session: what its text sets, and what the server's session
// tracker reports beyond it. A change that nobody can name pins.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

// A SET that is longer is passed on as it is.
constexpr std::uint32_t max_tracked_set = 16 * 1024;

// The values of variables as the server names them, as SQL; none: they cannot be written down.
std::optional<std::string> as_literal(std::string_view name, std::string_view value) {
    if (name == "character_set_results" && value.empty()) return "NULL";
    const bool plain = value.size() < 2048 && std::ranges::all_of(value, [](char c) {
                           return c >= 0x20 && c < 0x7F && c != '\'' && c != '\\';
                       });
    if (!plain) return std::nullopt;
    std::string literal = "'";
    return (literal += value) += '\'';
}

// Whether a SET of one names the other as well.
bool covers(std::string_view set, std::string_view name) noexcept {
    if (set == names_key || set == charset_key)
        return name.starts_with("character_set_") || name == "collation_connection";
    if (set == "transaction isolation") return name == "transaction_isolation" || name == "tx_isolation";
    if (set == "transaction read only") return name == "transaction_read_only" || name == "tx_read_only";
    return set == name;
}

// Errors of statements that the server refuses before it carries any of them out.
bool did_nothing(std::uint16_t error) noexcept {
    switch (error) {
        case 1046:  // no database selected
        case 1049:  // unknown database
        case 1054:  // unknown column
        case 1064:  // syntax
        case 1142:  // no privilege on a table
        case 1146:  // no such table
        case 1193:  // unknown system variable
        case 1305:  // no such routine
            return true;
        default: return false;
    }
}

// ... and these before any stored code of theirs has run: within it the others may come as well.
bool ran_nothing(std::uint16_t error) noexcept { return error == 1046 || error == 1049 || error == 1193; }

}  // namespace

// What the client's statement has set is carried from now on.
void Tracker::apply(const Statement& statement) {
    if (statement.database) {
        move_to_database(*statement.database);
    } else if (!(lease_->tracking && watched(settings_, {}).schema) && (status_ & status::database_dropped) != 0) {
        move_to_database({});  // or was it another database? A tracker tells
    }
    for (const auto& [name, literal] : statement.sets) apply_set(name, literal);
    if (settings_.variables.size() > options_.max_settings) pin_to_end("more settings than max_settings_per_session");
    if (!statement.locks.empty()) lock_ = statement.locks;
    // A transaction's begin gives up the locks of tables, but not the global one.
    if (statement.unlocks || (statement.begins && statement.count == 1 && lock_ == "LOCK TABLES")) lock_ = {};
    if (statement.routines) wire::KnownFunctions::replaced();
}

void Tracker::apply_set(const std::string& name, const std::string& literal) {
    std::string_view variable = name;
    if (name == "transaction isolation") variable = options_.mariadb ? "tx_isolation" : "transaction_isolation";
    if (name == "transaction read only") variable = options_.mariadb ? "tx_read_only" : "transaction_read_only";
    if (!settings_.users.empty() && (covers(names_key, name) || name == names_key || name == charset_key))
        doubt_texts();
    settings_.set(variable, literal);
    lease_->held.set(variable, literal);
    // It may have told the server to report less than leasehold needs.
    if (name.starts_with("session_track_s") && name != "session_track_schema") lease_->tracking = false;
}

void Tracker::move_to_database(std::string_view name) {
    if (settings_.database == name) return;
    if (settings_.holds(charset_key)) {
        pins_.asked("collation_connection");
        doubt_texts();
    }
    settings_.database = lease_->held.database = std::string(name);
}

// A SET with an expression, whose value the server's report tells: it must not end the report on its way.
Tracker::Step Tracker::forward_tracked(Incoming& packet, Statement statement) {
    const auto set = std::ranges::find(statement.sets, "session_track_system_variables",
                                       &std::pair<std::string, std::string>::first);
    const bool certain = set != statement.sets.end() && lease_->tracks && packet.whole() &&
                         packet.header.length <= max_tracked_set && !is_unsafe_charset(options_.charset);
    std::optional<std::string> text;
    if (certain) text = with_tracked(wire::as_text(packet.visible().subspan(1)), set->second, lease_->mariadb);
    if (!text) return forward(packet, Shape::query, std::move(statement));
    wire::Writer made;
    const std::size_t mark = begin_packet(made, packet.header.sequence);
    made.u8(static_cast<std::uint8_t>(packet.command));
    made.text(*text);
    end_packet(made, mark);
    renumbered_.assign(made.bytes().begin(), made.bytes().end());
    std::size_t at = 0;
    Incoming other{
        renumbered_, at,          header_of(renumbered_), packet.command, packet.to_backend, packet.to_client,
        nullptr,     packet.plain};
    const Step step = forward(other, Shape::query, std::move(statement));
    packet.at += header_size + packet.visible().size();
    return step;
}

// What the server reports with the reply to a statement of the client's, or to a question after an error.
void Tracker::take_changes(const Statement& statement) {
    const Reply& reply = lease_->reply;
    bool state = reply.changes_lost(), back_again = false;
    std::size_t computed = 0;
    std::string_view uncarried;
    const bool apart = statement.count > 1 && !statement.many_results && lease_->deprecate_eof();
    // Into the database of its preparation and back again; what a view's stored code may have made as well is for a reset.
    const bool elsewhere =
        statement.elsewhere && !statement.runs_stored && !statement.may_trigger && !statement.many_results;
    std::size_t part = 0, read = 0;
    Trailer trailer(wire::as_bytes(reply.changes()));
    for (TrackedChange change; trailer.next(change); read = reply.changes().size() - trailer.left()) {
        while (part + 1 < reply.changes_of().size() && reply.changes_of()[part + 1].at <= read) ++part;
        const std::size_t result = reply.changes_of().empty() ? 0 : reply.changes_of()[part].result;
        const bool explained =
            apart ? result < 64 && (statement.explained_ones >> result & 1u) != 0 : statement.explained;
        switch (change.kind) {
            case TrackedChange::Kind::variable:
                if (change.name == "autocommit") break;  // the status has it
                if (std::ranges::find(statement.computed, change.name) != statement.computed.end()) ++computed;
                if (!take_variable(statement, change.name, change.value)) {
                    state = true;
                    uncarried = change.name;
                }
                break;
            case TrackedChange::Kind::schema:
                back_again = back_again || change.value == current_database();
                move_to_database(change.value);
                break;
            case TrackedChange::Kind::state:
                state = state || !(explained || elsewhere) || suspect_;
                if (elsewhere && !explained) dirty_ = lease_->dirty = true;
                break;
            case TrackedChange::Kind::gtids:
            case TrackedChange::Kind::characteristics:
            case TrackedChange::Kind::transaction: break;
        }
    }
    if (state || trailer.broken()) {
        const bool called = statement.count == 1 && !statement.may_trigger && statement.made &&
                            !statement.made->calls.empty() && !reply.changes_lost() && !trailer.broken() && !suspect_ &&
                            uncarried.empty();
        stored_state_ = stored_state_ || called;
        stored_moves_ = stored_moves_ || (called && back_again);
        if (!called) pin_to_end("state made by stored code");
        met_.own_code = true;
    }
    std::size_t expected = statement.computed.size();
    if (reply.failed() && apart && statement.made) {
        const auto ran = [&](std::size_t one) { return one < reply.results(); };
        expected = static_cast<std::size_t>(std::ranges::count_if(statement.made->computed_in, ran));
    }
    if (computed < expected) pin_to_end("SET of what is not carried");
    suspect_ = false;
}

// False: it cannot be carried.
bool Tracker::take_variable(const Statement& statement, std::string_view name, std::string_view value) {
    const auto named = [name](const auto& set) { return covers(set.first, name); };
    if (std::ranges::any_of(statement.sets, named)) return true;
    const std::optional<std::string> literal = as_literal(name, value);
    if (!literal) return false;
    if (!settings_.users.empty() && covers(names_key, name)) doubt_texts();
    settings_.set(name, *literal);
    lease_->held.set(name, *literal);
    return true;
}

// The server answered the client's request with an error: part of it may have been done.
void Tracker::on_failure() {
    constexpr std::uint16_t syntax_error = 1064, packet_too_large = 1153;
    const Statement& statement = request_.statement;
    const std::uint16_t error = lease_->reply.error();
    const bool several = statement.count > 1 && settings_.multi_statements;  // else a syntax error
    // What runs texts of its own may have failed in one of them.
    const bool runs_text = statement.count > 1 || statement.pin == "SQL PREPARE" || statement.many_results ||
                           request_.command != Command::query;
    const bool no_statement = error == syntax_error && !several && !runs_text;
    // It was not read to its end, and the server closes: somebody else's statement must not run into that.
    const bool unread = error == packet_too_large;
    closing_ = unread && !request_.in_transaction && (request_.unpinned || pin().empty());
    const bool nothing = no_statement || unread || (!several && !statement.may_commit && did_nothing(error));
    // Without a transaction and with autocommit only what may commit can have changed that.
    state_unknown_ = !nothing && (request_.in_transaction || !settings_.autocommit || statement.may_commit);
    if (state_unknown_) lease_->status |= status::in_transaction;
    const bool undone = (no_statement || unread) && !statement.pin.empty();
    if (request_.unpinned && (undone || (no_statement && (statement.runs_stored || statement.makes_state())))) {
        pin_ = {};
        dirty_ = request_.was_dirty;
        lease_->dirty = request_.lease_was_dirty;
    }
    // Functions and triggers may have run before it. MySQL reports with the next reply what they left, MariaDB never.
    const bool fires = statement.may_trigger || statement.runs_stored;
    const bool before_any =
        no_statement || unread || statement.inert || (fires ? ran_nothing(error) : did_nothing(error));
    if (lease_->tracking && !before_any) {
        suspect_ = !lease_->mariadb;
        if (lease_->mariadb) dirty_ = lease_->dirty = true;
    }
    const bool certain = statement.count == 1 || (!statement.many_results && lease_->deprecate_eof());
    const std::size_t done = statement.count == 1 ? 0 : lease_->reply.results();
    if (!unread) fail_named(statement, certain, done);
    if (!no_statement && !unread) {
        take_sets_perhaps(statement, certain, done);
        if (!nothing && (statement.made || statement.asks_locks)) take_made_perhaps(statement, certain, done);
    }
    if (several && statement.database && !(lease_->tracking && watched(settings_, {}).schema))
        pin_to_end("a USE that may have failed");
    if (several && statement.one_shot) pin_to_end("a SET that failed halfway");
}

}  // namespace leasehold::mysql
