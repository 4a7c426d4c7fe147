// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

constexpr std::size_t max_kept = 256, max_prepared = 8192;  // of one token
constexpr std::size_t few_tokens = 8;

[[nodiscard]] bool is_word(char c) noexcept {
    const auto b = static_cast<unsigned char>(c);
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_' || b == '$' ||
           b >= 0x80;
}
[[nodiscard]] bool is_space(char c) noexcept { return static_cast<unsigned char>(c) <= 0x20; }
[[nodiscard]] char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
// May stand between single quotes whatever the mode and character set.
[[nodiscard]] bool is_plain(char c) noexcept { return c >= 0x20 && c < 0x7F && c != '\'' && c != '\\'; }

// In place of the last word: a name or a string came.
constexpr std::string_view behind_name = "'";

// From here on versions differ between the families in what they execute.
constexpr std::uint32_t first_uncertain_version = 50700;

}  // namespace

void Lexer::feed(Bytes text) {
    const char* at = reinterpret_cast<const char*>(text.data());
    const char* const end = at + text.size();
    while (at != end) {
        // Strings and comments are most of a long text.
        if (state_ == State::quoted && kept_.size() >= most_kept_) {
            const char quote = quote_;
            const char* const from = at;
            at = std::find_if(at, end, [quote](char c) { return c == quote || c == '\\'; });
            kept_all_ = kept_all_ && at == from;
            if (at == end) return;
        }
        step(*at++);
    }
}

const Statement& Lexer::finish() {
    if (state_ == State::comment_open || state_ == State::executable || state_ == State::executable_version)
        state_ = State::comment;
    step('\n');
    if (state_ == State::quoted || state_ == State::quoted_escape) end_quote();  // the server will refuse it
    end_statement();
    if (statement_.count > 1 && !statement_.locks.empty()) {
        statement_.merge_pin(statement_.locks);
        statement_.locks = {};
    }
    return statement_;
}

void Lexer::step(char c) {
    switch (state_) {
        case State::code: in_code(c); return;
        case State::word:
            if (is_word(c)) {
                keep(c);
                return;
            }
            end_word();
            in_code(c);
            return;
        case State::quoted:
        case State::quoted_escape:
        case State::quoted_end: in_quotes(c); return;
        case State::at:
        case State::at_name: in_variable(c); return;
        case State::star:
            state_ = State::code;
            if (c == '/') {
                in_executable_ = false;
                return;
            }
            sign('*');
            in_code(c);
            return;
        case State::dash:
        case State::dash_dash:
        case State::slash: before_comment(c); return;
        default: in_comment(c); return;
    }
}

void Lexer::in_quotes(char c) {
    if (state_ == State::quoted_escape) {
        keep_escaped(c);
        state_ = State::quoted;
    } else if (state_ == State::quoted_end) {
        if (c == quote_) {
            quote_plain_ = false;
            keep(c);
            state_ = State::quoted;
            return;
        }
        end_quote();
        in_code(c);
    } else if (c == quote_) {
        state_ = State::quoted_end;
    } else if (c == '\\' && quote_ != '`' && !mode_.no_backslash_escapes && !(quote_ == '"' && mode_.ansi_quotes)) {
        state_ = State::quoted_escape;
        quote_plain_ = false;
    } else {
        quote_plain_ = quote_plain_ && is_plain(c);
        keep(c);
    }
}

// Behind @: a name, a quoted name, or another @.
void Lexer::in_variable(char c) {
    if (state_ == State::at) {
        kept_.clear();
        kept_all_ = true;
        if (c == '@') {
            state_ = State::code;
            take(Token::Kind::system_variable);
            return;
        }
        if (c == '\'' || c == '"' || c == '`') {
            begin_quote(c);
            variable_quote_ = true;
            return;
        }
        state_ = State::at_name;
        variable_quote_ = false;
    }
    if (is_word(c) || c == '.') {
        keep(c);
        return;
    }
    state_ = State::code;
    take(Token::Kind::user_variable);
    in_code(c);
}

// Behind a sign that may begin a comment.
void Lexer::before_comment(char c) {
    if (state_ == State::dash_dash) {
        if (is_space(c)) {
            state_ = c == '\n' ? State::code : State::line_comment;
            return;
        }
        sign('-');
        state_ = State::dash;  // "---": the last may begin a comment yet
    }
    const bool dash = state_ == State::dash;
    if (dash && c == '-') {
        state_ = State::dash_dash;
    } else if (!dash && c == '*') {
        state_ = State::comment_open;
    } else {
        state_ = State::code;
        sign(dash ? '-' : '/');
        in_code(c);
    }
}

void Lexer::in_comment(char c) {
    switch (state_) {
        case State::comment_open:
            if (c == '!') {
                begin_executable();
            } else if (c == 'M') {
                state_ = State::executable;
            } else {
                state_ = c == '*' ? State::comment_star : State::comment;
            }
            return;
        case State::executable:  // "/*M"
            if (c == '!') {
                statement_.merge_pin("executable comment");
                begin_executable();
            } else {
                state_ = c == '*' ? State::comment_star : State::comment;
            }
            return;
        case State::executable_version:
            if (c >= '0' && c <= '9' && version_digits_ < 6) {
                version_ = version_ * 10 + static_cast<std::uint32_t>(c - '0');
                ++version_digits_;
                return;
            }
            end_executable_head();
            in_code(c);
            return;
        case State::comment_star:
            state_ = c == '/' ? State::code : c == '*' ? State::comment_star : State::comment;
            return;
        case State::line_comment:
            if (c == '\n') state_ = State::code;
            return;
        default:
            if (c == '*') state_ = State::comment_star;
            return;
    }
}

void Lexer::begin_executable() noexcept {
    state_ = State::executable_version;
    version_ = 0;
    version_digits_ = 0;
}

void Lexer::in_code(char c) {
    if (is_space(c)) return;
    if (is_word(c)) {
        kept_.clear();
        kept_all_ = true;
        state_ = State::word;
        keep(c);
        return;
    }
    switch (c) {
        case '\'':
        case '"':
        case '`': begin_quote(c); return;
        case '#': state_ = State::line_comment; return;
        case '-': state_ = State::dash; return;
        case '/': state_ = State::slash; return;
        case '@': state_ = State::at; return;
        case ';': end_statement(); return;
        case '*':
            if (in_executable_) {
                state_ = State::star;
                return;
            }
            break;
        default: break;
    }
    sign(c);
}

void Lexer::begin_quote(char quote) {
    quote_ = quote;
    quote_plain_ = true;
    variable_quote_ = false;
    kept_.clear();
    kept_all_ = true;
    state_ = State::quoted;
}

void Lexer::end_quote() {
    state_ = State::code;
    if (variable_quote_) {
        // 'user'@'host' follows a name; a variable does not.
        take(Token::Kind::user_variable);
        return;
    }
    const bool name = quote_ == '`' || (quote_ == '"' && mode_.ansi_quotes);
    if (kept_all_ && name) {
        // A native function may be called by its quoted name.
        std::string folded = kept_;
        std::ranges::transform(folded, folded.begin(), upper);
        note_name(folded);
    }
    take(name ? Token::Kind::name : Token::Kind::text);
}

void Lexer::end_word() {
    state_ = State::code;
    folded_.resize(kept_.size());
    std::ranges::transform(kept_, folded_.begin(), upper);
    note_word();
    take(Token::Kind::word);
}

void Lexer::end_executable_head() {
    state_ = State::code;
    in_executable_ = true;
    if (version_digits_ > 0 && version_ >= first_uncertain_version) statement_.merge_pin("executable comment");
}

void Lexer::sign(char c) {
    kept_.assign(1, c);
    kept_all_ = true;
    take(Token::Kind::sign);
}

void Lexer::keep(char c) {
    if (kept_.size() < most_kept_) {
        kept_ += c;
    } else {
        kept_all_ = false;
    }
}

void Lexer::take(Token::Kind kind) {
    ++token_count_;
    if (kind == Token::Kind::user_variable || into_ || !last_variable_.empty()) follow_assignment(kind);
    if (locking_ != Locking::none) follow_lock(kind);
    if (kind == Token::Kind::sign && kept_ == "(") note_call();
    if (mode_.routine) follow_set(kind);
    ++since_table_;
    if (kind == Token::Kind::word || kind == Token::Kind::name) {
        if (last_ != Before::dot) qualifier_.clear();
        // Without an allocation where there is no CALL.
        constexpr std::size_t in_place = 15;
        previous_.assign(calling_ || kept_.size() <= in_place ? std::string_view(kept_) : behind_name);
    } else if (kind == Token::Kind::sign && kept_ == ".") {
        qualifier_ = previous_;
    }
    before_last_ = last_;
    last_ = Before::other;
    if (kind == Token::Kind::sign) last_ = kept_ == "." ? Before::dot : kept_ == ")" ? Before::parenthesis : last_;
    if (kind == Token::Kind::word) {
        last_word_ = folded_;
        if (folded_ == "AS") last_ = Before::as;
        if (folded_ == "INTO" || folded_ == "TABLE" || folded_ == "EXISTS") since_table_ = 0;
    } else {
        last_word_ = kind == Token::Kind::name || kind == Token::Kind::text ? behind_name : std::string_view();
    }
    if (tokens_.size() >= few_tokens && tokens_.size() >= tokens_wanted()) {
        tokens_lost_ = true;
        return;
    }
    Token token;
    token.kind = kind;
    token.text = kind == Token::Kind::word ? folded_ : kept_;
    if (kind == Token::Kind::word) token.raw = kept_;
    const bool in_quotes = kind == Token::Kind::text || (kind == Token::Kind::user_variable && variable_quote_);
    token.whole = kept_all_;
    token.plain = kept_all_ && (!in_quotes || quote_plain_);
    if (tokens_.empty()) most_kept_ = token.text == "PREPARE" || token.text == "EXECUTE" ? max_prepared : max_kept;
    tokens_.push_back(std::move(token));
}

void Lexer::note_name(std::string_view name) {
    if (name.size() < 7 || name.size() > 30) return;
    if (name == "GET_LOCK") locking_ = Locking::named;
    if (name == "GET_LOCK" || name == "RELEASE_LOCK" || name == "RELEASE_ALL_LOCKS" || name == "IS_USED_LOCK")
        statement_.asks_locks = true;
    if (name == "SERVICE_GET_READ_LOCKS" || name == "SERVICE_GET_WRITE_LOCKS") statement_.merge_pin("service lock");
    if (name == "VERSION_TOKENS_LOCK_SHARED" || name == "VERSION_TOKENS_LOCK_EXCLUSIVE")
        statement_.merge_pin("version token lock");
    if (name == "NEXTVAL" || name == "LASTVAL") statement_.merge_pin("sequence");
    if (name == "LAST_INSERT_ID") statement_.may_insert = statement_.calls = true;
    if (name == "FOUND_ROWS") statement_.asks_counts = statement_.asks_found_rows = true;
    if (name == "ROW_COUNT") statement_.asks_counts = true;
    if (name == "CONNECTION_ID") statement_.asks_connection = true;
}

void Lexer::note_word() {
    const std::string_view word = folded_;
    note_name(word);
    if (word == "SQL_CALC_FOUND_ROWS") statement_.merge_pin("SQL_CALC_FOUND_ROWS");
    if (word == "IDENTITY" && last_word_.empty()) statement_.may_insert = statement_.calls = true;
    if (word == "VALUE" && (last_word_ == "NEXT" || last_word_ == "PREVIOUS")) statement_.merge_pin("sequence");
    if (word == "TEMPORARY" && token_count_ < 6) temporary_ = true;
    if (word == "CALL" && (mode_.routine || token_count_ == 0)) calling_ = true;
    if (word == "INTO") into_ = true;
    if (word == "RENAME") renames_ = true;
    if (word == "RELEASE" && last_word_ != "NO" && token_count_ > 0) release_ = true;
    if (word == "EXPORT" || (word == "LOCK" && last_word_ == "READ")) reads_flush_lock_ = true;
}

void Lexer::end_statement() {
    if (!tokens_.empty()) {
        ++statement_.count;
        if (other_reading_) statement_.merge_pin("sql_mode in a multi-statement");
        if (!mode_.routine) classify(tokens_, {tokens_lost_, reads_flush_lock_, release_, temporary_}, statement_);
        note_effects();
    }
    tokens_.clear();
    tokens_lost_ = reads_flush_lock_ = release_ = temporary_ = renames_ = false;
    token_count_ = 0;
    last_word_.clear();
    before_last_ = last_ = Before::other;
    since_table_ = SIZE_MAX / 2;
}

void make_opaque(Statement& statement) {
    if (statement.one_shot || statement.database || !statement.sets.empty() || statement.only_sets) {
        statement.merge_pin("prepared SET or USE");
    }
    if (!statement.locks.empty()) statement.merge_pin(statement.locks);
    statement.locks = {};
    statement.explained = statement.inert = false;
    statement.explained_ones = 0;
    statement.sets.clear();
    statement.computed.clear();
    statement.database.reset();
    statement.one_shot = false;
}

}  // namespace leasehold::mysql
