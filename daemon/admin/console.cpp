// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/console.hpp"

#include "config/nearest.hpp"
#include "daemon/logging.hpp"
#include "dialects/wire/text.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>

namespace leasehold::daemon::admin {
namespace {

constexpr std::size_t max_tokens = 1000;

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

// Statements and names of clients are shown as they came, in whatever encoding; whoever asks here reads UTF-8.
void make_utf8(Answer& answer) {
    for (auto& row : answer.result.rows) {
        for (auto& cell : row) {
            if (cell) cell = wire::as_utf8(*cell);
        }
    }
    if (answer.error) answer.error->message = wire::as_utf8(answer.error->message);
}

// Where the comment that begins at text[at] ends; `at` when none begins there; npos when it has no end.
std::size_t skip_comment(std::string_view text, std::size_t at) noexcept {
    const std::string_view two = text.substr(at, 2);
    if (two == "--" || text[at] == '#') return std::min(text.find('\n', at), text.size());
    if (two != "/*") return at;
    int depth = 0;  // as in PostgreSQL they nest
    for (std::size_t i = at; i + 1 < text.size();) {
        const std::string_view here = text.substr(i, 2);
        depth += here == "/*" ? 1 : here == "*/" ? -1 : 0;
        i += here == "/*" || here == "*/" ? 2 : 1;
        if (depth == 0) return i;
    }
    return std::string_view::npos;
}

// Reads the quoted text that begins at text[at]; a doubled quote is one. Returns the place behind it, or npos.
std::size_t read_quoted(std::string_view text, std::size_t at, std::string& out) {
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] != quote) {
            out += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == quote) {
            out += text[i++];
        } else {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

// What a peer wrote, short enough for a message.
std::string shortened(std::string_view text) {
    constexpr std::size_t limit = 60;
    return text.size() <= limit ? std::string(text) : std::string(text.substr(0, limit)) + "...";
}

Answer syntax_error(std::string message) { return Answer::failed("42601", 1064, std::move(message)); }

Answer not_permitted(std::string_view what, const Caller& caller) {
    log_warn("command_refused", {{"command", what}, {"by", caller.name}, {"reason", "not in admin.users"}});
    return Answer::failed("42501", 1227, std::string(what) + " needs a user named in admin.users");
}

bool is_semicolon(const Token& token) { return token.kind == Token::Kind::symbol && token.text == ";"; }

// Its words without the semicolons at its end; none when a quote or comment has no end.
std::optional<std::vector<Token>> words_of(std::string_view text) {
    auto words = tokens(text);
    while (words && !words->empty() && is_semicolon(words->back())) words->pop_back();
    return words;
}

// Who did what, for the log.
void record(const std::string& command, const std::vector<Token>& words, const Caller& caller) {
    std::string arguments;
    for (std::size_t i = 1; i < words.size(); ++i) arguments += (i > 1 ? " " : "") + words[i].text;
    log_info("command", {{"command", command}, {"arguments", shortened(arguments)}, {"by", caller.name}});
}

// Pools of drivers tidy up with several statements at once; anything else is one command at a time.
Answer several(const std::vector<Token>& words) {
    std::optional<Answer> last;
    for (auto at = words.begin(); at != words.end();) {
        const auto end = std::find_if(at, words.end(), is_semicolon);
        if (at != end) last = courtesy({at, end});
        if (at != end && !last) return syntax_error("one command at a time, please");
        at = end == words.end() ? end : end + 1;
    }
    return last.value_or(Answer{});
}

}  // namespace

Answer Answer::failed(std::string sqlstate, int number, std::string message) {
    Answer answer;
    answer.error = wire::Diagnostics{std::move(sqlstate), number, std::move(message), false};
    return answer;
}

Answer Answer::done(std::string tag) {
    Answer answer;
    answer.result.tag = std::move(tag);
    return answer;
}

bool Token::is(std::string_view capitals) const { return kind == Kind::word && upper(text) == capitals; }

std::optional<std::vector<Token>> tokens(std::string_view text) {
    std::vector<Token> result;
    for (std::size_t i = 0; i < text.size() && result.size() < max_tokens;) {
        if (is_space(text[i]) || text[i] == '\0') {
            ++i;
            continue;
        }
        if (const std::size_t end = skip_comment(text, i); end != i) {
            if (end == std::string_view::npos) return std::nullopt;
            i = end;
            continue;
        }
        Token token;
        if (text[i] == '\'' || text[i] == '"' || text[i] == '`') {
            token.kind = Token::Kind::quoted;
            i = read_quoted(text, i, token.text);
            if (i == std::string_view::npos) return std::nullopt;
        } else if (is_word(text[i])) {
            while (i < text.size() && is_word(text[i])) token.text += text[i++];
        } else {
            token.kind = Token::Kind::symbol;
            token.text = text[i++];
        }
        result.push_back(std::move(token));
    }
    return result;
}

Console::Console(Tables& tables) : tables_(tables) { register_own(); }

void Console::add(Command command) {
    std::string name = upper(command.name);
    command.name = name;
    if (name == "SHOW" || !commands_.try_emplace(name, std::move(command)).second) {
        throw std::logic_error("two commands of one name: " + name);
    }
}

void Console::register_own() {
    using Type = dialects::Column::Type;
    tables_.add({"VERSION", {{"version", Type::text}}, Permission::read, "leasehold's version", [](const Done& done) {
                     done({{"leasehold " LEASEHOLD_VERSION}});
                 }});
    tables_.add(
        {"HELP",
         {{"command", Type::text}, {"permission", Type::text}, {"description", Type::text}},
         Permission::read,
         "what the console understands",
         [this](const Done& done) {
             Rows rows;
             for (const auto& table : tables_.list()) {
                 rows.push_back({"SHOW " + table->name, std::string(to_string(table->permission)), table->description});
             }
             for (const auto& [name, command] : commands_) {
                 std::string usage = name;
                 if (!command.arguments.empty()) usage += ' ' + command.arguments;
                 rows.push_back({usage, std::string(to_string(command.permission)), command.description});
             }
             done(std::move(rows));
         }});
    tables_.add({"TABLES",
                 {{"name", Type::text}, {"permission", Type::text}, {"columns", Type::text}},
                 Permission::read,
                 "the tables and their columns",
                 [this](const Done& done) {
                     Rows rows;
                     for (const auto& table : tables_.list()) {
                         std::string columns;
                         for (const auto& column : table->columns) {
                             columns += (columns.empty() ? "" : ", ") + column.name;
                         }
                         rows.push_back({table->name, std::string(to_string(table->permission)), columns});
                     }
                     done(std::move(rows));
                 }});
}

std::string Console::commands() const {
    std::string list = "SHOW";
    for (const auto& [name, command] : commands_) list += ", " + name;
    return list;
}

void Console::execute(std::string_view text, Permission permission, Reply reply) const {
    Caller caller;
    caller.permission = permission;
    execute(text, caller, std::move(reply));
}

dialects::Result Console::describe(std::string_view text) const {
    const auto words = words_of(text);
    if (!words || words->empty()) return {};
    if (words->size() == 2 && words->front().is("SHOW")) {
        if (const auto table = tables_.find(words->back().text)) return {table->columns, {}, "SHOW"};
    }
    const bool registered = commands_.contains(upper(words->front().text));
    auto polite = registered ? std::nullopt : courtesy(*words);
    return polite ? std::move(polite->result) : dialects::Result{};
}

void Console::execute(std::string_view text, const Caller& caller, Reply reply) const {
    const auto words = words_of(text);
    if (!words) return reply(syntax_error("a quote or comment has no end"));
    if (words->empty()) return reply(Answer{});
    if (std::ranges::any_of(*words, is_semicolon)) return reply(several(*words));
    const Token& verb = words->front();
    // A reply given twice, or by a command that then throws, would answer the client's next command.
    auto answered = std::make_shared<std::atomic<bool>>(false);
    Reply once = [answered, reply = std::move(reply)](Answer answer) {
        if (answered->exchange(true)) return;
        make_utf8(answer);
        reply(std::move(answer));
    };
    try {
        if (verb.is("SHOW")) return show(*words, caller, std::move(once));
        const auto command = verb.kind == Token::Kind::word ? commands_.find(upper(verb.text)) : commands_.end();
        if (command != commands_.end()) {
            const Permission needed = command->second.permission;
            if (caller.permission < needed) return once(not_permitted(command->first, caller));
            if (needed == Permission::administer) record(command->first, *words, caller);
            return command->second.run(caller, {words->begin() + 1, words->end()}, once);
        }
        if (auto polite = courtesy(*words)) return once(std::move(*polite));
        if (verb.is("SELECT")) return once(syntax_error("the console is no database; SHOW TABLES lists what it shows"));
        once(syntax_error("unknown command \"" + shortened(verb.text) + "\"; there are: " + commands() +
                          ". SHOW HELP explains them"));
    } catch (const std::exception& problem) {
        log_error("console_failed", {{"command", upper(verb.text)}, {"reason", problem.what()}});
        once(Answer::failed("XX000", 1105, "the command failed inside leasehold; its log says why"));
    }
}

void Console::show(const std::vector<Token>& words, const Caller& caller, Reply reply) const {
    if (words.size() == 2) {
        if (const auto table = tables_.find(words[1].text)) return show_table(*table, caller, std::move(reply));
    }
    if (auto polite = courtesy(words)) return reply(std::move(*polite));
    if (words.size() > 2) {
        if (const auto table = tables_.find(words[1].text)) {
            return reply(syntax_error("SHOW " + table->name + " takes nothing behind it: it shows everything"));
        }
    }
    std::vector<std::string> known;
    for (const auto& table : tables_.list()) known.push_back(table->name);
    std::string wanted, hint;
    if (words.size() > 1) {
        const std::string name = upper(words[1].text);
        wanted = " \"" + shortened(words[1].text) + '"';
        hint = words.size() > 2 ? std::string() : std::string(absent_table(name));
        if (hint.empty()) hint = config::did_you_mean(name, known);
        if (!hint.empty()) hint = ": " + hint;
    }
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    reply(syntax_error("SHOW knows no table" + wanted + hint +
                       (hint.ends_with('?') ? " There are: " : "; there are: ") + names));
}

void Console::show_table(const Table& table, const Caller& caller, Reply reply) const {
    if (caller.permission < table.permission) return reply(not_permitted("SHOW " + table.name, caller));
    table.gather([columns = table.columns, reply = std::move(reply)](Rows rows) {
        Answer answer;
        answer.result.columns = columns;
        answer.result.rows = std::move(rows);
        answer.result.tag = "SHOW";
        reply(std::move(answer));
    });
}

}  // namespace leasehold::daemon::admin
