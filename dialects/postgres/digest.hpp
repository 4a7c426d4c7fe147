// SPDX-License-Identifier: Apache-2.0
// What a whole request's SQL means for the lease: may it commit, does it begin or end a transaction, what state does it
// leave behind. Made once per text from the lexer's statements; a plain value.
#pragma once

#include "dialects/postgres/calls.hpp"
#include "dialects/postgres/statements.hpp"
#include "dialects/wire/hint.hpp"

#include <memory>
#include <string>

namespace leasehold::postgres {

// State that cannot be carried to another backend yet.
enum class PinKind : std::uint8_t {
    none,
    setting,
    temporary,
    listen,
    advisory_lock,
    held_cursor,
    prepared,
    load,
    set_config,
    last_value,
    foreign_session,
    oversized,
    unseen,    // DO, CALL: until the backend has been asked
    by_hand,   // a comment of the client's
    function,  // one that nobody knows to leave nothing: until the backend has been asked
    seed,      // of random(): the session's own sequence of numbers
    stuck,     // a setting, until it has a value that can be carried
};
[[nodiscard]] constexpr std::uint16_t bit(PinKind kind) noexcept {
    return kind == PinKind::none ? std::uint16_t{0}
                                 : static_cast<std::uint16_t>(1u << (static_cast<unsigned>(kind) - 1));
}

// Whoever adds to it adds to Digester::merge().
struct Digest {
    std::uint32_t statements = 0;  // empty ones not counted
    Kind first = Kind::none;
    Kind last = Kind::none;
    bool begins = false;            // BEGIN among them
    bool may_commit = false;        // could make changes durable although a transaction is open
    bool ends = false;              // ROLLBACK or COMMIT among them
    bool chains = false;            // AND CHAIN among them
    bool soils = false;             // may leave state that nobody saw: DO, CALL, EXECUTE
    bool unseen = false;            // what it leaves is worth asking for: DO, CALL
    bool ends_state = false;        // state that pins may be gone behind it: DROP, CLOSE, UNLISTEN, DEALLOCATE, ...
    bool drops_statements = false;  // DISCARD ALL, DEALLOCATE ALL
    bool discards = false;          // DISCARD ALL alone
    bool rolls_back_to = false;     // a savepoint
    bool schema = false;            // names may mean something else afterwards: for everybody, ...
    bool own_schema = false;        // ... or for this session: temporary objects, and what nobody saw
    bool reads = false;             // sets what texts are parsed by, and the server does not report
    bool seeds = false;             // random()
    bool touches = false;           // may use a sequence
    bool draws = false;             // is likely to: INSERT, COPY, and what runs what nobody sees
    bool names_sequences = false;   // nextval(), setval(), currval(), lastval(), or what cannot be read
    bool asks_sequences = false;    // currval(), lastval()
    bool settings = false;          // SET, RESET, set_config(): whose text has to be read
    bool locals = false;            // SET LOCAL
    bool savepoints = false;        // made, released, rolled back to
    bool calls = false;             // functions of somebody's own, DO, EXECUTE
    bool routines = false;          // functions may be others afterwards; of a text not read as a whole, more often
    bool names = false;             // PREPARE, EXECUTE, DEALLOCATE: of names that have to be replaced
    bool reserved = false;          // ... one of them of leasehold's own
    bool lists_prepared = false;    // asks which statements its backend holds
    std::shared_ptr<const Calls> called{};  // which; null: the text is not known as a whole
    PinKind pin = PinKind::none;            // the first reason found, ...
    std::uint16_t pins = 0;                 // ... and bits of all but settings, ...
    PinKind setting_pin = PinKind::none;    // ... and that of settings, unless what is done to them can be read
    wire::Hint hint = wire::Hint::none;
    std::uint8_t length = 0;
    std::array<char, 64> name{};  // of the setting that pins, or DEALLOCATE's statement

    [[nodiscard]] std::string_view variable() const noexcept { return {name.data(), length}; }
    [[nodiscard]] bool only(Kind kind) const noexcept { return statements == 1 && first == kind; }
    // A ROLLBACK or ABORT and nothing else, after which no transaction is open.
    [[nodiscard]] bool rolls_back() const noexcept { return only(Kind::rollback) && !chains; }
    // Its text has to be read for what it does to them; `following`: to those of a transaction, too.
    [[nodiscard]] bool touches_settings(bool following) const noexcept {
        return settings || savepoints || (locals && following);
    }
    [[nodiscard]] bool commits() const noexcept { return only(Kind::commit) && !chains; }
};

// A text that the server reads later, such as DO's, names functions of sequences: noted in the digest of it all.
void note_sequences_within(std::string_view sql, Digest& digest) noexcept;

// Whether the server announces changes of this setting, so that it follows the session by itself.
using Carried = bool (*)(const void* context, std::string_view setting);

// A setting that decides what a text means when it is parsed, beside those that the server reports.
[[nodiscard]] bool decides_reading(std::string_view name) noexcept;

class Digester {
  public:
    Digester(Carried carried, const void* context) noexcept : carried_(carried), context_(context) {}
    void take(const Statement& statement) noexcept;
    // The statement taken last does what that text does, too: EXECUTE.
    void merge(const Digest& inner) noexcept;
    [[nodiscard]] const Digest& digest() const noexcept { return digest_; }

  private:
    void pin(PinKind kind) noexcept;
    void note_setting(PinKind kind, std::string_view name = {}) noexcept;
    void note_meaning(const Statement& statement) noexcept;
    Carried carried_;
    const void* context_;
    Digest digest_;
};

// For SHOW PINS, errors and logs: "SET work_mem", "temporary table".
[[nodiscard]] std::string describe_pin(PinKind kind, std::string_view variable);

}  // namespace leasehold::postgres
