// SPDX-License-Identifier: Apache-2.0
// The lexer: cuts SQL text into statements and says of each what a pooler must know, in one pass without memory of its
// own. It can be fed in pieces. It never parses expressions. Manual: "Lexical Structure".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::postgres {

enum class Kind : std::uint8_t {
    none,  // nothing but blanks and comments so far
    other,
    begin,     // BEGIN, START TRANSACTION
    commit,    // COMMIT, END
    rollback,  // ROLLBACK, ABORT
    rollback_to,
    savepoint,
    release,
    set,        // SET, SET SESSION: variable() names what
    set_local,  // SET LOCAL, SET TRANSACTION, SET CONSTRAINTS: gone with the transaction
    reset,
    reset_all,
    show,
    discard_all,
    discard_plans,
    discard_temp,
    discard_sequences,
    listen,
    unlisten,
    notify,
    prepare,
    execute,
    deallocate,  // variable() names what
    deallocate_all,
    declare,
    declare_hold,
    close,
    create_temp,  // also SELECT ... INTO TEMP, and CREATE of anything in pg_temp
    load,
    run_do,
    call,
    copy,
    prepare_transaction,
    commit_prepared,
    rollback_prepared,
    lock,
    explain,
};
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;

// What else the text of a statement mentions.
namespace mark {
inline constexpr std::uint16_t advisory_lock = 1 << 0;  // of the session, not of the transaction
inline constexpr std::uint16_t set_config = 1 << 1;
inline constexpr std::uint16_t sequence = 1 << 2;    // nextval, setval
inline constexpr std::uint16_t last_value = 1 << 3;  // currval, lastval
inline constexpr std::uint16_t pg_temp = 1 << 4;
inline constexpr std::uint16_t temporary = 1 << 5;        // CREATE TEMP, INTO TEMP, wherever it stands
inline constexpr std::uint16_t chain = 1 << 6;            // COMMIT AND CHAIN: a new transaction follows
inline constexpr std::uint16_t foreign_session = 1 << 7;  // dblink_connect, replication origins
inline constexpr std::uint16_t seed = 1 << 8;             // setseed
inline constexpr std::uint16_t obscure = 1 << 9;          // names that are not decoded here: U&"...", endless $tags$
inline constexpr std::uint16_t schema = 1 << 10;    // CREATE, ALTER, DROP, SELECT INTO: what names mean may change
inline constexpr std::uint16_t unlock = 1 << 11;    // an advisory lock of the session may go
inline constexpr std::uint16_t calls = 1 << 12;     // what may be a function of somebody's own: see calls.hpp
inline constexpr std::uint16_t executes = 1 << 13;  // EXECUTE in EXPLAIN, in CREATE TABLE AS
inline constexpr std::uint16_t reserved = 1 << 14;  // PREPARE, EXECUTE, DEALLOCATE of a name that only leasehold gives
inline constexpr std::uint16_t lists_prepared = 1 << 15;  // pg_prepared_statements
}  // namespace mark

struct Statement {
    Kind kind = Kind::none;
    std::uint16_t marks = 0;
    bool inserts = false;  // INSERT, MERGE, wherever it stands
    std::uint8_t length = 0;
    std::array<char, 64> name{};

    // SET's and RESET's setting, DEALLOCATE's statement; in lower case unless quoted, cut at 63 bytes.
    [[nodiscard]] std::string_view variable() const noexcept { return {name.data(), length}; }
    // It may make changes durable by itself, also inside a transaction.
    [[nodiscard]] bool may_commit() const noexcept;
};

class Scanner {
  public:
    explicit Scanner(bool standard_conforming_strings = true) noexcept : conforming_(standard_conforming_strings) {}

    // Takes text up to and including the semicolon that ends a statement, or all of it; returns how much it took.
    // After ended() look at statement() and feed what is left.
    std::size_t feed(std::string_view text) noexcept;
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    // No more text will come: the last statement is whole, and empty when its kind is none.
    void finish() noexcept;
    [[nodiscard]] const Statement& statement() const noexcept { return current_; }

  private:
    enum class State : std::uint8_t {
        plain,
        word,
        dash,   // one '-' seen
        slash,  // one '/' seen
        line_comment,
        block_comment,
        block_star,   // '*' inside a block comment
        block_slash,  // '/' inside a block comment
        text,         // '...'
        text_escape,  // after a backslash in '...'
        text_quote,   // a quote inside '...': its end, or half of a doubled one
        identifier,   // "..."
        identifier_quote,
        u_ampersand,  // U& seen: U&'...' or U&"..."
        dollar,       // one '$' seen outside a word
        dollar_tag,   // $tag
        parameter,    // $1
        body,         // $tag$...
        body_tag,     // a '$' inside: comparing with the tag
        unreadable,   // a tag that is too long to be compared: the rest is not understood
    };
    // Where in a statement's beginning the next word stands.
    enum class Expect : std::uint8_t {
        first,
        nothing,
        start,
        set,
        set_session,
        variable,
        variable_more,
        reset,
        time_zone,
        rollback,
        commit,
        chain,
        prepare,
        prepare_transaction,
        discard,
        deallocate,
        declare,
        create,
        prepared_tail,
    };
    enum class Previous : std::uint8_t { none, temp_follows, insert, opened, with, begin, execute };
    // What the last word is, or the dot behind it: whether a parenthesis behind it makes it a call.
    enum class Near : std::uint8_t { nothing, name, quoted, qualified, dot, dot_of_catalog };

    void begin_statement() noexcept;
    void plain(char c) noexcept;
    [[nodiscard]] const char* after_word(const char* p) noexcept;
    [[nodiscard]] const char* in_value(const char* p, const char* end) noexcept;
    [[nodiscard]] const char* in_quotes(const char* p, const char* end) noexcept;
    [[nodiscard]] const char* in_comment(const char* p, const char* end) noexcept;
    [[nodiscard]] const char* in_dollars(const char* p, const char* end) noexcept;
    [[nodiscard]] std::string_view kept_word() const noexcept {
        return {word_.data(), word_length_ < word_.size() ? word_length_ : word_.size() - 1};
    }
    void end_word() noexcept;
    void word(std::string_view w, bool quoted) noexcept;
    void first_word(std::string_view w) noexcept;
    void early_word(std::string_view w, bool quoted) noexcept;
    void setting_word(Expect expected, std::string_view w, bool quoted) noexcept;
    void ending_word(Expect expected, std::string_view w) noexcept;
    void later_word(std::string_view w, bool quoted) noexcept;
    void structure_word(std::string_view w, Previous before) noexcept;
    void function_body(std::string_view w, Previous before) noexcept;
    void symbol(char c) noexcept;
    void name_follows(bool quoted) noexcept;
    void open_parenthesis() noexcept;
    void take_variable(std::string_view w) noexcept;
    void note_reserved(std::string_view name) noexcept;
    void put(char c) noexcept;
    void open_text(bool escapes) noexcept;
    void end_value() noexcept;
    void mark_all() noexcept;

    Statement current_;
    std::array<char, 64> word_{};
    std::array<char, 64> tag_{};
    std::size_t word_length_ = 0;  // may exceed the array: then cut
    std::size_t tag_length_ = 0;
    std::size_t tag_at_ = 0;
    std::uint32_t comment_depth_ = 0;
    std::uint32_t parens_ = 0;
    std::uint32_t body_depth_ = 0;  // BEGIN ATOMIC ... END of CREATE FUNCTION
    State state_ = State::plain;
    Expect expect_ = Expect::first;
    Previous previous_ = Previous::none;
    Near near_ = Near::nothing;
    std::uint8_t into_ = 0;  // names up to INTO's, which is no call
    bool conforming_;
    bool escapes_ = false;    // of the text literal being read
    bool continues_ = false;  // an escaping literal has just ended: after a newline another may go on
    bool newline_ = false;
    bool routine_ = false;  // CREATE FUNCTION or PROCEDURE
    bool defines_ = false;  // CREATE, ALTER: names of functions are kept there, not called
    bool updates_ = false;  // UPDATE was seen
    bool selects_ = false;  // SELECT was seen outside of brackets: INSERT and MERGE behind it are names
    bool value_ = false;    // the literal being read is what SET sets: kept in word_
    bool ended_ = false;
    bool started_ = false;
};

// Calls each(const Statement&) for every statement of the text that is not empty.
template <class Each>
void each_statement(std::string_view text, bool standard_conforming_strings, Each&& each) {
    Scanner scanner(standard_conforming_strings);
    while (!text.empty()) {
        text.remove_prefix(scanner.feed(text));
        if (scanner.ended() && scanner.statement().kind != Kind::none) each(scanner.statement());
    }
    if (scanner.ended()) return;
    scanner.finish();
    if (scanner.statement().kind != Kind::none) each(scanner.statement());
}

// The text for records: literals as ?, comments dropped, blanks folded, cut at `limit` bytes (at a character's edge).
// Where it is not known which standard_conforming_strings held, and it matters, nothing of the rest is shown.
[[nodiscard]] std::string mask(std::string_view text, std::size_t limit = 256, std::optional<bool> conforming = {});

}  // namespace leasehold::postgres
