// SPDX-License-Identifier: Apache-2.0
// What keeps a session on its backend only until it ends: made and ended by statements that name it, and by what the
// backend answers when it is asked, at a boundary that only such state forbids. User variables are carried from then on.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

constexpr std::size_t longest_answer = 64 * 1024;
constexpr std::size_t most_of_variables = 32 * 1024;  // of all that are carried, as SQL

// What a SET of several assignments refuses before it carries any of them out.
bool set_nothing(std::uint16_t error) noexcept {
    switch (error) {
        case 1064:  // syntax
        case 1115:  // unknown character set
        case 1193:  // unknown variable
        case 1227:  // no privilege
        case 1228:  // a session variable
        case 1229:  // a global variable
        case 1231:  // wrong value
        case 1232:  // wrong type
        case 1238:  // read only
        case 1253:  // collation of another character set
        case 1273:  // unknown collation
        case 1298:  // unknown time zone
            return true;
        default: return false;
    }
}

}  // namespace

// The request at hand may make state: whoever gets the backend next must not meet it, whatever becomes of the reply.
void Tracker::expect_state(const Statement& statement) {
    for (const Effect& effect : statement.made ? statement.made->effects : std::vector<Effect>()) {
        if (effect.kind == Effect::Kind::prepare && effect.carried) note_named(effect.name, nullptr);
    }
    if (!statement.makes_state()) return;
    dirty_ = lease_->dirty = true;
    if (pins_.reason().empty()) pin_text_ = transcript_.last();
}

std::string_view Tracker::current_database() const noexcept {
    return settings_.database ? std::string_view(*settings_.database) : std::string_view(lease_->login_database);
}

// All of them have been carried out.
void Tracker::take_made(const Statement& statement) {
    const bool none = pins_.reason().empty();
    if (statement.asks_locks) pins_.doubt_locks();
    if (statement.made) {
        for (const auto& [name, literal] : statement.made->users) {
            // NULL is of the type that the variable had.
            if (lower_case(literal) == "null" && settings_.user(name) != nullptr) {
                pins_.assigned(name);
            } else {
                carry_variable(name, literal);
            }
        }
        for (const std::string& name : statement.made->assigned) pins_.assigned(name);
        for (const std::string& name : statement.made->asked) pins_.asked(name);
        for (const Effect& effect : statement.made->effects) take_effect(effect);
        if (!statement.made->executes.empty()) pin_to_end("SQL PREPARE");  // of what nobody knows
        take_calls(*statement.made, true);
    }
    if (none) pins_young_ = in_transaction();
    // Whose state it is that the server reported shows in the definitions.
    if (stored_state_ && !pins_.awaits_definitions()) pin_to_end("state made by stored code");
}

// Stored routines: what they may have left shows in their definitions.
void Tracker::take_calls(const Made& made, bool succeeded) {
    using Look = wire::KnownFunctions::Look;
    for (const std::string& name : made.calls) {
        const std::optional<Routine> routine = Routine::named(name, current_database());
        const bool procedure = name.starts_with("CALL ");
        if (!options_.functions && !procedure && !stored_state_) continue;
        const bool known = routine && options_.functions && !procedure;
        const Look look = known ? options_.functions->due(routine->key()) : Look::always;
        if (look == Look::none && !stored_state_) continue;
        const bool asked = routine && settings_.autocommit && pins_.called(*routine);
        if (!asked && procedure && succeeded) pin_to_end("CALL: a procedure may leave state behind");
        if (!asked && stored_state_) pin_to_end("state made by stored code");
    }
    called_in_vain_ = called_in_vain_ || (!succeeded && !made.calls.empty());
}

void Tracker::take_definition(const Pins::Defined& told) {
    const Routine& routine = told.routine;
    const std::string name = routine.key();
    if (!told.definition) {
        // None of that name: a library's function, or nothing has run.
        if (routine.procedure && !called_in_vain_) pin_to_end("CALL: a procedure may leave state behind");
        if (stored_state_) pin_to_end("state made by stored code");
        if (options_.functions && !routine.procedure) options_.functions->judge(name, true);
        return;
    }
    RoutineTraces traces = read_routine(*told.definition, options_.mariadb);
    for (const std::string& call : traces.calls) {
        const std::optional<Routine> inner = Routine::named(call, routine.database);
        traces.unknown = traces.unknown || !inner || !pins_.called(*inner);
    }
    for (const std::string& variable : traces.variables) pins_.assigned(variable);
    for (const std::string& lock : traces.locks) pins_.apply_perhaps({Effect::Kind::lock, 0, lock, {}}, {});
    for (const std::string& table : traces.tables)
        pins_.apply_perhaps({Effect::Kind::table, 0, table, {}}, routine.database);
    if (traces.some_lock) pins_.lock_somewhere();
    if (traces.sets_role) pin_to_end("SET ROLE");
    if (traces.unknown && routine.procedure) pin_to_end("CALL: a procedure may leave state behind");
    if (stored_state_ && (traces.unknown || traces.sets_unseen)) pin_to_end("state made by stored code");
    // Nobody can say more of a function that may not be read.
    const bool mute = traces.unknown && !routine.procedure;
    const bool clean = mute || (traces.variables.empty() && traces.locks.empty() && traces.calls.empty() &&
                                !traces.some_lock && !traces.sets_role && traces.tables.empty() && !traces.unknown);
    stored_sets_ = stored_sets_ || traces.sets_some || !traces.tables.empty();
    if (options_.functions && !routine.procedure) options_.functions->judge(name, clean);
}

void Tracker::take_effect(const Effect& effect) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    Pins tried;
    tried.apply(effect, {});
    if (switches::on("no_pin:" + std::string(tried.reason()))) return;
#endif
    const bool prepares = effect.kind == Effect::Kind::prepare;
    if (effect.kind == Effect::Kind::deallocate) drop_named(effect.name);
    if (prepares && take_named(effect)) {
        pins_.apply({Effect::Kind::deallocate, 0, effect.name, {}}, {});
        return;
    }
    if (prepares) dirty_ = lease_->dirty = true;
    pins_.apply(effect, current_database());
}

// A PREPARE that fails takes the statement of its name along.
void Tracker::fail_named(const Statement& statement, bool certain, std::size_t done) {
    if (!statement.made) return;
    for (const Effect& effect : statement.made->effects) {
        if (effect.kind != Effect::Kind::prepare) continue;
        if (!certain && sql_prepared_.text(effect.name)) pin_to_end("SQL PREPARE");
        if (!certain || effect.statement != done) continue;
        drop_named(effect.name);
        pins_.apply({Effect::Kind::deallocate, 0, effect.name, {}}, {});
    }
}

// An error came in place of the reply to the `done`-th of them; or, where that is not certain, of any.
void Tracker::take_made_perhaps(const Statement& statement, bool certain, std::size_t done) {
    const bool none = pins_.reason().empty();
    if (statement.asks_locks) pins_.doubt_locks();
    if (statement.made) {
        const bool single_set = statement.count == 1 && statement.only_sets && set_nothing(lease_->reply.error());
        for (const auto& [name, literal] : statement.made->users) {
            if (!single_set) pins_.assigned(name);
        }
        for (const std::string& name : statement.made->assigned) {
            if (!single_set) pins_.assigned(name);
        }
        for (const std::string& name : statement.made->asked) {
            if (!single_set) pins_.asked(name);
        }
        for (const Effect& effect : statement.made->effects) {
            const bool perhaps = effect.kind == Effect::Kind::lock && effect.statement == done;
            constexpr std::uint16_t unknown_table = 1109;
            const bool closed = effect.kind == Effect::Kind::close_handler && lease_->reply.error() == unknown_table;
            if ((certain && effect.statement < done) || (closed && effect.statement == done)) {
                take_effect(effect);
            } else if (perhaps || !certain) {
                pins_.apply_perhaps(effect, current_database());
            }
        }
    }
    if (statement.made) take_calls(*statement.made, false);
    if (stored_state_ && !pins_.awaits_definitions()) pin_to_end("state made by stored code");
    if (none) pins_young_ = in_transaction();
}

// What SET statements among others have set before an error came.
void Tracker::take_sets_perhaps(const Statement& statement, bool certain, std::size_t done) {
    const std::size_t count = statement.sets.size() + statement.computed.size();
    if (count == 0) return;
    const bool none_of_it = set_nothing(lease_->reply.error());
    const bool known = statement.made && statement.made->set_in.size() == statement.sets.size() &&
                       statement.made->computed_in.size() == statement.computed.size();
    if (!certain || !known) {
        if (count > 1 || statement.count > 1) pin_to_end("a SET that failed halfway");
        return;
    }
    std::size_t here = 0;
    for (std::size_t i = 0; i < statement.sets.size(); ++i) {
        if (statement.made->set_in[i] < done) apply_set(statement.sets[i].first, statement.sets[i].second);
        here += statement.made->set_in[i] == done ? 1 : 0;
    }
    here += static_cast<std::size_t>(std::ranges::count(statement.made->computed_in, done));
    if (here > 1 && !none_of_it) pin_to_end("a SET that failed halfway");
}

// Of a user variable: from now on each of its backends is given it.
void Tracker::carry_variable(const std::string& name, const std::string& literal) {
    std::size_t all = literal.size();
    for (const auto& [other, value] : settings_.users) all += other == name ? 0 : value.size() + other.size();
    if (all > most_of_variables) {
        settings_.forget_user(name);
        pins_.uncarried(name);
        return;
    }
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_user_variables")) return;
#endif
    pins_.known(name);
    settings_.set_user(name, literal);
    lease_->held.set_user(name, literal);
    if (settings_.variables.size() + settings_.users.size() > options_.max_settings)
        pin_to_end("more settings than max_settings_per_session");
}

// Texts are what the character sets made of them that were in force then.
void Tracker::doubt_texts() {
    for (const auto& [name, literal] : settings_.users) {
        if (literal.starts_with('\'')) pins_.assigned(name);
    }
}

// EXECUTE of a statement that the session prepared in SQL does what that does.
void Tracker::put_executed(Statement& statement) const {
    if (!statement.made || statement.made->executes.empty()) return;
    std::vector<Made::Executed> unknown;
    for (Made::Executed& executed : std::exchange(statement.made->executes, {})) {
        std::shared_ptr<const Statement> text = executed.text ? executed.text : pins_.prepared(executed.name);
        const SqlTextRef carried = pins_.has_prepared(executed.name) ? nullptr : sql_prepared_.text(executed.name);
        if (!text && carried) {
            text = carried->statement;
            statement.elsewhere = statement.elsewhere || settings_of(carried->reading).database != settings_.database;
        }
        const bool plain = text && text->count == 1 && !text->kill && !(text->made && !text->made->executes.empty());
        if (!plain || (statement.count > 1 && !text->sets.empty())) {
            // Where there is none of this name, the server says so.
            statement.runs_stored = statement.may_insert = statement.calls = statement.may_trigger = true;
            unknown.push_back(std::move(executed));
        } else {
            merge_executed(*text, statement);
        }
    }
    if (!unknown.empty()) statement.make().executes = std::move(unknown);
}

// As if the text stood in its place.
void Tracker::merge_executed(const Statement& text, Statement& into) {
    into.merge_pin(text.pin);
    into.merge_pin(text.locks);
    into.begins = into.begins || text.begins;
    into.may_commit = into.may_commit || text.may_commit;
    into.may_insert = into.may_insert || text.may_insert;
    into.calls = into.calls || text.calls;
    into.may_trigger = into.may_trigger || text.may_trigger;
    into.runs_stored = into.runs_stored || text.runs_stored;
    into.asks_counts = into.asks_counts || text.asks_counts;
    into.asks_found_rows = into.asks_found_rows || text.asks_found_rows;
    into.asks_locks = into.asks_locks || text.asks_locks;
    into.one_shot = into.one_shot || text.one_shot;
    into.routines = into.routines || text.routines;
    into.explained = into.count == 1 && text.explained;
    into.inert = into.inert && text.inert;
    into.variables.insert(into.variables.end(), text.variables.begin(), text.variables.end());
    into.variables_lost = into.variables_lost || text.variables_lost;
    if (into.count == 1) {
        into.sets = text.sets;
        into.computed = text.computed;
    } else if (!text.computed.empty()) {
        into.merge_pin("SQL PREPARE");
    }
    if (!text.made) return;
    Made& made = into.make();
    for (const auto& [name, literal] : text.made->users) {
        if (into.count == 1) {
            made.users.emplace_back(name, literal);
        } else {
            made.assigned.push_back(name);
        }
    }
    made.assigned.insert(made.assigned.end(), text.made->assigned.begin(), text.made->assigned.end());
    made.asked.insert(made.asked.end(), text.made->asked.begin(), text.made->asked.end());
    made.effects.insert(made.effects.end(), text.made->effects.begin(), text.made->effects.end());
    made.calls.insert(made.calls.end(), text.made->calls.begin(), text.made->calls.end());
}

// At a boundary. True: the backend has been asked.
bool Tracker::ask_for_pins(wire::Outbox& to_backend) {
    if (pins_.reason().empty() || !pin_.empty() || !lock_.empty() || one_shot_ || by_hand_ || session_pinned_)
        return false;
    if (!statement_pin().empty()) return false;
    const std::string question = pins_.question();
    if (question.empty()) return false;
    answer_.clear();
    inject(Due::For::question, question, to_backend);
    return true;
}

void Tracker::keep_answer(Bytes part) {
    if (answer_.size() > longest_answer) return;
    answer_.insert(answer_.end(), part.begin(), part.end());
}

void Tracker::on_answer() {
    lease_->counts_of = MysqlLease::leaseholds;  // it has changed ROW_COUNT() and FOUND_ROWS()
    std::vector<std::pair<std::string, std::string>> values;
    const bool extended = (lease_->capabilities & cap::extended_types) != 0;
    const bool whole = !lease_->reply.failed() && answer_.size() <= longest_answer;
    if (!pins_.answered(whole ? Bytes(answer_) : Bytes(), extended, values)) pins_.unanswered();
    for (const auto& [name, literal] : values) {
        if (name.starts_with('@')) {
            carry_variable(name, literal);
            continue;
        }
        if (name == "collation_connection") {
            settings_.settle_charset(literal);
            lease_->held.settle_charset(literal);
        }
        settings_.set(name, literal);
        lease_->held.set(name, literal);
    }
    for (const Pins::Defined& told : pins_.take_definitions()) take_definition(told);
    if (!pins_.awaits_definitions()) {
        pins_.forget_looked_at();
        if (stored_state_ && !stored_sets_ && !stored_moves_) pin_to_end("state made by stored code");
        stored_state_ = stored_sets_ = stored_moves_ = called_in_vain_ = false;
    }
    answer_ = {};
}

std::string Tracker::pin_statement() const { return masked(pin_text_, Transcript::max_bytes); }

}  // namespace leasehold::mysql
