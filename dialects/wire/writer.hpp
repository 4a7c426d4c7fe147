// SPDX-License-Identifier: Apache-2.0
// Building messages: appends fields to bytes that it owns. The twin of Cursor.
#pragma once

#include "dialects/wire/cursor.hpp"

#include <vector>

namespace leasehold::wire {

class Writer {
  public:
    [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    // Keeps its memory.
    void clear() noexcept { bytes_.clear(); }
    // Gives the memory back when it has grown beyond `keep` bytes.
    void shrink(std::size_t keep);

    void u8(std::uint8_t v) { bytes_.push_back(v); }
    void u16be(std::uint16_t v);
    void u32be(std::uint32_t v);
    void u16le(std::uint16_t v);
    void u24le(std::uint32_t v);
    void u32le(std::uint32_t v);
    void u64le(std::uint64_t v);
    void lenenc(std::uint64_t v);
    void lenenc_text(std::string_view v);
    void cstring(std::string_view v);
    void text(std::string_view v) { append(as_bytes(v)); }
    void append(Bytes v) { bytes_.insert(bytes_.end(), v.begin(), v.end()); }
    void zeros(std::size_t n) { bytes_.resize(bytes_.size() + n); }

    // Overwrites fields written before, for lengths known only at a message's end.
    void patch_u32be(std::size_t at, std::uint32_t v) noexcept;
    void patch_u24le(std::size_t at, std::uint32_t v) noexcept;

  private:
    std::vector<std::uint8_t> bytes_;
};

}  // namespace leasehold::wire
