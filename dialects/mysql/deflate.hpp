// SPDX-License-Identifier: Apache-2.0
// zlib and zstd behind one face: packing a piece of bytes, and unpacking a stream step by step into bounded room. The
// contexts are the thread's: one for packing, a few for unpacking that are lent to whoever is within a frame.
#pragma once

#include "dialects/wire/writer.hpp"

#include <memory>
#include <span>

namespace leasehold::mysql {

using wire::Bytes;

enum class Compression : std::uint8_t { none, zlib, zstd };

namespace cap {
constexpr std::uint32_t compress = 1u << 5;
constexpr std::uint32_t zstd = 1u << 26;  // with a level in the last byte of the client's response
}  // namespace cap
// Of the capabilities that both sides have. With both bits it is zlib, as servers and their clients have it.
[[nodiscard]] Compression compression_of(std::uint64_t capabilities) noexcept;
[[nodiscard]] std::uint32_t capability_of(Compression algorithm) noexcept;

// What a client may ask for, 1 to 22, costs its worker's other clients time: more than this is not done.
constexpr int highest_zstd_level = 9, default_zstd_level = 3;

// Appends it packed, if that is shorter than it is; else nothing, and false.
[[nodiscard]] bool pack(Compression algorithm, int level, Bytes plain, wire::Writer& out) noexcept;

class Unpacker {
  public:
    struct Step {
        std::size_t consumed = 0;
        std::size_t produced = 0;
        bool ended = false;  // the stream is whole
        bool broken = false;
    };
    [[nodiscard]] Step step(Bytes in, std::span<std::uint8_t> into) noexcept;

    struct Return {
        void operator()(Unpacker* unpacker) const noexcept;
    };
    using Lent = std::unique_ptr<Unpacker, Return>;
    // Null: no memory.
    [[nodiscard]] static Lent borrow(Compression algorithm) noexcept;
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

  private:
    struct Context;
    struct Spare;
    Unpacker(Compression algorithm, std::unique_ptr<Context> context) noexcept;
    ~Unpacker();
    [[nodiscard]] bool restart() noexcept;
    [[nodiscard]] std::size_t memory() const noexcept;

    Compression algorithm_;
    std::unique_ptr<Context> context_;
};

}  // namespace leasehold::mysql
