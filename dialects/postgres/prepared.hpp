// SPDX-License-Identifier: Apache-2.0
// Prepared statements: a session's own names for texts that a worker's sessions share, and which of them a backend holds
// under which name. No messages are read or written here. One worker's thread only.
#pragma once

#include "dialects/postgres/digest.hpp"
#include "dialects/wire/cursor.hpp"
#include "dialects/wire/text_cache.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leasehold::postgres {

// One text with its parameter types; its `id` names it on every backend (lh_<id>).
struct PreparedText : wire::CachedText<PreparedText> {
    struct Key {
        std::string_view tail;
        bool conforming = true;
        std::uint64_t reading = 0;
        std::uint64_t copy = 0;
        friend bool operator==(const Key&, const Key&) = default;
        [[nodiscard]] std::size_t hash() const noexcept {
            return std::hash<std::string_view>()(tail) + reading + (conforming ? 1 : 0) + 2 * copy;
        }
        [[nodiscard]] std::size_t size() const noexcept { return tail.size(); }
    };
    explicit PreparedText(const Key& key)
        : tail(key.tail), conforming(key.conforming), reading(key.reading), copy(key.copy),
          by_sql(tail.find('\0') == tail.npos) {}
    [[nodiscard]] Key key() const noexcept { return {tail, conforming, reading, copy}; }
    // The SQL alone; of a PREPARE what stands behind its name.
    [[nodiscard]] std::string_view text() const noexcept { return tail.c_str(); }

    std::string tail;  // a Parse message behind the name: text, NUL, number of types, types; or a PREPARE behind it
    bool conforming;   // standard_conforming_strings as it was read
    // A mark of the other settings that it was read with. A literal becomes a value when its statement is parsed: the
    // same '01/02/2026'::date under another DateStyle is another statement.
    std::uint64_t reading;
    std::uint64_t copy;  // one string may need the same text twice, under two names
    bool by_sql;         // what PREPARE made
    Digest digest;
};

using TextRef = wire::TextRef<PreparedText>;
using StatementCache = wire::TextCache<PreparedText>;

// What a session's name stands for, and how the schema stood when the session prepared it: a backend whose own copy is
// older than that has to parse it again, or the session would meet a plan that it never knew.
struct Prepared : TextRef {
    Prepared() noexcept = default;
    Prepared(TextRef text) noexcept : TextRef(std::move(text)) {}  // NOLINT(google-explicit-constructor)
    std::uint64_t since = 0;                                       // of the schema clock
    TextRef source{};  // as the client wrote it, where other statements are named in it
};

// One session's names. Names are cut at 63 bytes, as the server does.
class Namespace {
  public:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>()(name); }
    };
    using Map = std::unordered_map<std::string, Prepared, Hash, std::equal_to<>>;
    using Named = Map::value_type;  // stays where it is, also when removed, until settle()

    [[nodiscard]] Named* find(std::string_view name) noexcept;
    // The one that this text alone gives up. Null as well where the server has a say about how long its name is.
    [[nodiscard]] Named* given_up(const Digest& what) noexcept {
        const bool short_name = what.only(Kind::deallocate) && what.variable().size() < longest;
        return short_name ? find(what.variable()) : nullptr;
    }
    // The name must be free.
    Named& add(std::string_view name, TextRef text);
    // Takes it out of sight but keeps it for restore().
    void remove(Named& named);
    void restore(Named& named);
    // Undoes an add().
    void erase(Named& named) { remove(named); }
    void clear();  // as remove() of each
    // Nothing outstanding refers to what was removed any more.
    void settle() noexcept;
    // So much is kept for restore() that no more should come before settle().
    [[nodiscard]] bool crowded() const noexcept { return removed_.size() >= most_removed; }
    [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
    [[nodiscard]] Map::iterator begin() noexcept { return names_.begin(); }
    [[nodiscard]] Map::iterator end() noexcept { return names_.end(); }

  private:
    static constexpr std::size_t most_removed = 1000;
    static constexpr std::size_t longest = 63;
    [[nodiscard]] static std::string_view cut(std::string_view name) noexcept { return name.substr(0, longest); }
    Map names_;
    std::vector<Map::node_type> removed_;
};

// A clock that ticks when a session changes what names mean (CREATE, ALTER, DROP): a server that holds a parsed text
// does not look again whether a table of that name now stands in front of it. One for the process; thread-safe.
class SchemaClock {
  public:
    [[nodiscard]] static std::uint64_t now() noexcept;
    // A change that everybody may meet.
    static void tick() noexcept;
    // A change that only one session meets; returns its time.
    [[nodiscard]] static std::uint64_t tick_alone() noexcept;
    [[nodiscard]] static std::uint64_t last_change() noexcept;  // that everybody may meet
};

// The statements that one backend holds, least recently used first.
class HeldStatements {
  public:
    explicit HeldStatements(std::size_t limit) noexcept : limit_(limit == 0 ? 1 : limit) {}

    // True, and used now, when it is held.
    bool touch(std::uint64_t id);
    // Parsed at or after that time of the schema clock; false as well when it has aged, or is not held.
    [[nodiscard]] bool parsed_since(std::uint64_t id, std::uint64_t time) const;
    // Parsed just now.
    void add(std::uint64_t id) { add(id, SchemaClock::now()); }
    void add(std::uint64_t id, std::uint64_t parsed);
    // Whoever parses it again wants it parsed by the server.
    void age(std::uint64_t id);
    // Likewise of all that were parsed at that time or after it.
    void age_since(std::uint64_t time) noexcept;
    void remove(std::uint64_t id);
    void clear() noexcept;
    // The one to close before another may be added; 0: there is room.
    [[nodiscard]] std::uint64_t surplus() const noexcept { return order_.size() < limit_ ? 0 : order_.front(); }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }
    [[nodiscard]] std::vector<std::uint64_t> all() const { return {order_.begin(), order_.end()}; }

  private:
    std::size_t limit_;
    std::list<std::uint64_t> order_;
    struct Place {
        std::list<std::uint64_t>::iterator at;
        std::uint64_t parsed = 0;
    };
    std::unordered_map<std::uint64_t, Place> at_;
};

// "lh_17". No statement has number 0: binding lh_0 fails as binding an unknown name does.
class BackendName {
  public:
    explicit BackendName(std::uint64_t id) noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), length_}; }

  private:
    std::array<char, 24> text_{};
    std::size_t length_ = 0;
};

}  // namespace leasehold::postgres
