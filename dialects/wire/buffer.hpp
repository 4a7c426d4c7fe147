// SPDX-License-Identifier: Apache-2.0
// What is to be written to one side, in order (Outbox), and what was read from one side and not yet used (Inbox).
// No I/O here: the transport sends an Outbox and fills an Inbox.
#pragma once

#include "dialects/wire/writer.hpp"

namespace leasehold::wire {

// A list of segments: bytes passed on unread from the input of the same call (borrowed, valid until that input
// goes), and bytes of our own. Adjacent segments are merged, so that a plain relay is one segment and one send().
class Outbox {
  public:
    struct Segment {
        const std::uint8_t* borrowed = nullptr;  // null: own bytes, at `offset` of the arena
        std::size_t offset = 0;
        std::size_t size = 0;
    };

    void pass(Bytes input);
    // Own bytes are appended through the returned writer; call own() anew after each pass().
    Writer& own();

    [[nodiscard]] bool empty() noexcept;
    [[nodiscard]] std::size_t size() noexcept;
    [[nodiscard]] std::span<const Segment> segments() noexcept;
    [[nodiscard]] Bytes bytes(const Segment& segment) const noexcept;
    // All of it in one piece, copied; for tests and TLS.
    void flatten(std::vector<std::uint8_t>& into);
    void clear() noexcept;

  private:
    void close_own() noexcept;

    std::vector<Segment> segments_;
    Writer arena_;
    std::size_t own_from_ = 0;
};

// Bytes that were read and could not be used yet: the tail of a message. Empty (and without memory) nearly always.
class Inbox {
  public:
    [[nodiscard]] bool empty() const noexcept { return at_ == bytes_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - at_; }
    [[nodiscard]] Bytes bytes() const noexcept { return Bytes(bytes_).subspan(at_); }
    void append(Bytes more);
    void consume(std::size_t n) noexcept;
    // Makes room for n bytes at the end and returns it; `commit` what was filled.
    std::span<std::uint8_t> prepare(std::size_t n);
    void commit(std::size_t prepared, std::size_t filled) noexcept;
    void release() noexcept;

  private:
    std::vector<std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

}  // namespace leasehold::wire
