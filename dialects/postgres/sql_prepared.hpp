// SPDX-License-Identifier: Apache-2.0
// PREPARE, EXECUTE and DEALLOCATE in SQL: the name that such a statement gives or uses, and where in the text it stands;
// a text in which names are replaced; and what each statement of a request does to a session's names once it is done.
// Pure. Names of the protocol and of SQL are one namespace: prepared.hpp.
#pragma once

#include "dialects/postgres/prepared.hpp"

#include <deque>
#include <optional>

namespace leasehold::postgres {

// What one statement does with a name.
struct NamedStatement {
    enum class Kind : std::uint8_t {
        none,
        prepare,
        execute,  // also EXPLAIN EXECUTE and CREATE TABLE AS EXECUTE
        deallocate,
        deallocate_all,
    };
    Kind kind = Kind::none;
    std::string name{};              // folded, cut at 63 bytes; empty: it cannot be read
    std::size_t at = 0, length = 0;  // of the name as it is written
    std::size_t written = 0;         // bytes of the name before it was cut
    std::size_t end = 0;             // of the statement without its semicolon
};
[[nodiscard]] NamedStatement read_named(std::string_view sql, const Statement& statement);

// A name that only leasehold gives on a server.
[[nodiscard]] bool is_reserved(std::string_view name) noexcept;

// The text with the client's name for a statement instead of the backend's, wherever that stands as a word of its own.
[[nodiscard]] std::string with_name(std::string_view text, std::string_view from, std::string_view name);

// A text in which names are replaced, and where its places were before.
class Rewriting {
  public:
    // In the order of their places.
    void replace(std::size_t at, std::size_t length, std::string_view by);
    [[nodiscard]] bool empty() const noexcept { return edits_.empty(); }
    [[nodiscard]] std::string apply(std::string_view sql);
    // A place in the new text, counted in characters from 1, in the old one.
    [[nodiscard]] std::size_t back(std::size_t place) const noexcept;

  private:
    struct Edit {
        std::size_t at = 0, length = 0;
        std::string by;
        std::size_t old_at = 0, old_length = 0, new_at = 0;  // in characters
    };
    std::vector<Edit> edits_;
};

// What a statement does to the session's names when the server says that it is done.
struct NameStep {
    enum class Kind : std::uint8_t { none, add, remove };
    Kind kind = Kind::none;
    std::string name{};
    TextRef text{};           // add
    std::uint64_t since = 0;  // add: of the schema clock
    std::uint64_t gone = 0;   // the backend holds this no longer; 0: nothing
};

// A request whose text was written anew.
struct SentNames {
    using Renames = std::vector<std::pair<std::uint64_t, std::string>>;  // the backend's, the client's
    std::uint64_t request = 0;
    std::vector<NameStep> steps{};  // one for each statement
    std::size_t next = 0;
    Renames renames{};
    Rewriting rewriting{};
    std::vector<std::uint8_t> front_error{};  // of what had to be prepared in front of it
    // What its errors need, without what it does.
    [[nodiscard]] SentNames spelling() const { return {.renames = renames, .rewriting = rewriting}; }
};

// What a text becomes on the backend, and what must be done before it is sent.
struct ResolvedNames {
    std::string sql{};
    Digest digest{};
    SentNames sent{};
    std::vector<Namespace::Named*> needs{};  // the backend must hold these
    std::vector<TextRef> stand_ins{};        // ... and these
    std::vector<std::uint64_t> closes{};     // ... and must not hold these
    std::size_t adds = 0;
    bool hidden = false;         // what it does to settings does not stand in it
    bool clean = false;          // a name cannot be read: none of the backend's may be met
    std::string deallocates{};   // in the extended protocol: it is carried out here
    std::string_view refusal{};  // it is not sent at all
};

// Requests on their way whose statements give or take names, oldest first.
class NameTrail {
  public:
    SentNames& send(SentNames sent) { return sent_.emplace_back(std::move(sent)); }
    // Those before it have been answered.
    [[nodiscard]] SentNames* find(std::uint64_t request) noexcept;
    // In front of the oldest that has not been answered something failed.
    void front_failed(std::uint64_t request, wire::Bytes error);
    void answered(std::uint64_t request) noexcept;
    [[nodiscard]] bool empty() const noexcept { return sent_.empty(); }
    // A name may come or go.
    [[nodiscard]] bool pending() const noexcept;

  private:
    std::deque<SentNames> sent_;
};

}  // namespace leasehold::postgres
