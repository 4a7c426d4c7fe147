// SPDX-License-Identifier: Apache-2.0
// The half of the lexer that knows words: which statement begins, what it sets, and which names make session state.
#include "dialects/postgres/statements.hpp"

#include "dialects/postgres/known_names.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

[[nodiscard]] bool begins(std::string_view w, std::string_view with) noexcept {
    return w.substr(0, with.size()) == with;
}

}  // namespace

std::string_view to_string(Kind kind) noexcept {
    constexpr std::array<std::string_view, static_cast<std::size_t>(Kind::explain) + 1> names{"none",
                                                                                              "other",
                                                                                              "BEGIN",
                                                                                              "COMMIT",
                                                                                              "ROLLBACK",
                                                                                              "ROLLBACK TO",
                                                                                              "SAVEPOINT",
                                                                                              "RELEASE",
                                                                                              "SET",
                                                                                              "SET LOCAL",
                                                                                              "RESET",
                                                                                              "RESET ALL",
                                                                                              "SHOW",
                                                                                              "DISCARD ALL",
                                                                                              "DISCARD PLANS",
                                                                                              "DISCARD TEMP",
                                                                                              "DISCARD SEQUENCES",
                                                                                              "LISTEN",
                                                                                              "UNLISTEN",
                                                                                              "NOTIFY",
                                                                                              "PREPARE",
                                                                                              "EXECUTE",
                                                                                              "DEALLOCATE",
                                                                                              "DEALLOCATE ALL",
                                                                                              "DECLARE",
                                                                                              "DECLARE WITH HOLD",
                                                                                              "CLOSE",
                                                                                              "CREATE TEMP",
                                                                                              "LOAD",
                                                                                              "DO",
                                                                                              "CALL",
                                                                                              "COPY",
                                                                                              "PREPARE TRANSACTION",
                                                                                              "COMMIT PREPARED",
                                                                                              "ROLLBACK PREPARED",
                                                                                              "LOCK",
                                                                                              "EXPLAIN"};
    return names[static_cast<std::size_t>(kind)];
}

// Anything that is no word: an operator, a literal's beginning, a bracket.
void Scanner::symbol(char c) noexcept {
    previous_ = Previous::none;
    const bool qualifies = c == '.' && (near_ == Near::name || near_ == Near::quoted || near_ == Near::qualified);
    if (c != '.') into_ = 0;
    near_ = !qualifies ? Near::nothing : kept_word() == "pg_catalog" ? Near::dot_of_catalog : Near::dot;
    switch (expect_) {
        case Expect::nothing: return;
        case Expect::first: current_.kind = Kind::other; break;
        case Expect::variable:
            if (c == '.' && current_.kind == Kind::set_local && current_.length == 0) {  // SET local.name = 1
                current_.kind = Kind::set;
                take_variable("local.");
                expect_ = Expect::variable;
                return;
            }
            break;
        case Expect::variable_more:
            if (c == '.') {
                if (current_.length == 0) {  // SET transaction.name = 1
                    current_.kind = Kind::set;
                    take_variable("transaction");
                }
                take_variable(".");
                expect_ = Expect::variable;
                return;
            }
            break;
        case Expect::prepare_transaction:  // PREPARE TRANSACTION 'id', or PREPARE transaction (int) AS
            current_.kind = c == '(' ? Kind::prepare : Kind::prepare_transaction;
            break;
        default: break;
    }
    expect_ = Expect::nothing;
}

// Names are told apart by what stands in front of them: s.lower( is no function of the system's.
void Scanner::name_follows(bool quoted) noexcept {
    if (near_ == Near::dot) {
        near_ = Near::qualified;
    } else if (near_ == Near::dot_of_catalog) {
        near_ = Near::quoted;
    } else {
        near_ = quoted ? Near::quoted : Near::name;
        if (into_ > 0) --into_;
    }
}

// A guess on the safe side; what follows INTO is so frequent that it is left out here already.
void Scanner::open_parenthesis() noexcept {
    ++parens_;
    if (near_ == Near::nothing || near_ == Near::dot || into_ == 1) return;
    const std::string_view name = kept_word();
    if (near_ == Near::name && is_keyword(name) && !may_name_function(name)) return;
    if (near_ != Near::qualified && is_harmless(name)) return;
    current_.marks |= mark::calls;
}

void Scanner::word(std::string_view w, bool quoted) noexcept {
    name_follows(quoted);
    if (expect_ == Expect::nothing) {
        later_word(w, quoted);
    } else if (expect_ == Expect::first) {
        if (quoted) {
            current_.kind = Kind::other;
            expect_ = Expect::nothing;
        } else {
            first_word(w);
        }
    } else {
        early_word(w, quoted);
    }
}

void Scanner::first_word(std::string_view w) noexcept {
    struct First {
        std::string_view word;
        Kind kind;
        Expect expect;
    };
    static constexpr std::array<First, 31> table{{
        {"abort", Kind::rollback, Expect::rollback},
        {"begin", Kind::begin, Expect::nothing},
        {"call", Kind::call, Expect::nothing},
        {"close", Kind::close, Expect::nothing},
        {"commit", Kind::commit, Expect::commit},
        {"copy", Kind::copy, Expect::nothing},
        {"create", Kind::other, Expect::create},
        {"deallocate", Kind::deallocate, Expect::deallocate},
        {"declare", Kind::declare, Expect::declare},
        {"discard", Kind::other, Expect::discard},
        {"do", Kind::run_do, Expect::nothing},
        {"end", Kind::commit, Expect::commit},
        {"execute", Kind::execute, Expect::nothing},
        {"explain", Kind::explain, Expect::nothing},
        {"insert", Kind::other, Expect::nothing},
        {"listen", Kind::listen, Expect::nothing},
        {"load", Kind::load, Expect::nothing},
        {"lock", Kind::lock, Expect::nothing},
        {"merge", Kind::other, Expect::nothing},
        {"notify", Kind::notify, Expect::nothing},
        {"prepare", Kind::prepare, Expect::prepare},
        {"release", Kind::release, Expect::nothing},
        {"reset", Kind::reset, Expect::reset},
        {"rollback", Kind::rollback, Expect::rollback},
        {"savepoint", Kind::savepoint, Expect::nothing},
        {"select", Kind::other, Expect::nothing},
        {"set", Kind::set, Expect::set},
        {"show", Kind::show, Expect::nothing},
        {"start", Kind::begin, Expect::start},
        {"unlisten", Kind::unlisten, Expect::nothing},
        {"update", Kind::other, Expect::nothing},
    }};
    const auto found = std::lower_bound(table.begin(), table.end(), w,
                                        [](const First& entry, std::string_view word) { return entry.word < word; });
    current_.kind = Kind::other;
    expect_ = Expect::nothing;
    if (found != table.end() && found->word == w) {
        current_.kind = found->kind;
        expect_ = found->expect;
    }
    previous_ = Previous::none;
    if (expect_ == Expect::create) previous_ = Previous::temp_follows;
    if ((current_.inserts = w == "insert" || w == "merge")) previous_ = Previous::insert;
    if (current_.kind == Kind::execute) previous_ = Previous::execute;
    updates_ = w == "update";
    selects_ = w == "select";
    if (w == "create" || w == "alter" || w == "drop" || w == "import") current_.marks |= mark::schema;
    defines_ = w == "create" || w == "alter";
}

// The second and third words of a statement that needs them.
void Scanner::early_word(std::string_view w, bool quoted) noexcept {
    const Expect expected = expect_;
    expect_ = Expect::nothing;
    switch (expected) {
        case Expect::set:
        case Expect::set_session:
        case Expect::variable:
        case Expect::time_zone:
        case Expect::reset: setting_word(expected, w, quoted); break;
        case Expect::rollback:
        case Expect::commit:
        case Expect::chain: ending_word(expected, w); break;
        case Expect::prepare:
            note_reserved(w);
            if (!quoted && w == "transaction") expect_ = Expect::prepare_transaction;
            break;
        case Expect::prepare_transaction:  // a statement of that name: PREPARE transaction AS
            current_.kind = Kind::prepare;
            break;
        case Expect::discard:
            if (w == "all") current_.kind = Kind::discard_all;
            if (w == "plans") current_.kind = Kind::discard_plans;
            if (w == "temp" || w == "temporary") current_.kind = Kind::discard_temp;
            if (w == "sequences") current_.kind = Kind::discard_sequences;
            break;
        case Expect::deallocate:
        case Expect::prepared_tail:
            if (!quoted && w == "prepare" && expected == Expect::deallocate) {
                expect_ = Expect::prepared_tail;
            } else if (!quoted && w == "all") {
                current_.kind = Kind::deallocate_all;
            } else {
                take_variable(w);
                note_reserved(w);
            }
            break;
        case Expect::create:
            if (w == "or" || w == "replace") expect_ = Expect::create;
            if (w == "function" || w == "procedure") routine_ = true;
            later_word(w, quoted);
            break;
        case Expect::start:
        case Expect::variable_more:
            if (w == "authorization" && current_.variable() == "session")
                take_variable("_authorization");  // RESET SESSION
            break;
        case Expect::declare:  // the cursor's name
        case Expect::nothing:
        case Expect::first: break;
    }
}

// What follows SET and RESET, up to the setting's name.
void Scanner::setting_word(Expect expected, std::string_view w, bool quoted) noexcept {
    const bool set = expected == Expect::set, after_session = expected == Expect::set_session;
    const bool keyword = !quoted && expected != Expect::variable;
    if (expected == Expect::time_zone) {  // SET TIME ZONE, or a setting of that name
        take_variable(keyword && w == "zone" ? "timezone" : "time");
    } else if (keyword && set && w == "local") {
        current_.kind = Kind::set_local;
        expect_ = Expect::variable;
    } else if (keyword && set && w == "session") {
        expect_ = Expect::set_session;
    } else if (keyword && (set || after_session) && (w == "transaction" || w == "constraints")) {
        current_.kind = Kind::set_local;
        expect_ = Expect::variable_more;
    } else if (keyword && after_session && w == "characteristics") {
        take_variable("session characteristics");
    } else if (keyword && after_session && w == "authorization") {
        take_variable("session_authorization");
    } else if (keyword && w == "time") {
        expect_ = Expect::time_zone;
    } else if (keyword && expected == Expect::reset && w == "all") {
        current_.kind = Kind::reset_all;
    } else if (keyword && expected != Expect::reset && w == "names") {
        take_variable("client_encoding");
        expect_ = Expect::variable_more;
    } else if (keyword && expected != Expect::reset && w == "xml") {
        take_variable("xmloption");
        expect_ = Expect::variable_more;
    } else if (keyword && expected != Expect::reset && w == "schema") {
        take_variable("search_path");
        expect_ = Expect::variable_more;
    } else {
        take_variable(w);
        expect_ = Expect::variable_more;
    }
}

// What follows COMMIT and ROLLBACK.
void Scanner::ending_word(Expect expected, std::string_view w) noexcept {
    if (expected == Expect::chain) {  // AND NO CHAIN is the default
        if (w == "chain") current_.marks |= mark::chain;
        return;
    }
    const bool back = expected == Expect::rollback;
    if (w == "prepared") current_.kind = back ? Kind::rollback_prepared : Kind::commit_prepared;
    if (w == "work" || w == "transaction") expect_ = expected;
    if (w == "to" && back) current_.kind = Kind::rollback_to;
    if (w == "and") expect_ = Expect::chain;
}

// CREATE FUNCTION ... BEGIN ATOMIC ...; ...; END: semicolons inside end nothing, as in psql.
void Scanner::function_body(std::string_view w, Previous before) noexcept {
    if (w == "begin" && body_depth_ == 0 && parens_ == 0) previous_ = Previous::begin;  // a name, too
    if ((w == "atomic" && before == Previous::begin) || (w == "case" && body_depth_ > 0)) ++body_depth_;
    if (w == "end" && body_depth_ > 0) --body_depth_;
}

// Names that make session state wherever they stand, and the words around TEMP and HOLD.
void Scanner::later_word(std::string_view w, bool quoted) noexcept {
    const Previous before = previous_;
    previous_ = Previous::none;
    if (w.empty()) return;  // ""
    if (before == Previous::execute) note_reserved(w);
    std::uint16_t found = 0;
    switch (w.front()) {
        case 'p':
            if (begins(w, "pg_temp")) found = mark::pg_temp;
            if (begins(w, "pg_advisory_lock") || begins(w, "pg_try_advisory_lock")) found = mark::advisory_lock;
            if (begins(w, "pg_advisory_unlock")) found = mark::unlock;
            if (begins(w, "pg_replication_origin_session")) found = mark::foreign_session;
            if (begins(w, "pg_prepared_statement")) found = mark::lists_prepared;
            if (w == "pg_settings" && updates_) found = mark::set_config;
            break;
        case 'a':
            if (w == "as" && !quoted) defines_ = false;  // CREATE TABLE AS runs its query
            break;
        case 's':
            if (w == "set_config") found = mark::set_config;
            if (w == "setseed") found = mark::seed;
            if (w == "setval" && !defines_) found = mark::sequence;
            break;
        case 'd':
            if (begins(w, "dblink_connect")) found = mark::foreign_session;
            break;
        case 'c':
        case 'l':
        case 'n':
            if (w == "nextval" && !defines_) found = mark::sequence;
            if ((w == "currval" || w == "lastval") && !defines_) found = mark::last_value;
            break;
        default: break;
    }
    current_.marks |= found;
    if (quoted) return;
    structure_word(w, before);
    if (routine_) function_body(w, before);
}

void Scanner::structure_word(std::string_view w, Previous before) noexcept {
    switch (w.front()) {
        case 'c':
            if (w == "create") {  // reserved: no name; EXPLAIN ANALYZE CREATE TABLE AS
                previous_ = Previous::temp_follows;
                current_.marks |= mark::schema;
            }
            break;
        case 'e':
            if (w != "execute") break;
            previous_ = Previous::execute;
            if (current_.kind == Kind::explain || (current_.marks & mark::schema) != 0)
                current_.marks |= mark::executes;
            break;
        case 'i':
            if (w == "into") into_ = 2;
            if (w == "into" && before != Previous::insert) {
                previous_ = Previous::temp_follows;
                current_.marks |= mark::schema;
            }
            [[fallthrough]];
        case 'm':  // SELECT 1 insert INTO t: a name
            if (w != "insert" && w != "merge") break;
            current_.inserts = true;
            if (parens_ == 0 ? !selects_ : before == Previous::opened) previous_ = Previous::insert;
            break;
        case 's': selects_ |= w == "select" && parens_ == 0; break;
        case 'g':
        case 'l':
        case 'o':
        case 'r':
            if (w == "global" || w == "local" || w == "or" || w == "replace") previous_ = before;
            break;
        case 't':
            if (before != Previous::temp_follows || (w != "temp" && w != "temporary")) break;
            current_.marks |= mark::temporary;
            if (current_.kind == Kind::other) current_.kind = Kind::create_temp;
            break;
        case 'u':
            if (w == "update") updates_ = true;
            break;
        case 'w':
            if (w == "with") previous_ = Previous::with;
            break;
        case 'h':
            if (w == "hold" && before == Previous::with && current_.kind == Kind::declare) {
                current_.kind = Kind::declare_hold;
            }
            break;
        default: break;
    }
}

}  // namespace leasehold::postgres
