// SPDX-License-Identifier: Apache-2.0
// Prepared statements: texts shared by all sessions of a worker, each session's own names for them, and which of them a
// backend holds under which name. No messages are read or written here. One worker's thread only.
#pragma once

#include "dialects/postgres/digest.hpp"
#include "dialects/wire/cursor.hpp"

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leasehold::postgres {

class StatementCache;

// One text with its parameter types. `id` names it on every backend (lh_<id>), in the whole process.
struct PreparedText {
    std::uint64_t id = 0;
    std::string tail;        // a Parse message behind the name: text, NUL, number of types, types
    bool conforming = true;  // standard_conforming_strings as it was read
    // A mark of the other settings that it was read with. A literal becomes a value when its statement is parsed: the
    // same '01/02/2026'::date under another DateStyle is another statement.
    std::uint64_t reading = 0;
    Digest digest;

    // The SQL alone.
    [[nodiscard]] std::string_view text() const noexcept { return tail.c_str(); }
    // Too large to be kept: its session stays on the backend that has it.
    [[nodiscard]] bool kept() const noexcept { return !tail.empty(); }

  private:
    friend class StatementCache;
    friend class TextRef;
    std::size_t users = 0;
    bool cached = false;
    std::list<PreparedText*>::iterator idle{};
};

// A counted reference; not atomic.
class TextRef {
  public:
    TextRef() noexcept = default;
    TextRef(StatementCache& cache, PreparedText& text) noexcept;
    TextRef(const TextRef&) = delete;
    TextRef& operator=(const TextRef&) = delete;
    TextRef(TextRef&& other) noexcept
        : cache_(std::exchange(other.cache_, nullptr)), text_(std::exchange(other.text_, nullptr)) {}
    TextRef& operator=(TextRef&& other) noexcept;
    ~TextRef() { release(); }

    [[nodiscard]] explicit operator bool() const noexcept { return text_ != nullptr; }
    [[nodiscard]] const PreparedText& operator*() const noexcept { return *text_; }
    [[nodiscard]] const PreparedText* operator->() const noexcept { return text_; }

  private:
    void release() noexcept;
    StatementCache* cache_ = nullptr;
    PreparedText* text_ = nullptr;
};

// Texts by content. Those that no session names any more are kept while there is room, for the next client that comes
// with the same program; the longest unused goes first.
class StatementCache {
  public:
    explicit StatementCache(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}
    ~StatementCache();
    StatementCache(const StatementCache&) = delete;
    StatementCache& operator=(const StatementCache&) = delete;

    // This thread's; lives as long as a session holds it. `max_bytes` counts when it is made.
    [[nodiscard]] static std::shared_ptr<StatementCache> local(std::size_t max_bytes);

    // Nothing: no room. `digest` is called for a text that was not known.
    template <class MakeDigest>
    [[nodiscard]] TextRef intern(std::string_view tail, bool conforming, MakeDigest&& make_digest,
                                 std::uint64_t reading = 0) {
        const Key key{tail, conforming, reading};
        if (PreparedText* known = find(key)) return {*this, *known};
        PreparedText* added = add(key);
        if (added == nullptr) return {};
        TextRef ref(*this, *added);
        added->digest = make_digest();
        return ref;
    }
    // A text of its own that is not kept.
    [[nodiscard]] TextRef unkept(const Digest& digest);

    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }

  private:
    friend class TextRef;
    struct Key {
        std::string_view tail;
        bool conforming;
        std::uint64_t reading;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return std::hash<std::string_view>()(key.tail) + key.reading + (key.conforming ? 1 : 0);
        }
    };
    [[nodiscard]] PreparedText* find(const Key& key) const;
    [[nodiscard]] PreparedText* add(const Key& key);
    void use(PreparedText& text) noexcept;
    void unuse(PreparedText& text) noexcept;
    void drop(PreparedText& text) noexcept;

    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::unordered_map<Key, std::unique_ptr<PreparedText>, KeyHash> texts_;
    std::list<PreparedText*> idle_;  // longest unused first
};

// What a session's name stands for, and how the schema stood when the session prepared it: a backend whose own copy is
// older than that has to parse it again, or the session would meet a plan that it never knew.
struct Prepared : TextRef {
    Prepared() noexcept = default;
    Prepared(TextRef text) noexcept : TextRef(std::move(text)) {}  // NOLINT(google-explicit-constructor)
    std::uint64_t since = 0;                                       // of the schema clock
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
    [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }

  private:
    [[nodiscard]] static std::string_view cut(std::string_view name) noexcept { return name.substr(0, 63); }
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
    // Parsed at or after that time of the schema clock; false as well when it is not held.
    [[nodiscard]] bool parsed_since(std::uint64_t id, std::uint64_t time) const;
    // Parsed just now.
    void add(std::uint64_t id) { add(id, SchemaClock::now()); }
    void add(std::uint64_t id, std::uint64_t parsed);
    // Whoever parses it again wants it parsed by the server.
    void age(std::uint64_t id);
    void remove(std::uint64_t id);
    void clear() noexcept;
    // The one to close before another may be added; 0: there is room.
    [[nodiscard]] std::uint64_t surplus() const noexcept { return order_.size() < limit_ ? 0 : order_.front(); }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

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
