// SPDX-License-Identifier: Apache-2.0
// The compressed protocol: frames of a peer, and packets that go to another and come back.
#include "dialects/mysql/compression.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

using mysql::Compressed;
using mysql::Compression;

struct Read {
    std::string plain;
    bool failed = false;
};

Read read(Compressed& codec, Bytes in, std::uint8_t cut, std::size_t most) {
    Read result;
    Pieces pieces(cut);
    while ((!in.empty() || codec.more()) && !result.failed && result.plain.size() < most) {
        const Bytes part = in.first(in.empty() ? 0 : pieces.next(in.size()));
        Raw into(pieces.next(4096));
        const wire::Codec::Decoded done = codec.decode(part, into);
        require(done.consumed <= part.size() && done.produced <= into.size(), "the room is kept to");
        result.plain += wire::as_text(Bytes(into).first(done.produced));
        result.failed = static_cast<bool>(done.error);
        in = in.subspan(done.consumed);
    }
    return result;
}

void write(Compressed& codec, Bytes plain, wire::Writer& out) {
    while (!plain.empty()) {
        const std::size_t taken = codec.encode(plain, out);
        require(taken > 0 && taken <= plain.size(), "something of it is taken");
        plain = plain.subspan(taken);
    }
}

void run(Bytes data) {
    Input input(data);
    const std::uint8_t options = input.u8();
    const std::uint8_t cut = input.u8();
    const auto role = (options & 1) != 0 ? Compressed::Role::server : Compressed::Role::client;
    const auto algorithm = (options & 2) != 0 ? Compression::zlib : Compression::zstd;
    if ((options & 4) == 0) {
        constexpr std::size_t most = 1 << 20;
        Compressed whole(role, algorithm);
        Compressed pieces(role, algorithm);
        const Read one = read(whole, input.rest(), Pieces::whole, most);
        const Read other = read(pieces, Input(data.subspan(std::min<std::size_t>(2, data.size()))).rest(), cut, most);
        if (one.plain.size() >= most || other.plain.size() >= most) return;
        // Where a frame proves broken depends on how much of it was unpacked at once.
        require(one.failed == other.failed, "in pieces as whole");
        if (!one.failed) require_same(one.plain, other.plain, "what was unpacked");
        return;
    }
    // Turn about: packets of one side, framed by the one and read by the other, in both directions.
    Compressed client(Compressed::Role::client, algorithm);
    Compressed server(Compressed::Role::server, algorithm);
    for (bool asks = true; !input.empty(); asks = !asks) {
        const std::uint8_t size = input.u8();
        Raw packet{size, 0, 0, asks ? std::uint8_t{0} : std::uint8_t{1}};
        const Bytes body = input.take(size);
        packet.insert(packet.end(), body.begin(), body.end());
        packet.resize(4u + size);
        wire::Writer frames;
        write(asks ? client : server, packet, frames);
        const Read got = read(asks ? server : client, frames.bytes(), cut, SIZE_MAX);
        require(!got.failed, "what was framed can be read");
        require(got.plain.size() == packet.size(), "all of it comes");
        packet[3] = static_cast<std::uint8_t>(got.plain[3]);
        require_same(std::string(wire::as_text(packet)), got.plain, "what was framed is read back");
        const bool unanswered = size > 0 && (packet[4] == 0x01 || packet[4] == 0x18 || packet[4] == 0x19);
        if (asks && unanswered) asks = false;
    }
}

const Registered registered("mysql_compression", run);

}  // namespace
}  // namespace leasehold::fuzz
