// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_steps.hpp"

#include "dialects/postgres/settings.hpp"
#include "dialects/postgres/text_reader.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using Step = SettingStep;

constexpr std::size_t most_steps = 2000;

struct Known {
    Carried carried;
    const void* context;
    [[nodiscard]] bool operator()(std::string_view name) const { return carried(context, name); }
};

[[nodiscard]] bool admit(Assignment& assignment, const Known& known) {
    assignment.reported = known(assignment.name);
    return assignment.reported || (repeatable(assignment) && !decides_reading(assignment.name));
}

// Whoever the session becomes, it gives its role up.
void give_up_role(Assignments& assigns) {
    for (std::size_t i = 0; i < assigns.size(); ++i) {
        if (assigns[i].name != "session_authorization") continue;
        const auto after = std::next(assigns.begin(), static_cast<std::ptrdiff_t>(++i));
        assigns.insert(after, {.name = "role", .value = "none"});
    }
}

// It decides where the texts behind it end, which may be on their way already.
[[nodiscard]] bool is_conforming(std::string_view name) noexcept { return name == "standard_conforming_strings"; }

// A value that no other backend can be given keeps the session where it is, until it is another; what is reset is no value.
[[nodiscard]] bool read_set(std::string_view sql, const Statement& statement, const Known& known, Step& step) {
    step.kind = Step::Kind::assign;
    step.tag = statement.kind == Kind::reset ? "RESET" : "SET";
    step.unknown = is_conforming(statement.variable());
    if (std::optional<Assignments> read = read_assignment(sql)) {
        step.assigns = std::move(*read);
        give_up_role(step.assigns);
        for (Assignment& each : step.assigns) each.stuck = !admit(each, known) && !each.reset;
        return true;
    }
    const std::string_view name = statement.variable();
    if (!well_formed(name)) return false;
    const bool reported = known(name);
    step.assigns.push_back({.reported = reported, .stuck = !reported, .name = std::string(name)});
    return true;
}

// SET LOCAL a.b TO DEFAULT
[[nodiscard]] bool resets_locally(std::string_view sql) {
    TextReader text(sql);
    if (text.blanks().word() != "set" || !text.keyword("local")) return false;
    if (text.keyword("time"))
        return text.keyword("zone") && (text.keyword("default") || text.keyword("local")) && text.at_end();
    (void)text.blanks().word(true);
    return (text.blanks().take('=') || text.keyword("to")) && text.keyword("default") && text.at_end();
}

// What stands as set_config()'s value: a constant, or nothing that matters for a value that ends with its transaction.
struct Value {
    std::string text;
    bool constant = false, null = false;
};
[[nodiscard]] bool read_config_value(TextReader& text, Value& value) {
    text.blanks();
    if (text.next() == '\'') {
        value.constant = text.quoted('\'', value.text);
        if (!value.constant) return false;
    } else if (text.take('$')) {
        if (text.digits().empty()) return false;
    } else if (text.keyword("null")) {
        value.constant = value.null = true;
    } else {
        return false;
    }
    if (text.blanks().take(':')) return text.take(':') && text.blanks().word() == "text";
    return true;
}

[[nodiscard]] bool read_local(TextReader& text, bool& local) {
    text.blanks();
    std::string word;
    if (text.next() == '\'' ? !text.quoted('\'', word) : (word = text.word()).empty()) return false;
    local = word == "true";
    return local || word == "false";
}

// set_config('name', 'value', false) AS alias
[[nodiscard]] bool read_call(TextReader& text, const Known& known, Step& step) {
    const std::string function = text.blanks().word(true);
    if (function != "set_config" && function != "pg_catalog.set_config") return false;
    Value name, value;
    bool local = false;
    if (!text.blanks().take('(') || !read_config_value(text, name) || !name.constant || name.null) return false;
    if (!text.blanks().take(',') || !read_config_value(text, value)) return false;
    if (!text.blanks().take(',') || !read_local(text, local) || !text.blanks().take(')')) return false;
    text.blanks();
    if (text.at_letter() || text.next() == '"') {
        std::string alias;
        if (text.keyword("as")) text.blanks();
        if (!text.identifier(alias) || alias == "from" || alias == "where") return false;
    }
    std::ranges::transform(name.text, name.text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!well_formed(name.text) || (local && decides_reading(name.text)) || is_conforming(name.text)) return false;
    if (local) step.locals.push_back(name.text);
    if (local) return true;
    Assignment made{.reset = value.null, .name = std::move(name.text), .value = std::move(value.text)};
    made.stuck = !value.constant || too_long(made) || (!admit(made, known) && !made.reset);
    step.assigns.push_back(std::move(made));
    return true;
}

[[nodiscard]] bool read_calls(std::string_view sql, const Known& known, Step& step) {
    constexpr std::size_t most = 100;
    TextReader text(sql);
    if (text.blanks().word() != "select") return false;
    step.kind = Step::Kind::assign;
    step.tag = "SELECT 1";
    std::size_t calls = 0;
    do {
        if (++calls > most || !read_call(text, known, step)) return false;
    } while (text.blanks().take(','));
    give_up_role(step.assigns);
    return text.at_end();
}

// SAVEPOINT a, RELEASE [SAVEPOINT] a, ROLLBACK [WORK] TO [SAVEPOINT] a
[[nodiscard]] bool read_savepoint(std::string_view sql, Kind kind, Step& step) {
    TextReader text(sql);
    (void)text.blanks().word();
    if (kind == Kind::rollback_to) {
        if (!text.keyword("work")) (void)text.keyword("transaction");
        if (!text.keyword("to")) return false;
    }
    step.kind = kind == Kind::savepoint ? Step::Kind::savepoint
                : kind == Kind::release ? Step::Kind::release
                                        : Step::Kind::rollback_to;
    step.tag = kind == Kind::savepoint ? "SAVEPOINT" : kind == Kind::release ? "RELEASE" : "ROLLBACK";
    text.blanks();
    if (!text.identifier(step.savepoint)) return false;
    if (kind == Kind::savepoint || step.savepoint != "savepoint" || text.at_end()) return text.at_end();
    return text.identifier(step.savepoint) && text.at_end();
}

[[nodiscard]] bool read_step(std::string_view sql, const Statement& statement, const Known& known, Step& step) {
    if ((statement.marks & mark::obscure) != 0) return false;
    const bool calls = (statement.marks & mark::set_config) != 0;
    if (calls && statement.kind != Kind::other) return false;
    switch (statement.kind) {
        case Kind::set:
        case Kind::reset: return read_set(sql, statement, known, step);
        case Kind::set_local:
            step.locals.emplace_back(statement.variable() == "time" ? "timezone" : statement.variable());
            if (resets_locally(sql)) step.local_resets = step.locals;
            return true;
        case Kind::reset_all:
            step.kind = Step::Kind::reset_all;
            step.tag = "RESET";
            return true;
        case Kind::savepoint:
        case Kind::release:
        case Kind::rollback_to: return read_savepoint(sql, statement.kind, step);
        default: return !calls || read_calls(sql, known, step);
    }
}

// It may end the transaction by itself, or do what nobody sees, between two settings.
[[nodiscard]] bool blurs(Kind kind) noexcept {
    return kind == Kind::run_do || kind == Kind::call || kind == Kind::execute;
}

}  // namespace

std::optional<SettingSteps> read_setting_steps(std::string_view sql, bool conforming, Carried carried,
                                               const void* context) {
    const Known known{carried, context};
    SettingSteps steps;
    Scanner scanner(conforming);
    bool blurred = false;
    std::size_t at = 0;
    while (!sql.empty() || !scanner.ended()) {
        std::string_view one = sql;
        if (!sql.empty()) {
            one = sql.substr(0, scanner.feed(sql));
            sql.remove_prefix(one.size());
        }
        const bool unended = !scanner.ended();
        if (unended) scanner.finish();
        const Statement& statement = scanner.statement();
        if (statement.kind != Kind::none) {
            Step step;
            if (!read_step(one, statement, known, step)) step = {.unknown = true};
            step.begin = at;
            step.last = unended;
            step.end = at + one.size() - (unended ? 0 : 1);
            blurred |= blurs(statement.kind);
            if (steps.size() >= most_steps) return std::nullopt;
            steps.push_back(std::move(step));
        }
        at += one.size();
        if (sql.empty()) break;
    }
    if (blurred && steps.size() > 1) steps.front().unknown = true;
    return steps;
}

bool understood(const SettingSteps& steps) noexcept {
    return std::ranges::none_of(steps, [](const Step& step) { return step.unknown; });
}

}  // namespace leasehold::postgres
