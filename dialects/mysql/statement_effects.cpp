// SPDX-License-Identifier: Apache-2.0
// The lexer's part that names state with an end: temporary tables, locks of GET_LOCK(), cursors of HANDLER, statements
// prepared in SQL, and the user variables that a text gives values to. What has no certain name pins to the session's end.
#include "dialects/mysql/session_track.hpp"
#include "dialects/mysql/sql_prepared.hpp"
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

using Kind = Token::Kind;

constexpr std::size_t few_tokens = 8, more_tokens = 64, max_set_tokens = 512;

[[nodiscard]] bool is_sign(const std::vector<Token>& tokens, std::size_t i, char c) noexcept {
    return i < tokens.size() && tokens[i].kind == Kind::sign && tokens[i].text[0] == c;
}

// "database.table" or "table" at tokens[at..]; `at` goes behind it. Nothing: no such name.
std::optional<std::string> name_at(const std::vector<Token>& tokens, std::size_t& at) {
    std::string name;
    for (int parts = 0; parts < 2; ++parts) {
        if (at >= tokens.size() || !tokens[at].plain) return std::nullopt;
        const Token& token = tokens[at];
        if (token.kind != Kind::word && token.kind != Kind::name) return std::nullopt;
        const std::string& part = token.kind == Kind::word ? token.raw : token.text;
        if (part.find('.') != std::string::npos) return std::nullopt;
        name += part;
        ++at;
        if (!is_sign(tokens, at, '.')) return name;
        name += '.';
        ++at;
    }
    return std::nullopt;
}

void skip_words(const std::vector<Token>& tokens, std::size_t& at, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
        if (word_at(tokens, at) == word) ++at;
    }
}

void classify_tables(const std::vector<Token>& tokens, bool lost, bool temporary, Statement& into) {
    std::size_t at = 1;
    const std::size_t index = static_cast<std::size_t>(into.count - 1);
    skip_words(tokens, at, {"OR", "REPLACE", "TEMPORARY"});
    if (word_at(tokens, 0) == "CREATE") {
        if (!temporary) return;
        const bool table = word_at(tokens, at) == "TABLE";
        ++at;
        skip_words(tokens, at, {"IF", "NOT", "EXISTS"});
        std::optional<std::string> name = table ? name_at(tokens, at) : std::nullopt;
        if (!name) return into.merge_pin("temporary table");
        into.make().effects.push_back({Effect::Kind::table, index, std::move(*name), {}});
        return;
    }
    if (lost || (word_at(tokens, at) != "TABLE" && word_at(tokens, at) != "TABLES")) return;
    ++at;
    skip_words(tokens, at, {"IF", "EXISTS"});
    for (;;) {
        std::optional<std::string> name = name_at(tokens, at);
        if (!name) return;
        into.make().effects.push_back({Effect::Kind::drop_table, index, std::move(*name), {}});
        if (!is_sign(tokens, at, ',')) return;
        ++at;
    }
}

// HANDLER t OPEN [AS] h, HANDLER h CLOSE. It is called as its table is where it has no other name.
void classify_handler(const std::vector<Token>& tokens, bool lost, Statement& into) {
    std::size_t at = 1;
    std::optional<std::string> name = name_at(tokens, at);
    const std::string_view what = word_at(tokens, at);
    if (what == "READ" || (!name && what != "OPEN")) return;
    ++at;
    const bool closes = what == "CLOSE";
    if (!closes) skip_words(tokens, at, {"AS"});
    if (!closes && at < tokens.size()) name = name_at(tokens, at);
    if (lost || !name || at != tokens.size()) return into.merge_pin("HANDLER");
    std::string called = lower_case(std::string_view(*name).substr(name->rfind('.') + 1));
    into.make().effects.push_back({closes ? Effect::Kind::close_handler : Effect::Kind::handler,
                                   static_cast<std::size_t>(into.count - 1),
                                   std::move(called),
                                   {}});
}

[[nodiscard]] bool releases_all(const std::vector<Token>& tokens) noexcept {
    return tokens.size() == 4 && (word_at(tokens, 0) == "SELECT" || word_at(tokens, 0) == "DO") &&
           word_at(tokens, 1) == "RELEASE_ALL_LOCKS" && is_sign(tokens, 2, '(') && is_sign(tokens, 3, ')');
}

}  // namespace

std::size_t Lexer::tokens_wanted() const noexcept {
    constexpr std::array<std::string_view, 3> longer{"DROP", "CREATE", "PREPARE"};
    const std::string_view verb = word_at(tokens_, 0);
    return verb == "SET" ? max_set_tokens : one_of(verb, longer) ? more_tokens : few_tokens;
}

// GET_LOCK ( 'name' , and no more is needed to ask whose it is; any other name is not known.
void Lexer::follow_lock(Token::Kind kind) {
    const bool is_text = kind == Kind::text && kept_all_ && quote_plain_ && !kept_.empty();
    switch (locking_) {
        case Locking::named:
            if (kind == Kind::word || kind == Kind::name) return;  // itself
            locking_ = kind == Kind::sign && kept_ == "(" ? Locking::called : Locking::none;
            if (locking_ == Locking::called) return;
            break;
        case Locking::called:
            locking_ = is_text ? Locking::behind : Locking::none;
            if (is_text) {
                lock_name_ = kept_;
                return;
            }
            break;
        default:
            locking_ = Locking::none;
            if (kind == Kind::sign && kept_ == ",") {
                const auto index = static_cast<std::size_t>(statement_.count);
                statement_.make().effects.push_back({Effect::Kind::lock, index, lock_name_, {}});
                return;
            }
            break;
    }
    statement_.merge_pin("GET_LOCK");
}

// INTO @a, @b and @a := give values.
void Lexer::follow_assignment(Token::Kind kind) {
    const bool set = word_at(tokens_, 0) == "SET";
    const auto give = [this, set](const std::string& name) {
        if (set) return;  // read token by token
        if (is_certain_variable(name)) {
            statement_.make().assigned.push_back(name);
        } else {
            statement_.merge_pin("user variable");
        }
    };
    const std::string before = std::exchange(last_variable_, {});
    if (!before.empty() && kind == Kind::sign && kept_ == ":") give(before);
    if (kind == Kind::user_variable) {
        // Behind a name or a string it is an account's host: 'app'@'%', `app`@localhost.
        if (last_word_ == "'") return;
        note_variable();
        const bool plain = kept_all_ && (!variable_quote_ || quote_ == '`' || quote_plain_);
        last_variable_ = plain ? variable_name(kept_) : "@";
        if (into_) give(last_variable_);
    } else if (into_ && !(kind == Kind::sign && kept_ == ",") && !(kind == Kind::word && folded_ == "INTO")) {
        into_ = false;
    }
}

// In a routine: SET of variables that servers tell of, and of user variables, whose names are noted anyway. Others may be
// local ones.
void Lexer::follow_set(Token::Kind kind) {
    // Rows that are changed may fire triggers.
    constexpr std::array<std::string_view, 9> odd{"PREPARE", "EXECUTE", "TEMPORARY", "ROLE", "INSERT",
                                                  "REPLACE", "UPDATE",  "DELETE",    "LOAD"};
    constexpr std::array<std::string_view, 4> scopes{"SESSION", "LOCAL", "STATEMENT", "GLOBAL"};
    const bool word = kind == Kind::word;
    const bool made = follow_made(kind);
    const bool replaces = folded_ == "REPLACE" && last_word_ == "OR";
    if (!made && word && !replaces && one_of(folded_, odd)) statement_.make().sets_unseen = true;
    if (word && (folded_ == "PREPARE" || folded_ == "EXECUTE")) statement_.merge_pin("SQL PREPARE");
    if (setting_ == Setting::none) {
        if (word && folded_ == "SET") {
            setting_ = Setting::target;
            set_depth_ = 0;
        }
        return;
    }
    if (setting_ == Setting::value) {
        if (kind != Kind::sign) return;
        set_depth_ += kept_ == "(" ? 1 : kept_ == ")" ? -1 : 0;
        if (kept_ == "," && set_depth_ == 0) setting_ = Setting::target;
        return;
    }
    if (setting_ == Setting::role && !(kind == Kind::sign && (kept_ == "=" || kept_ == ":")))
        statement_.merge_pin("SET ROLE");
    if (setting_ == Setting::role) {
        setting_ = Setting::value;
        return;
    }
    if (word && folded_ == "SESSION") return;
    setting_ = word && folded_ == "ROLE" ? Setting::role : Setting::value;
    const std::string name = lower_case(kept_);
    const bool told = word && !one_of(folded_, scopes) && (is_tracked(name, true) || is_tracked(name, false));
    const bool seen = kind == Kind::user_variable || told;
    (seen ? statement_.make().sets_some : statement_.make().sets_unseen) = true;
}

// Behind a backslash.
void Lexer::keep_escaped(char c) {
    switch (c) {
        case 'n': return keep('\n');
        case 't': return keep('\t');
        case 'r': return keep('\r');
        case 'b': return keep('\b');
        case 'Z': return keep('\x1A');
        case '0': return keep('\0');
        case '%':
        case '_': keep('\\'); break;
        default: break;
    }
    keep(c);
}

// PREPARE q FROM 'SELECT 1': what EXECUTE q does to the session is what this text does.
void Lexer::note_prepared() {
    const std::string_view verb = word_at(tokens_, 0);
    const std::size_t at = verb == "DROP" || verb == "DEALLOCATE" ? 2 : 1;
    const auto index = static_cast<std::size_t>(statement_.count - 1);
    const bool named =
        at < tokens_.size() && tokens_[at].plain && (tokens_[at].kind == Kind::word || tokens_[at].kind == Kind::name);
    const std::string name = named ? lower_case(tokens_[at].text) : std::string();
    const auto text_of = [this](std::size_t i) -> std::shared_ptr<const Statement> {
        const bool literal =
            i + 1 == tokens_.size() && tokens_[i].kind == Kind::text && tokens_[i].whole && !tokens_lost_;
        if (!literal) return nullptr;
        Lexer inner(mode_);
        inner.feed(wire::as_bytes(tokens_[i].text));
        return std::make_shared<const Statement>(inner.finish());
    };
    if (verb == "EXECUTE") {
        statement_.many_results = true;
        const bool immediate = word_at(tokens_, 1) == "IMMEDIATE";
        statement_.make().executes.push_back(
            {named && !immediate ? name : std::string(), immediate ? text_of(2) : nullptr});
        if (named && !immediate) statement_.make().named.push_back(name);
        return;
    }
    if (!named || (at == 1 && word_at(tokens_, 2) != "FROM")) return statement_.merge_pin("SQL PREPARE");
    if (at == 2) {
        Effect ends{Effect::Kind::deallocate, index, name, {}};
        ends.carried = true;
        statement_.make().effects.push_back(std::move(ends));
        statement_.make().named.push_back(name);
        return;
    }
    Effect made{Effect::Kind::prepare, index, name, {}};
    made.text = text_of(3);
    if (made.text) made.sql = tokens_[3].text;
    made.carried = made.text && made.text->count == 1 && is_carried(name, made.sql);
    statement_.make().effects.push_back(std::move(made));
}

// A statement has been read and classified.
void Lexer::note_effects() {
    if (mode_.routine) {
        if (calling_) note_called(!qualifier_.empty());
        end_made();
        setting_ = Setting::none;
        if (locking_ != Locking::none) statement_.merge_pin("GET_LOCK");
        locking_ = Locking::none;
        return;
    }
    const std::string_view verb = word_at(tokens_, 0);
    Statement& into = statement_;
    const auto index = static_cast<std::size_t>(into.count - 1);
    if (into.explained_here && index < 64) into.explained_ones |= std::uint64_t{1} << index;
    into.explained = (index == 0 || into.explained) && into.explained_here;
    constexpr std::array<std::string_view, 16> inert{
        "BEGIN", "START",  "COMMIT",  "ROLLBACK", "SAVEPOINT", "RELEASE", "USE",        "HANDLER",
        "LOCK",  "UNLOCK", "PREPARE", "DROP",     "XA",        "FLUSH",   "DEALLOCATE", "TRUNCATE"};
    const bool plain_set = verb == "SET" && into.explained_here && !into.runs_stored;
    into.inert = (index == 0 || into.inert) && (plain_set || one_of(verb, inert));
    if (locking_ != Locking::none) into.merge_pin("GET_LOCK");
    locking_ = Locking::none;
    into_ = false;
    last_variable_.clear();
    if (verb == "SET") {
        Made& made = into.make();
        const bool before = other_reading_;
        for (std::size_t i = made.set_in.size(); i < into.sets.size(); ++i) {
            const auto& [name, literal] = into.sets[i];
            if (name != "sql_mode") continue;
            const std::string mode = lower_case(literal);
            const bool certain = mode.size() > 1 && mode.front() == '\'';
            other_reading_ = before || !certain || has_ansi_quotes(mode) != mode_.ansi_quotes ||
                             (mode.find("no_backslash_escapes") != std::string::npos) != mode_.no_backslash_escapes;
        }
        made.set_in.resize(into.sets.size(), index);
        other_reading_ |=
            std::ranges::find(into.computed.begin() + static_cast<std::ptrdiff_t>(made.computed_in.size()),
                              into.computed.end(), "sql_mode") != into.computed.end();
        made.computed_in.resize(into.computed.size(), index);
        return;
    }
    if (verb == "CALL") {
        into.many_results = into.runs_stored = true;
        if (calling_) note_called(!qualifier_.empty());
    }
    if (verb == "CREATE" || verb == "DROP" || verb == "ALTER") {
        into.routines = into.routines || std::ranges::any_of(tokens_, [](const Token& token) {
                            return token.kind == Kind::word && (token.text == "FUNCTION" || token.text == "PROCEDURE");
                        });
    }
    if (verb == "CREATE" || (verb == "DROP" && word_at(tokens_, 1) != "PREPARE"))
        classify_tables(tokens_, tokens_lost_, temporary_, into);
    if (verb == "RENAME" || (verb == "ALTER" && renames_))
        into.make().effects.push_back({Effect::Kind::renames, index, {}, {}});
    if (verb == "HANDLER") classify_handler(tokens_, tokens_lost_, into);
    if (verb == "PREPARE" || verb == "EXECUTE" || verb == "DEALLOCATE" ||
        (verb == "DROP" && word_at(tokens_, 1) == "PREPARE"))
        note_prepared();
    if (into.count == 1 && releases_all(tokens_))
        into.make().effects.push_back({Effect::Kind::unlock_all, index, {}, {}});
    // A procedure's OUT parameters, columns of LOAD DATA, GET DIAGNOSTICS.
    constexpr std::array<std::string_view, 10> readers{"SELECT", "INSERT",  "UPDATE", "DELETE",  "REPLACE",
                                                       "WITH",   "PREPARE", "DO",     "EXECUTE", "SHOW"};
    if (into.variables.empty() && !into.variables_lost) return;
    if (verb.empty() || one_of(verb, readers)) return;
    if (into.variables_lost || !std::ranges::all_of(into.variables, is_certain_variable))
        return into.merge_pin("user variable");
    Made& made = into.make();
    made.assigned.insert(made.assigned.end(), into.variables.begin(), into.variables.end());
}

}  // namespace leasehold::mysql
