// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/framing.hpp"

namespace leasehold::mysql {

Header header_of(Bytes in) noexcept {
    wire::Cursor cursor(in);
    Header header;
    header.length = cursor.u24le();
    header.sequence = cursor.u8();
    return header;
}

Packet first_packet(Bytes in, std::size_t limit) noexcept {
    Packet packet;
    if (in.size() < header_size) return packet;
    const Header header = header_of(in);
    packet.sequence = header.sequence;
    if (header.length > limit || header.continues()) {
        packet.kind = Packet::Kind::too_long;
    } else if (in.size() - header_size >= header.length) {
        packet.kind = Packet::Kind::whole;
        packet.payload = in.subspan(header_size, header.length);
    }
    return packet;
}

std::size_t begin_packet(wire::Writer& out, std::uint8_t sequence) {
    const std::size_t mark = out.size();
    out.u24le(0);
    out.u8(sequence);
    return mark;
}

void end_packet(wire::Writer& out, std::size_t mark) noexcept {
    out.patch_u24le(mark, static_cast<std::uint32_t>(out.size() - mark - header_size));
}

}  // namespace leasehold::mysql
