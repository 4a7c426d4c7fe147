// SPDX-License-Identifier: Apache-2.0
// Prepared statements: a session's own numbers for texts that a worker's sessions share, and which of them a backend holds
// under which number. No packets are read or written here. One worker's thread only.
#pragma once

#include "dialects/mysql/settings.hpp"
#include "dialects/mysql/statements.hpp"
#include "dialects/wire/exchange.hpp"
#include "dialects/wire/text_cache.hpp"

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace leasehold::mysql {

// One text and what it was read with.
struct PreparedText : wire::CachedText<PreparedText> {
    struct Key {
        std::string_view text, reading;
        friend bool operator==(const Key&, const Key&) = default;
        [[nodiscard]] std::size_t hash() const noexcept {
            const std::hash<std::string_view> hash;
            return hash(text) * 31 + hash(reading);
        }
        // A SET's literals are kept once more.
        [[nodiscard]] std::size_t size() const noexcept { return 2 * text.size() + reading.size(); }
    };
    explicit PreparedText(const Key& key) : text(key.text), reading(key.reading) {}
    [[nodiscard]] Key key() const noexcept { return {text, reading}; }

    std::string text;
    // The settings that give a text its meaning when it is prepared: the current database above all, which counts for
    // every later execution as well. See reading_of().
    std::string reading;
    Statement statement;  // what executing it does to a session
};

using TextRef = wire::TextRef<PreparedText>;
using StatementCache = wire::TextCache<PreparedText>;  // of blocks of parameter types as well

// The part of a session's settings that changes what a text means to the server that parses it, in a form that is equal
// when and only when they are.
[[nodiscard]] std::string reading_of(const Settings& settings);
// ... of a text with user variables, whose types count when it is prepared: no other session's is equal.
[[nodiscard]] std::string reading_of(const Settings& settings, std::uint64_t session);
[[nodiscard]] Settings settings_of(std::string_view reading);
// The statements that take a session from one reading to another, its current database aside; none: none is needed. What
// only `from` has goes back to what a new session has. `ignore_space`: that is part of its sql_mode.
[[nodiscard]] std::vector<std::string> reading_change(const Settings& from, const Settings& to, bool ignore_space);

// What a session's number stands for.
struct ClientStatement {
    TextRef text;
    TextRef types;  // of its parameters, as the client sent them last
    std::uint16_t parameters = 0;
    std::uint16_t columns = 0;  // as the client was told last
    // Its long data or its cursor went with a backend, or never reached one: the next command that needs them hears it.
    std::optional<wire::Diagnostics> failed;
};

// One session's statements under numbers of leasehold's own, of which none comes twice while it is open.
class ClientStatements {
  public:
    static constexpr std::uint32_t last_prepared = 0xFFFF'FFFFu;  // MariaDB: the one prepared just before

    explicit ClientStatements(std::size_t limit) noexcept : limit_(limit) {}

    [[nodiscard]] bool empty() const noexcept { return open_.empty(); }
    [[nodiscard]] bool full() const noexcept { return open_.size() >= limit_; }
    [[nodiscard]] std::size_t size() const noexcept { return open_.size(); }
    // The number that the next one gets.
    [[nodiscard]] std::uint32_t next() const noexcept { return next_; }
    ClientStatement& open(TextRef text, std::uint16_t parameters, std::uint16_t columns = 0);
    void prepare_failed() noexcept { last_ = 0; }
    // `number` is replaced where it was last_prepared.
    [[nodiscard]] ClientStatement* find(std::uint32_t& number, bool mariadb) noexcept;
    void close(std::uint32_t number) noexcept { open_.erase(number); }
    void clear() noexcept;
    // Whoever has heard of a lost transaction need not hear of what was lost with it.
    void forgive() noexcept;

  private:
    std::size_t limit_;
    std::uint32_t next_ = 1, last_ = 0;
    std::unordered_map<std::uint32_t, ClientStatement> open_;
};

// A statement on a backend.
struct HeldStatement {
    std::uint64_t text = 0;
    std::uint32_t number = 0;  // the server's
    // The session's statement whose long data or open cursor it holds, or that alone has it: nobody else may use it, it is
    // not evicted, and the session keeps the backend.
    std::uint32_t owner = 0;
    std::string_view why;     // it has an owner
    bool cursor = false;      // open
    std::uint64_t types = 0;  // that it was executed with last; 0: not known
    std::uint16_t columns = 0;
    static constexpr std::string_view too_long = "prepared statement of more than 1 MiB";  // to be prepared again
};

// The statements that one backend holds, least recently used first.
class HeldStatements {
  public:
    void limit(std::size_t limit) noexcept { limit_ = limit == 0 ? 1 : limit; }

    // The owner's copy, else everybody's, used now. Stays where it is until it is dropped.
    [[nodiscard]] HeldStatement* find(std::uint64_t text, std::uint32_t owner) noexcept;
    HeldStatement& add(std::uint64_t text, std::uint32_t number);
    void own(HeldStatement& statement, std::uint32_t owner, std::string_view why) noexcept;
    void disown(HeldStatement& statement) noexcept;
    void disown_all() noexcept;
    // To be closed by the next command.
    void drop(HeldStatement& statement);
    void drop(std::uint32_t number) { closing_.push_back(number); }
    // Makes room for so many more; nothing that is owned goes.
    void evict(std::size_t room = 1);
    // Everybody's copies of the text; a newer one takes their place.
    void supersede(std::uint64_t text);
    // The server has closed them all.
    void clear() noexcept;

    // Why the session keeps the backend; empty: it need not.
    [[nodiscard]] std::string_view pin() const noexcept;
    template <class Visit>
    void each_owned(Visit&& visit) const {
        if (owned_ == 0) return;
        for (const HeldStatement& held : order_) {
            if (held.owner != 0) visit(held);
        }
    }
    [[nodiscard]] const std::vector<std::uint32_t>& closing() const noexcept { return closing_; }
    void closed() noexcept { closing_.clear(); }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    using Order = std::list<HeldStatement>;
    void remove(Order::iterator at);

    std::size_t limit_ = 200;
    std::size_t owned_ = 0;
    Order order_;
    std::unordered_multimap<std::uint64_t, Order::iterator> by_text_;
    std::vector<std::uint32_t> closing_;
};

}  // namespace leasehold::mysql
