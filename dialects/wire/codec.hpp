// SPDX-License-Identifier: Apache-2.0
// A layer of framing below a protocol's messages, on one connection: what the peer sends is taken out of it, what is sent
// to the peer is put into it. The transport keeps it between TLS and its own surface (coded.hpp): nothing above knows.
// Pure: no sockets, no clock; one thread at a time, and any thread.
#pragma once

#include "dialects/wire/writer.hpp"

#include <span>
#include <system_error>

namespace leasehold::wire {

class Codec {
  public:
    Codec() = default;
    Codec(const Codec&) = delete;
    Codec& operator=(const Codec&) = delete;
    virtual ~Codec() = default;

    struct Decoded {
        std::size_t consumed = 0;  // of `in`
        std::size_t produced = 0;  // into `into`
        std::error_code error{};   // stays: nothing can be decoded behind it
    };
    // Stops when either is used up. What is produced is bounded by `into`, whatever the peer says of its length.
    [[nodiscard]] virtual Decoded decode(Bytes in, std::span<std::uint8_t> into) noexcept = 0;
    // decode() may have something without further input: the last time there was no room for it.
    [[nodiscard]] virtual bool more() const noexcept = 0;
    // Not within a frame of the peer's, and so without any memory to decode one.
    [[nodiscard]] virtual bool between() const noexcept = 0;

    // Appends frames for a prefix of `plain`, at least one byte of it; the rest wants more to be seen with it, or has
    // been too much for one call.
    [[nodiscard]] virtual std::size_t encode(Bytes plain, Writer& out) noexcept = 0;
};

}  // namespace leasehold::wire
