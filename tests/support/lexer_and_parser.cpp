// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lexer_and_parser.hpp"

#include "dialects/postgres/digest.hpp"
#include "dialects/postgres/known_names.hpp"
#include "dialects/postgres/settings.hpp"

#include <pg_query.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace leasehold::postgres {
namespace {

using Json = nlohmann::json;

// --- what the parser's tree says -------------------------------------------------------------------------------------

[[nodiscard]] bool begins(std::string_view w, std::string_view with) { return w.substr(0, with.size()) == with; }

[[nodiscard]] std::string text_of(const Json& node, const char* key) {
    const auto at = node.find(key);
    return at != node.end() && at->is_string() ? at->get<std::string>() : std::string();
}

[[nodiscard]] bool true_of(const Json& node, const char* key) {
    const auto at = node.find(key);
    return at != node.end() && at->is_boolean() && at->get<bool>();
}

[[nodiscard]] std::uint16_t marks_of_function(std::string_view name) {
    if (begins(name, "pg_advisory_lock") || begins(name, "pg_try_advisory_lock")) return mark::advisory_lock;
    if (begins(name, "pg_advisory_unlock")) return mark::unlock;
    if (name == "set_config") return mark::set_config;
    if (name == "setseed") return mark::seed;
    if (name == "nextval") return mark::sequence;
    if (name == "currval" || name == "lastval") return mark::last_value;
    if (begins(name, "dblink_connect") || begins(name, "pg_replication_origin_session")) return mark::foreign_session;
    return 0;
}

// Names with a schema are lists of strings.
[[nodiscard]] std::uint16_t marks_of_names(const Json& names) {
    std::uint16_t marks = 0;
    for (const Json& name : names) {
        const auto part = name.is_object() ? name.find("String") : name.end();
        if (name.is_object() && part != name.end() && begins(text_of(*part, "sval"), "pg_temp") && names.size() > 1) {
            marks |= mark::pg_temp;
        }
    }
    return marks;
}

[[nodiscard]] std::uint16_t marks_of_call(const Json& call) {
    std::vector<std::string> names;
    for (const Json& name : call.value("funcname", Json::array())) {
        names.push_back(text_of(name.value("String", Json::object()), "sval"));
    }
    if (names.empty() || text_of(call, "funcformat") != "COERCE_EXPLICIT_CALL") return 0;  // EXTRACT(year FROM a)
    const bool of_system = names.size() == 1 || (names.size() == 2 && names.front() == "pg_catalog");
    // Not told apart: a function that is named like a word of the grammar, insert(1), and left('a', 1).
    const bool harmless = of_system && (is_harmless(names.back()) || (names.size() == 1 && is_keyword(names.back())));
    return static_cast<std::uint16_t>(marks_of_function(names.back()) | (harmless ? 0 : mark::calls));
}

[[nodiscard]] bool changes_schema(std::string_view node) {
    return node.size() > 4 && node.substr(node.size() - 4) == "Stmt" &&
           (begins(node, "Create") || begins(node, "Alter") || begins(node, "Drop") || begins(node, "Rename") ||
            begins(node, "View") || begins(node, "Index") || begins(node, "Define") || begins(node, "Import") ||
            begins(node, "CompositeType") || begins(node, "Rule"));
}

[[nodiscard]] std::uint16_t marks_within(const Json& node);

[[nodiscard]] std::uint16_t marks_of_member(const std::string& key, const Json& value) {
    std::uint16_t marks = 0;
    if (key == "relpersistence" && value == "t") marks |= mark::temporary;
    if (key == "schemaname" && value.is_string() && begins(value.get<std::string>(), "pg_temp")) marks |= mark::pg_temp;
    if (key == "intoClause" || changes_schema(key)) marks |= mark::schema;
    if (key == "FuncCall") marks |= marks_of_call(value);
    if (key == "UpdateStmt" && text_of(value.value("relation", Json::object()), "relname") == "pg_settings") {
        marks |= mark::set_config;
    }
    // The text of a function is nobody's before it is called.
    if (key == "DefElem" && text_of(value, "defname") == "as") return marks;
    return marks | marks_within(value);
}

[[nodiscard]] std::uint16_t marks_within(const Json& node) {
    std::uint16_t marks = 0;
    if (node.is_array()) {
        marks |= marks_of_names(node);
        for (const Json& part : node) marks |= marks_within(part);
    } else if (node.is_object()) {
        for (const auto& [key, value] : node.items()) marks |= marks_of_member(key, value);
    }
    return marks;
}

[[nodiscard]] Kind kind_of_transaction(const Json& node) {
    const std::string kind = text_of(node, "kind").substr(sizeof("TRANS_STMT"));
    if (kind == "BEGIN" || kind == "START") return Kind::begin;
    if (kind == "COMMIT") return Kind::commit;
    if (kind == "ROLLBACK") return Kind::rollback;
    if (kind == "ROLLBACK_TO") return Kind::rollback_to;
    if (kind == "SAVEPOINT") return Kind::savepoint;
    if (kind == "RELEASE") return Kind::release;
    if (kind == "PREPARE") return Kind::prepare_transaction;
    return kind == "COMMIT_PREPARED" ? Kind::commit_prepared : Kind::rollback_prepared;
}

void read_setting(const Json& node, Parsed& into) {
    const std::string kind = text_of(node, "kind"), name = text_of(node, "name");
    into.variable = name;
    if (kind == "VAR_RESET_ALL") {
        into.kind = Kind::reset_all;
    } else if (kind == "VAR_RESET") {
        into.kind = Kind::reset;
    } else if (true_of(node, "is_local") || (kind == "VAR_SET_MULTI" && begins(name, "TRANSACTION"))) {
        into.kind = Kind::set_local;
    } else {
        into.kind = Kind::set;
    }
    if (name != "search_path" || !node.contains("args")) return;
    for (const Json& value : node["args"]) {
        const Json text = value.value("A_Const", Json::object()).value("sval", Json::object());
        if (begins(text_of(text, "sval"), "pg_temp")) into.marks |= mark::pg_temp;
    }
}

[[nodiscard]] Kind kind_of_discard(const Json& node) {
    const std::string target = text_of(node, "target");
    if (target == "DISCARD_TEMP") return Kind::discard_temp;
    if (target == "DISCARD_PLANS") return Kind::discard_plans;
    return target == "DISCARD_SEQUENCES" ? Kind::discard_sequences : Kind::discard_all;
}

void read_statement(const std::string& type, const Json& node, Parsed& into) {
    constexpr int with_hold = 0x20;
    static const std::vector<std::pair<std::string_view, Kind>> plain{
        {"ConstraintsSetStmt", Kind::set_local},
        {"VariableShowStmt", Kind::show},
        {"ListenStmt", Kind::listen},
        {"UnlistenStmt", Kind::unlisten},
        {"NotifyStmt", Kind::notify},
        {"PrepareStmt", Kind::prepare},
        {"ExecuteStmt", Kind::execute},
        {"ClosePortalStmt", Kind::close},
        {"LoadStmt", Kind::load},
        {"DoStmt", Kind::run_do},
        {"CallStmt", Kind::call},
        {"CopyStmt", Kind::copy},
        {"LockStmt", Kind::lock},
        {"ExplainStmt", Kind::explain},
    };
    const auto found = std::ranges::find(plain, type, &std::pair<std::string_view, Kind>::first);
    if (found != plain.end()) {
        into.kind = found->second;
    } else if (type == "TransactionStmt") {
        into.kind = kind_of_transaction(node);
        if (true_of(node, "chain")) into.marks |= mark::chain;
    } else if (type == "VariableSetStmt") {
        read_setting(node, into);
    } else if (type == "DiscardStmt") {
        into.kind = kind_of_discard(node);
    } else if (type == "DeallocateStmt") {
        into.variable = text_of(node, "name");
        into.kind = node.contains("name") ? Kind::deallocate : Kind::deallocate_all;
    } else if (type == "DeclareCursorStmt") {
        into.kind = (node.value("options", 0) & with_hold) != 0 ? Kind::declare_hold : Kind::declare;
    }
}

// --- what the lexer says of the same ---------------------------------------------------------------------------------

struct Scanned {
    std::size_t end = 0;
    Statement statement;
};

[[nodiscard]] std::vector<Scanned> scan(std::string_view text, bool conforming) {
    std::vector<Scanned> found;
    Scanner scanner(conforming);
    std::size_t at = 0;
    while (at < text.size()) {
        at += scanner.feed(text.substr(at));
        if (scanner.ended() && scanner.statement().kind != Kind::none) found.push_back({at - 1, scanner.statement()});
    }
    if (!scanner.ended()) {
        scanner.finish();
        if (scanner.statement().kind != Kind::none) found.push_back({text.size(), scanner.statement()});
    }
    return found;
}

// SET schema = 1: such a setting there is on no server, which refuses it.
[[nodiscard]] bool is_no_setting(const Parsed& parsed) {
    constexpr std::string_view words[]{"constraints", "local", "names",       "schema",
                                       "session",     "time",  "transaction", "xml"};
    return (parsed.kind == Kind::set || parsed.kind == Kind::reset) && std::ranges::count(words, parsed.variable) > 0;
}

[[nodiscard]] std::string what_differs(const Parsed& parsed, const Statement& scanned) {
    const bool temporary = (scanned.marks & (mark::temporary | mark::pg_temp)) != 0;
    const bool same = parsed.kind == scanned.kind ||
                      (parsed.kind == Kind::other && scanned.kind == Kind::create_temp) ||
                      (parsed.kind == Kind::declare && scanned.kind == Kind::declare_hold);
    if (!same) return std::string(to_string(parsed.kind)) + ", read as " + std::string(to_string(scanned.kind));
    const bool unreadable = (scanned.marks & mark::obscure) != 0;
    const bool setting = parsed.kind == Kind::set || parsed.kind == Kind::reset;
    // A name that is read wrongly is a setting unknown to everybody, which pins; one that was cut counts for no statement's.
    constexpr std::size_t longest = 63;
    const bool matters = (parsed.kind == Kind::deallocate && scanned.variable().size() < longest) ||
                         (setting && (is_reported(scanned.variable()) || decides_reading(parsed.variable)));
    if (matters && !unreadable && !same_name(parsed.variable, scanned.variable())) {
        return parsed.variable + ", read as " + std::string(scanned.variable());
    }
    auto missing = static_cast<std::uint16_t>(parsed.marks & ~scanned.marks);
    if (temporary) missing = static_cast<std::uint16_t>(missing & ~(mark::temporary | mark::pg_temp | mark::schema));
    if (missing == 0 || unreadable) return {};
    return "marks missing: " + std::to_string(missing);
}

// Walks both lists. The lexer may take several statements for one where it says that it could not read it.
[[nodiscard]] std::string compare(const std::vector<Parsed>& parsed, const std::vector<Scanned>& scanned, bool ends) {
    std::size_t at = 0;
    bool guessed = false;
    for (const Scanned& mine : scanned) {
        const bool unreadable = (mine.statement.marks & mark::obscure) != 0;
        if (at == parsed.size()) return "a statement too many";
        if (unreadable && !ends) return {};
        // Where a body ends is a guess: BEGIN ATOMIC SELECT CASE ... END end; ...
        if (ends && mine.end < parsed[at].end && unreadable) guessed = true;
        if (ends && mine.end < parsed[at].end && guessed) continue;
        if (ends && mine.end < parsed[at].end) return "cut in two at " + std::to_string(mine.end);
        if (std::exchange(guessed, false) && mine.end == parsed[at].end) {
            ++at;
            continue;
        }
        if (ends && mine.end > parsed[at].end) {
            if (!unreadable) return "not cut at " + std::to_string(parsed[at].end);
            while (at < parsed.size() && parsed[at].end <= mine.end) ++at;
            continue;
        }
        std::string wrong = what_differs(parsed[at], mine.statement);
        if (!wrong.empty() && !is_no_setting(parsed[at])) return wrong;
        ++at;
    }
    return at == parsed.size() ? std::string() : "a statement too few";
}

}  // namespace

std::optional<std::vector<Parsed>> parse(const std::string& text) {
    struct Free {
        PgQueryParseResult result;
        ~Free() { pg_query_free_parse_result(result); }
    };
    const Free tree{pg_query_parse(text.c_str())};
    if (tree.result.error != nullptr || tree.result.parse_tree == nullptr) return std::nullopt;
    const Json read = Json::parse(tree.result.parse_tree, nullptr, false);
    if (read.is_discarded()) return std::nullopt;  // bytes that are no UTF-8
    std::vector<Parsed> found;
    for (const Json& raw : read.value("stmts", Json::array())) {
        const Json& statement = raw.at("stmt");
        const auto length = raw.value("stmt_len", std::size_t{0});
        Parsed& next = found.emplace_back();
        next.end = length == 0 ? text.size() : raw.value("stmt_location", std::size_t{0}) + length;
        read_statement(statement.begin().key(), statement.begin().value(), next);
        // A definition keeps the names of functions, and calls none; CREATE TABLE AS runs its query.
        constexpr std::uint16_t of_sequences = mark::sequence | mark::last_value;
        const bool keeps = changes_schema(statement.begin().key()) && statement.begin().key() != "CreateTableAsStmt";
        const unsigned told = keeps ? ~unsigned{of_sequences} : ~0u;
        next.marks |= static_cast<std::uint16_t>(marks_within(statement) & told);
    }
    return found;
}

std::string disagreement(const std::vector<Parsed>& parsed, const std::string& text,
                         const std::optional<std::string>& spelled) {
    return spelled ? compare(parsed, scan(*spelled, false), false) : compare(parsed, scan(text, true), true);
}

}  // namespace leasehold::postgres
