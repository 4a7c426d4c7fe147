// SPDX-License-Identifier: Apache-2.0
// Where a packet of the MySQL protocol ends, and how long it may be: "MySQL Packets" of the client/server protocol.
// Three bytes of length, one of sequence, the payload; a payload of 2^24-1 bytes goes on in the next packet.
#pragma once

#include "dialects/wire/writer.hpp"

namespace leasehold::mysql {

using wire::Bytes;

constexpr std::size_t header_size = 4;
constexpr std::uint32_t max_payload = 0xFFFFFF;

struct Header {
    std::uint32_t length = 0;
    std::uint8_t sequence = 0;
    // The message goes on in the next packet.
    [[nodiscard]] bool continues() const noexcept { return length == max_payload; }
};
// `in` has header_size bytes at least.
[[nodiscard]] Header header_of(Bytes in) noexcept;

// A whole packet, for exchanges: what is longer than `limit` is not waited for.
struct Packet {
    enum class Kind : std::uint8_t { incomplete, whole, too_long };
    Kind kind = Kind::incomplete;
    std::uint8_t sequence = 0;
    Bytes payload{};
    [[nodiscard]] std::size_t size() const noexcept { return header_size + payload.size(); }
};
[[nodiscard]] Packet first_packet(Bytes in, std::size_t limit) noexcept;

// Begins a packet; end_packet() with the returned mark writes its length. Payloads of our own stay below 2^24-1.
[[nodiscard]] std::size_t begin_packet(wire::Writer& out, std::uint8_t sequence);
void end_packet(wire::Writer& out, std::size_t mark) noexcept;

}  // namespace leasehold::mysql
