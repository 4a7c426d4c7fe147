// SPDX-License-Identifier: Apache-2.0
// The requests whose replies have not all arrived, oldest first, and what must be undone when the server skips them.
// Knows nothing of bytes.
#pragma once

#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/prepared.hpp"

namespace leasehold::postgres {

struct Request {
    enum class Reply : std::uint8_t {
        pass,        // the client gets what the server says
        swallow,     // ours; only its failure concerns the client
        synthesise,  // never sent to the server: answered when its turn comes
        poison,      // ours, made to fail: its error is replaced
    };
    // Bits.
    static constexpr std::uint16_t may_commit = 1 << 0;
    static constexpr std::uint16_t rolls_back = 1 << 1;  // ROLLBACK alone
    static constexpr std::uint16_t commits = 1 << 2;     // COMMIT alone
    static constexpr std::uint16_t single = 1 << 3;      // one statement
    static constexpr std::uint16_t drops = 1 << 4;       // DISCARD ALL, DEALLOCATE ALL
    static constexpr std::uint16_t discards = 1 << 5;    // DISCARD ALL
    static constexpr std::uint16_t sets_unnamed = 1 << 6;
    static constexpr std::uint16_t drops_unnamed = 1 << 7;
    static constexpr std::uint16_t failed = 1 << 8;         // the client has its ErrorResponse
    static constexpr std::uint16_t done = 1 << 9;           // the client has its CommandComplete
    static constexpr std::uint16_t executes = 1 << 10;      // Execute of anything
    static constexpr std::uint16_t partial = 1 << 11;       // not wholly sent yet
    static constexpr std::uint16_t of_statement = 1 << 12;  // Describe of a statement, not of a portal

    static constexpr std::uint16_t begins = 1 << 13;    // BEGIN among them
    static constexpr std::uint16_t listens = 1 << 14;   // LISTEN or UNLISTEN, of which the server sees a mark
    static constexpr std::uint16_t retagged = 1 << 15;  // the Execute of a DEALLOCATE that is carried out here

    std::uint8_t type = 0;  // of the client's message; 0: the server ignores it, nothing comes
    Reply reply = Reply::pass;
    std::uint16_t bits = 0;
    std::uint32_t text = 0;    // its number in the transcript
    std::uint64_t number = 0;  // Sync, Query, FunctionCall: the scope that ends; Parse: the unnamed statement's serial
    Namespace::Named* named = nullptr;  // sent under the backend's name for this one

    [[nodiscard]] bool has(std::uint16_t bit) const noexcept { return (bits & bit) != 0; }
    // ReadyForQuery ends its reply.
    [[nodiscard]] bool readies() const noexcept { return type == 'S' || type == 'Q' || type == 'F'; }
};

struct Effect {
    enum class Kind : std::uint8_t {
        session_add,     // a name was registered
        session_remove,  // a name was given up
        backend_add,     // the backend will hold `id`
        backend_remove,  // the backend will close `id`
        rename,          // no undoing: the error names `from`, which the client knows as `text`
        replace,         // no undoing: the error becomes `fault` with `text`
    };
    std::uint64_t request = 0;
    Kind kind = Kind::rename;
    std::uint64_t id = 0;
    Namespace::Named* named = nullptr;
    Fault fault = Fault::internal;
    std::string text{};
};

class Outstanding {
  public:
    // More than a client has any use for; a limit against endless pipelines that nobody reads.
    static constexpr std::size_t limit = 1u << 20;

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool full() const noexcept { return count_ >= limit; }
    [[nodiscard]] Request& operator[](std::size_t i) noexcept { return ring_[(head_ + i) & (ring_.size() - 1)]; }
    [[nodiscard]] const Request& operator[](std::size_t i) const noexcept {
        return ring_[(head_ + i) & (ring_.size() - 1)];
    }
    [[nodiscard]] Request& front() noexcept { return ring_[head_]; }
    [[nodiscard]] Request& back() noexcept { return (*this)[count_ - 1]; }

    Request& push(const Request& request) {
        if (count_ == ring_.size()) grow();
        ++count_;
        return back() = request;
    }
    // The number of the one in front, or of the next one.
    [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
    // How many there ever were.
    [[nodiscard]] std::uint64_t pushed() const noexcept { return first_ + count_ - 1; }
    // Of the request pushed last.
    void add(Effect effect);
    // The request in front has succeeded.
    void pop() noexcept {
        head_ = (head_ + 1) & (ring_.size() - 1);
        --count_;
        ++first_;
        if (effects_head_ < effects_.size()) settle();
    }
    // The effect of the request in front that decides about its error, or null.
    [[nodiscard]] const Effect* of_front() const noexcept;
    // Takes away the effects of the n requests in front, newest first: undo(effect) for each.
    template <class Undo>
    void undo(std::size_t n, Undo&& undo) {
        undo_range(0, n, undo);
    }
    // Of the i-th alone.
    template <class Undo>
    void undo_one(std::size_t i, Undo&& undo) {
        undo_range(i, i + 1, undo);
    }
    void clear() noexcept;

  private:
    template <class Undo>
    void undo_range(std::size_t from, std::size_t to, Undo& undo) {
        std::size_t low = effects_head_;
        while (low < effects_.size() && effects_[low].request < first_ + from) ++low;
        std::size_t high = low;
        while (high < effects_.size() && effects_[high].request < first_ + to) ++high;
        for (std::size_t i = high; i-- > low;) undo(effects_[i]);
        effects_.erase(effects_.begin() + static_cast<std::ptrdiff_t>(low),
                       effects_.begin() + static_cast<std::ptrdiff_t>(high));
    }
    void grow();
    void settle() noexcept;

    std::vector<Request> ring_;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
    std::uint64_t first_ = 1;       // number of the request in front, ever rising
    std::vector<Effect> effects_;   // by request
    std::size_t effects_head_ = 0;  // those before it are settled
};

}  // namespace leasehold::postgres
