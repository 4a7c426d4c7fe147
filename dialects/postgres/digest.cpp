// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/digest.hpp"

#include "dialects/postgres/settings.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {

bool decides_reading(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 6> names{"array_nulls",           "backslash_quote",
                                                    "lc_monetary",           "timezone_abbreviations",
                                                    "transform_null_equals", "xmloption"};
    return std::ranges::any_of(names, [name](std::string_view known) { return same_name(known, name); });
}

namespace {

// What takes state away that pins: its backend is asked then whether any is left.
[[nodiscard]] bool may_end_state(const Statement& statement) noexcept {
    switch (statement.kind) {
        case Kind::discard_all:
        case Kind::discard_plans:
        case Kind::discard_temp:
        case Kind::unlisten:
        case Kind::deallocate:
        case Kind::deallocate_all:
        case Kind::close: return true;
        default: return (statement.marks & (mark::schema | mark::unlock)) != 0;
    }
}

// It runs what may be anything, triggers and defaults included. COMMIT runs what earlier statements have put off.
[[nodiscard]] bool may_use_sequences(const Statement& statement) noexcept {
    switch (statement.kind) {
        case Kind::other:
        case Kind::execute:
        case Kind::declare:
        case Kind::declare_hold:
        case Kind::create_temp:
        case Kind::run_do:
        case Kind::call:
        case Kind::copy:
        case Kind::explain: return true;
        default: return (statement.marks & mark::obscure) != 0;
    }
}

[[nodiscard]] bool mentions(std::string_view text, std::string_view word) noexcept {
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

}  // namespace

void note_sequences_within(std::string_view sql, Digest& digest) noexcept {
    const bool asks = mentions(sql, "currval") || mentions(sql, "lastval");
    if (!asks && !mentions(sql, "nextval") && !mentions(sql, "setval")) return;
    digest.names_sequences = true;
    digest.asks_sequences |= asks;
    digest.pins |= bit(PinKind::last_value);
    if (digest.pin == PinKind::none) digest.pin = PinKind::last_value;
}

void Digester::pin(PinKind kind) noexcept {
    digest_.pins |= bit(kind);
    if (digest_.pin == PinKind::none) digest_.pin = kind;
}

void Digester::note_setting(PinKind kind, std::string_view name) noexcept {
    digest_.settings = true;
    if (digest_.setting_pin != PinKind::none) return;
    digest_.setting_pin = kind;
    const std::size_t n = std::min(name.size(), digest_.name.size());
    std::copy_n(name.begin(), n, digest_.name.begin());
    digest_.length = static_cast<std::uint8_t>(n);
}

void Digester::take(const Statement& statement) noexcept {
    if (statement.kind == Kind::none) return;
    if (digest_.statements++ == 0) digest_.first = statement.kind;
    digest_.last = statement.kind;
    digest_.may_commit |= statement.may_commit();
    digest_.chains |= (statement.marks & mark::chain) != 0;
    digest_.discards = digest_.only(Kind::discard_all);
    note_meaning(statement);
    switch (statement.kind) {
        case Kind::begin: digest_.begins = true; break;
        case Kind::commit:
        case Kind::rollback: digest_.ends = true; break;
        case Kind::rollback_to:
            digest_.rolls_back_to = true;
            digest_.savepoints = true;
            break;
        case Kind::savepoint:
        case Kind::release: digest_.savepoints = true; break;
        case Kind::set:
        case Kind::reset:
            digest_.settings = true;
            if (!carried_(context_, statement.variable())) note_setting(PinKind::setting, statement.variable());
            break;
        case Kind::reset_all: note_setting(PinKind::setting, "all"); break;
        case Kind::set_local:
            digest_.locals = true;
            // How the texts behind it are read: they may be on their way already.
            if (same_name(statement.variable(), "standard_conforming_strings")) {
                pin(PinKind::setting);
                note_setting(PinKind::setting, statement.variable());
            }
            break;
        case Kind::discard_all:
        case Kind::deallocate_all: digest_.drops_statements = true; break;
        case Kind::deallocate: {
            const std::string_view name = statement.variable();
            if (digest_.setting_pin != PinKind::none) break;
            std::copy(name.begin(), name.end(), digest_.name.begin());
            digest_.length = static_cast<std::uint8_t>(name.size());
            break;
        }
        case Kind::listen: pin(PinKind::listen); break;
        case Kind::prepare: pin(PinKind::prepared); break;
        case Kind::declare_hold: pin(PinKind::held_cursor); break;
        case Kind::create_temp: pin(PinKind::temporary); break;
        case Kind::load: pin(PinKind::load); break;
        case Kind::run_do:
        case Kind::call: digest_.soils = digest_.unseen = digest_.calls = true; break;
        case Kind::execute: digest_.soils = digest_.calls = true; break;
        default: break;
    }
    digest_.ends_state |= may_end_state(statement);
    const std::uint16_t marks = statement.marks;
    const bool prepared = statement.kind == Kind::prepare || statement.kind == Kind::execute;
    digest_.names |= prepared || statement.kind == Kind::deallocate || (marks & mark::executes) != 0;
    digest_.reserved |= (marks & mark::reserved) != 0;
    digest_.lists_prepared |= (marks & mark::lists_prepared) != 0;
    if ((marks & mark::obscure) != 0) digest_.unseen = true;
    if ((marks & mark::calls) != 0) digest_.calls = true;
    if ((marks & mark::schema) != 0) digest_.routines = true;
    if ((marks & (mark::pg_temp | mark::temporary)) != 0) pin(PinKind::temporary);
    if ((marks & mark::advisory_lock) != 0) pin(PinKind::advisory_lock);
    if ((marks & mark::set_config) != 0) note_setting(PinKind::set_config);
    if ((marks & (mark::last_value | mark::sequence)) != 0) pin(PinKind::last_value);
    digest_.names_sequences |= (marks & (mark::last_value | mark::sequence | mark::obscure)) != 0;
    digest_.asks_sequences |= (marks & mark::last_value) != 0;
    digest_.touches |= may_use_sequences(statement);
    digest_.draws |= statement.inserts || statement.kind == Kind::copy || digest_.soils || digest_.unseen;
    if ((marks & mark::foreign_session) != 0) pin(PinKind::foreign_session);
    if ((marks & mark::obscure) != 0) digest_.soils = true;
    const bool sets = statement.kind == Kind::set || statement.kind == Kind::set_local;
    if ((marks & mark::seed) != 0 || (sets && same_name(statement.variable(), "seed"))) {
        digest_.seeds = true;
        pin(PinKind::seed);
    }
}

void Digester::merge(const Digest& inner) noexcept {
    Digest& all = digest_;
    all.begins |= inner.begins;
    all.may_commit |= inner.may_commit;
    all.ends |= inner.ends;
    all.chains |= inner.chains;
    all.soils |= inner.soils;
    all.unseen |= inner.unseen;
    all.ends_state |= inner.ends_state;
    all.drops_statements |= inner.drops_statements;
    all.discards = all.statements == 1 && inner.discards;
    all.rolls_back_to |= inner.rolls_back_to;
    all.schema |= inner.schema;
    all.own_schema |= inner.own_schema;
    all.reads |= inner.reads;
    all.seeds |= inner.seeds;
    all.touches |= inner.touches;
    all.draws |= inner.draws;
    all.names_sequences |= inner.names_sequences;
    all.asks_sequences |= inner.asks_sequences;
    all.settings |= inner.settings;
    all.locals |= inner.locals;
    all.savepoints |= inner.savepoints;
    all.lists_prepared |= inner.lists_prepared;
    all.routines |= inner.routines;
    if (all.pin == PinKind::none) all.pin = inner.pin;
    all.pins |= inner.pins;
    if (all.setting_pin == PinKind::none) {
        all.setting_pin = inner.setting_pin;
        all.name = inner.name;
        all.length = inner.length;
    }
}

// What texts parsed later may be understood by.
void Digester::note_meaning(const Statement& statement) noexcept {
    switch (statement.kind) {
        case Kind::set:
        case Kind::set_local:
        case Kind::reset: digest_.reads |= decides_reading(statement.variable()); break;
        case Kind::run_do:
        case Kind::call:
        case Kind::execute:
        case Kind::create_temp: digest_.own_schema = true; break;
        default: break;
    }
    if ((statement.marks & (mark::pg_temp | mark::temporary)) != 0) {
        digest_.own_schema = true;
    } else if ((statement.marks & mark::schema) != 0) {
        digest_.schema = true;
    }
}

std::string describe_pin(PinKind kind, std::string_view variable) {
    switch (kind) {
        case PinKind::none: return {};
        case PinKind::setting:
        case PinKind::stuck: return variable.empty() ? "SET" : "SET " + std::string(variable);
        case PinKind::temporary: return "temporary object";
        case PinKind::listen: return "LISTEN";
        case PinKind::advisory_lock: return "session advisory lock";
        case PinKind::held_cursor: return "cursor WITH HOLD";
        case PinKind::prepared: return "PREPARE";
        case PinKind::load: return "LOAD";
        case PinKind::set_config: return "set_config()";
        case PinKind::last_value: return "currval() or lastval()";
        case PinKind::foreign_session: return "session of an extension";
        case PinKind::oversized: return "prepared statement too large to be carried";
        case PinKind::unseen: return "DO or CALL";
        case PinKind::by_hand: return "by hand";
        case PinKind::function: return "function";
        case PinKind::seed: return "seed of random()";
    }
    return {};
}

}  // namespace leasehold::postgres
