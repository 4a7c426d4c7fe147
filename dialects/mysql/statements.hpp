// SPDX-License-Identifier: Apache-2.0
// What a statement's text says about the session it runs in: whether it sets what is carried, makes state that pins,
// asks about the statement before it, or may end a transaction. Read once, in pieces of any size, never kept. It errs
// towards "pins": what is not known to be harmless is not. "Language Structure" of the manual: strings, names,
// comments, executable comments.
#pragma once

#include "dialects/mysql/kill.hpp"
#include "dialects/wire/cursor.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::mysql {

using wire::Bytes;

// How the server reads text; of sql_mode.
struct LexMode {
    bool no_backslash_escapes = false;
    bool ansi_quotes = false;
    bool mariadb = false;  // which functions the server has itself
    bool routine = false;  // the definition of a stored routine: only what it names is noted
};

struct Statement;

// State of the session that one statement makes or ends if it succeeds, by its name.
struct Effect {
    enum class Kind : std::uint8_t {
        table,  // temporary; "database.table", or without a database where the text names none
        drop_table,
        renames,  // tables, one of which may be temporary
        lock,     // GET_LOCK()
        unlock_all,
        handler,
        close_handler,
        prepare,  // in SQL
        deallocate,
        setting,  // a session variable that no other backend can be given
        end_setting,
    };
    Kind kind = Kind::table;
    std::size_t statement = 0;  // which of the text's, from 0
    std::string name{};
    std::shared_ptr<const Statement> text{};  // that is prepared; null: not known
    std::string sql{};                        // ... as the server reads it
    bool carried = false;                     // prepared in SQL, and on other backends again
};

// What seldom a text does.
struct Made {
    // SET @a with literals, in order; and user variables whose values are the server's to tell.
    std::vector<std::pair<std::string, std::string>> users{};
    std::vector<std::string> assigned{};
    // Session variables that it sets to what only the server can compute.
    std::vector<std::string> asked{};
    std::vector<Effect> effects{};
    // EXECUTE of these, each by its name, or with its text (EXECUTE IMMEDIATE).
    struct Executed {
        std::string name{};
        std::shared_ptr<const Statement> text{};
    };
    std::vector<Executed> executes{};
    std::vector<std::string> named{};  // prepared in SQL, that it executes or gives up
    // Stored routines that it calls by these names: "f", "d.f", "CALL p"; what is set within one, of its definition.
    std::vector<std::string> calls{};
    bool sets_some = false, sets_unseen = false;
    // Of which of its statements Statement's `sets` and `computed` are, from 0.
    std::vector<std::size_t> set_in{}, computed_in{};
};

// All statements of one text together.
struct Statement {
    int count = 0;            // statements in the text, empty ones not counted
    std::string_view pin;     // why the session keeps its backend to its end; empty: it need not
    bool begins = false;      // BEGIN, START TRANSACTION
    bool begins_xa = false;   // XA START
    bool rolls_back = false;  // one statement, ROLLBACK of the whole transaction
    bool ends = false;        // one statement, COMMIT or ROLLBACK of the whole transaction, and no more than that
    bool may_commit = false;  // may end a transaction, or start one behind our back
    bool savepoint = false;
    bool one_shot = false;     // SET TRANSACTION for the next transaction only
    std::optional<Kill> kill;  // the last KILL, whose number is not the server's
    bool may_insert = false;   // may set LAST_INSERT_ID(), or asks for it
    bool calls = false;        // may have set LAST_INSERT_ID() although its reply does not say so
    bool asks_counts = false;  // ROW_COUNT(), FOUND_ROWS()
    bool asks_found_rows = false;
    bool asks_connection = false;         // CONNECTION_ID()
    bool only_sets = false;               // nothing but SET: no transaction is started or used up
    bool explained = false;               // what it changes of the session is seen here: no stored code can run
    bool explained_here = false;          // ... the statement being read
    std::uint64_t explained_ones = 0;     // ... the first, second, ... of them
    bool inert = false;                   // no stored code can run
    bool routines = false;                // a routine may be another one now
    bool many_results = false;            // one of them may have another number of results than one
    bool may_trigger = false;             // changes rows
    bool runs_stored = false;             // calls what may be a stored function
    bool asks_locks = false;              // GET_LOCK() and its kin: what is left of others counts
    bool variables_lost = false;          // there are more of these, or their names cannot be written down
    std::vector<std::string> variables;   // user variables that it names, as SQL
    std::string_view locks;               // LOCK TABLES and the like: held until they are unlocked
    bool unlocks = false;                 // one statement, UNLOCK TABLES
    std::optional<std::string> database;  // of the last USE
    bool elsewhere = false;               // it was prepared in another database, where it runs: so servers report
    // SET of session variables with literals, in order: name (lower case; "names"; "transaction isolation" and
    // "transaction read only" of SET SESSION TRANSACTION) and literal as SQL.
    std::vector<std::pair<std::string, std::string>> sets;
    // SET of session variables that a server tracks with harmless expressions: it tells what became of them.
    std::vector<std::string> computed;
    std::optional<Made> made{};
    [[nodiscard]] Made& make() { return made ? *made : made.emplace(); }
    [[nodiscard]] bool makes_state() const noexcept {
        return made && !(made->assigned.empty() && made->asked.empty() && made->executes.empty() &&
                         std::ranges::all_of(made->effects, [](const Effect& effect) { return effect.carried; }));
    }

    void merge_pin(std::string_view reason) noexcept {
        if (pin.empty()) pin = reason;
    }
};

// Client character sets in which a backslash or a quote may be the second half of a character.
[[nodiscard]] bool is_unsafe_charset(std::string_view name) noexcept;
[[nodiscard]] bool is_unsafe_charset(std::uint8_t collation) noexcept;
// Whether an sql_mode has ANSI_QUOTES; modes that imply it included.
[[nodiscard]] bool has_ansi_quotes(std::string_view sql_mode) noexcept;
// A user variable's name as SQL, lower case; and whether that is the only one that means it: collations compare them.
[[nodiscard]] std::string variable_name(std::string_view kept);
[[nodiscard]] bool is_certain_variable(std::string_view name) noexcept;
// Whether the server itself has a function of that name (upper case), or reserves the word.
[[nodiscard]] bool is_native_function(std::string_view name, bool mariadb) noexcept;

struct Token {
    enum class Kind : std::uint8_t {
        word,             // upper case
        name,             // `quoted`, or "quoted" with ANSI_QUOTES
        text,             // a string; `plain` if it can be written down again as it is
        user_variable,    // @name
        system_variable,  // @@, its name follows
        sign,
        end,
    };
    Kind kind = Kind::end;
    std::string text;
    std::string raw;  // of a word: as it stands
    bool plain = true;
    bool whole = true;  // `text` is all that a string says, its escapes read
};

class Lexer {
  public:
    explicit Lexer(LexMode mode = {}) noexcept : mode_(mode) {}

    void feed(Bytes text);
    // The text has ended.
    [[nodiscard]] const Statement& finish();
    // What has been seen so far.
    [[nodiscard]] const Statement& so_far() const noexcept { return statement_; }

  private:
    enum class State : std::uint8_t {
        code,
        word,
        quoted,
        quoted_escape,
        quoted_end,
        dash,
        dash_dash,
        slash,
        comment,
        comment_star,
        line_comment,
        comment_open,
        executable,
        executable_version,
        star,
        at,
        at_name,
    };
    void step(char c);
    void in_code(char c);
    void in_quotes(char c);
    void in_variable(char c);
    void before_comment(char c);
    void in_comment(char c);
    void begin_executable() noexcept;
    void begin_quote(char quote);
    void end_quote();
    void end_word();
    void end_executable_head();
    void sign(char c);
    void keep(char c);
    void keep_escaped(char c);
    void take(Token::Kind kind);
    void note_name(std::string_view upper);
    void note_word();
    void note_call();
    void note_called(bool qualified);
    void follow_set(Token::Kind kind);
    [[nodiscard]] bool follow_made(Token::Kind kind);  // routines.cpp
    void end_made();
    void note_variable();
    void end_statement();
    // statement_effects.cpp
    [[nodiscard]] std::size_t tokens_wanted() const noexcept;
    void follow_lock(Token::Kind kind);
    void follow_assignment(Token::Kind kind);
    void note_effects();
    void note_prepared();

    LexMode mode_;
    State state_ = State::code;
    char quote_ = 0;
    bool quote_plain_ = true;
    bool variable_quote_ = false;  // @'name'
    bool in_executable_ = false;
    std::size_t version_digits_ = 0;
    std::uint32_t version_ = 0;
    std::string kept_;    // of the token being read, as it stands
    std::string folded_;  // in upper case, of words
    bool kept_all_ = true;
    std::size_t most_kept_ = 256;  // of one token; more of what is prepared
    std::vector<Token> tokens_;    // of the statement being read: the first few, of SET all
    bool tokens_lost_ = false;
    std::size_t token_count_ = 0;
    bool reads_flush_lock_ = false, release_ = false, temporary_ = false;
    std::string last_word_;
    // What stands in front of the last token, and how many tokens stand behind a word that a table's name follows.
    enum class Before : std::uint8_t { other, dot, as, parenthesis } before_last_ = Before::other, last_ = Before::other;
    std::size_t since_table_ = SIZE_MAX / 2;
    // Of GET_LOCK ( 'name' , what was seen.
    enum class Locking : std::uint8_t { none, named, called, behind } locking_ = Locking::none;
    std::string lock_name_;
    bool renames_ = false;
    std::string previous_, qualifier_;  // the last name, and what stood in front of its dot
    bool calling_ = false;              // behind CALL
    // SET in a routine: its next word is what is set, or stands in what it is set to.
    enum class Setting : std::uint8_t { none, target, role, value } setting_ = Setting::none;
    int set_depth_ = 0;
    // CREATE TEMPORARY TABLE [IF NOT EXISTS] t in a routine, and INSERT [INTO] t.
    enum class Making : std::uint8_t {
        none,
        temporary,
        table,
        named,
        dotted,
        inserts,
        inserted
    } making_ = Making::none;
    std::string making_name_;
    bool into_ = false;           // behind INTO: user variables get values
    std::string last_variable_;   // the last token
    bool other_reading_ = false;  // an earlier statement changes how the text behind it is read
    Statement statement_;
};

// Shared by the parts of the lexer: what the tokens of one statement mean.
struct Seen {
    bool lost = false;  // there were more tokens than `tokens`
    bool flush_lock = false, release = false, temporary = false;
};
template <std::size_t N>
[[nodiscard]] bool one_of(std::string_view word, const std::array<std::string_view, N>& words) noexcept {
    return std::ranges::find(words, word) != words.end();
}
[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] std::string_view word_at(const std::vector<Token>& tokens, std::size_t i) noexcept;
void classify(const std::vector<Token>& tokens, const Seen& seen, Statement& into);
void classify_set(const std::vector<Token>& tokens, bool lost, Statement& into);

// What stands behind SET ROLE, from `at` to the end, as SQL; nothing: it cannot be said again.
[[nodiscard]] std::optional<std::string> read_role(const std::vector<Token>& tokens, std::size_t at);

// Of a statement that is prepared: when it runs its text is not seen again.
void make_opaque(Statement& statement);

// The text for a record: one line of at most `max_bytes`; unless `literals`, these are replaced by ? and comments are
// dropped. `backslash_escapes`: not sql_mode's NO_BACKSLASH_ESCAPES.
[[nodiscard]] std::string masked(std::string_view text, bool literals, std::size_t max_bytes = 256,
                                 bool backslash_escapes = true);

}  // namespace leasehold::mysql
