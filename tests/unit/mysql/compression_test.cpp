// SPDX-License-Identifier: Apache-2.0
// The compressed protocol by script: whole and in pieces, both algorithms, numbers as servers and clients have them, and
// frames that are not what they say.
#include "dialects/mysql/compression.hpp"
#include "dialects/wire/exchange.hpp"
#include "tests/unit/mysql/packets.hpp"

#include <gtest/gtest.h>

#include <zlib.h>
#include <zstd.h>

#include <random>

namespace leasehold::mysql {
namespace {

using namespace test;
using Role = Compressed::Role;

constexpr std::uint8_t u8(std::size_t v) noexcept { return static_cast<std::uint8_t>(v); }

Raw stored(const Raw& plain, std::uint8_t number) {
    return Raw{u8(plain.size()), u8(plain.size() >> 8), u8(plain.size() >> 16), number, 0, 0, 0} + plain;
}

Raw frame(const Raw& packed, std::size_t unpacked, std::uint8_t number) {
    return Raw{u8(packed.size()), u8(packed.size() >> 8), u8(packed.size() >> 16), number,
               u8(unpacked),      u8(unpacked >> 8),      u8(unpacked >> 16)} +
           packed;
}

Raw deflated(const Raw& plain) {
    uLongf size = compressBound(plain.size());
    Raw packed(size);
    EXPECT_EQ(compress(packed.data(), &size, plain.data(), plain.size()), Z_OK);
    packed.resize(size);
    return packed;
}

Raw zstd(const Raw& plain) {
    Raw packed(ZSTD_compressBound(plain.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 3));
    return packed;
}

Raw zlib_frame(const Raw& plain, std::uint8_t number) { return frame(deflated(plain), plain.size(), number); }

struct Read {
    Raw plain;
    bool failed = false;
};

// In pieces of `step` bytes, into room of `room` bytes.
Read read(Compressed& codec, const Raw& bytes, std::size_t step = SIZE_MAX, std::size_t room = 65536) {
    Read result;
    Raw into(room);
    std::size_t at = 0;
    while (at < bytes.size() || codec.more()) {
        const std::size_t n = std::min(step, bytes.size() - at);
        std::size_t used = 0;
        do {
            const wire::Codec::Decoded done = codec.decode(Bytes(bytes).subspan(at + used, n - used), into);
            used += done.consumed;
            result.plain.insert(result.plain.end(), into.begin(),
                                into.begin() + static_cast<std::ptrdiff_t>(done.produced));
            if (done.error) {
                result.failed = true;
                return result;
            }
        } while (used < n || codec.more());
        at += n;
    }
    return result;
}

Raw written(Compressed& codec, const Raw& plain) {
    wire::Writer out;
    std::size_t done = 0;
    while (done < plain.size()) done += codec.encode(Bytes(plain).subspan(done), out);
    return {out.bytes().begin(), out.bytes().end()};
}

// The numbers of the frames in `bytes`.
std::vector<int> numbers(const Raw& bytes) {
    std::vector<int> found;
    for (std::size_t at = 0; at + 7 <= bytes.size();) {
        found.push_back(bytes[at + 3]);
        at += 7u + bytes[at] + (bytes[at + 1] << 8u) + (bytes[at + 2] << 16u);
    }
    return found;
}

Raw noise(std::size_t size, unsigned seed = 1) {
    std::mt19937 random(seed);
    Raw made(size);
    for (std::uint8_t& byte : made) byte = u8(random());
    return made;
}

Raw with_number(Raw bytes, std::size_t at, std::uint8_t number) {
    bytes[at] = number;
    return bytes;
}

TEST(MysqlCompression, ShortFramesAreStoredAndLongOnesPacked) {
    Compressed codec(Role::server, Compression::zlib);
    EXPECT_EQ(read(codec, stored(query("SELECT 1"), 0)).plain, query("SELECT 1"));
    EXPECT_EQ(written(codec, ok(1)), stored(ok(1), 1));
    const Raw asked = query("SELECT '" + std::string(5000, 'x') + "'");
    EXPECT_EQ(read(codec, zlib_frame(asked, 0)).plain, asked);
    const Raw reply = rows(std::string(200, 'y'));
    const Raw bytes = written(codec, reply);
    EXPECT_LT(bytes.size(), reply.size());
    EXPECT_EQ(numbers(bytes), std::vector<int>{1});
    Compressed other(Role::client, Compression::zlib);
    (void)written(other, query("x"));
    EXPECT_EQ(read(other, bytes).plain, reply);
}

TEST(MysqlCompression, WhatCannotBeMadeShorterIsStored) {
    Compressed codec(Role::client, Compression::zstd);
    const Raw asked = packet(Raw{3} + noise(3000), 0);
    EXPECT_EQ(written(codec, asked), stored(asked, 0));
}

TEST(MysqlCompression, PiecesGiveTheSameAsTheWhole) {
    const Raw asked = query("SELECT '" + std::string(3000, 'x') + "' FROM t");
    for (const Compression algorithm : {Compression::zlib, Compression::zstd}) {
        const Raw packed = algorithm == Compression::zlib ? deflated(asked) : zstd(asked);
        const Raw bytes = frame(packed, asked.size(), 0) + stored(query("SELECT 2"), 0);
        for (const std::size_t step : {1u, 2u, 7u, 8u, 50u}) {
            for (const std::size_t room : {1u, 3u, 100u, 4096u}) {
                Compressed codec(Role::server, algorithm);
                const Read got = read(codec, bytes, step, room);
                EXPECT_FALSE(got.failed);
                EXPECT_EQ(got.plain, asked + query("SELECT 2")) << step << " " << room;
                EXPECT_TRUE(codec.between());
            }
        }
    }
}

TEST(MysqlCompression, BothEndsUnderstandEachOther) {
    for (const Compression algorithm : {Compression::zlib, Compression::zstd}) {
        Compressed client(Role::client, algorithm, 5);
        Compressed server(Role::server, algorithm, 22);
        for (const std::size_t size : {0u, 1u, 40u, 60u, 5000u, 200'000u, 0xFFFFFEu}) {
            Raw asked = packet(Raw{3} + Raw(size, 'q'), 0);
            if (size == 200'000) {
                const Raw random = noise(size);
                std::ranges::copy(random, asked.begin() + 5);
            }
            if (size == 0xFFFFFE) asked = asked + packet({}, 1);
            EXPECT_EQ(read(server, written(client, asked)).plain, asked);
            const std::uint8_t first = size == 0xFFFFFE ? 2 : 1;
            Raw reply = packet(Raw(size + 1, 'r'), first);
            if (size == 0xFFFFFE) reply = reply + packet({}, u8(first + 1u));
            EXPECT_EQ(read(client, written(server, reply)).plain, reply) << size;
        }
    }
}

// --- numbers ---------------------------------------------------------------------------------------------------

TEST(MysqlCompression, AReplyBeginsWithTheNumberOfTheCommandsFrames) {
    Compressed codec(Role::server, Compression::zlib);
    const Raw asked = query(std::string(90, 'x'));
    const auto part = [&](std::size_t from, std::size_t n) {
        return Raw(asked.begin() + static_cast<std::ptrdiff_t>(from),
                   asked.begin() + static_cast<std::ptrdiff_t>(from + n));
    };
    EXPECT_EQ(read(codec, stored(part(0, 30), 0) + stored(part(30, 30), 1) + stored(part(60, 35), 2)).plain, asked);
    EXPECT_EQ(numbers(written(codec, ok(1))), std::vector<int>{3});
    EXPECT_EQ(read(codec, stored(query("SELECT 1"), 0)).plain, query("SELECT 1"));
    EXPECT_EQ(numbers(written(codec, packet({1}, 1) + column(2))), std::vector<int>{1});
    EXPECT_EQ(numbers(written(codec, eof(3))), std::vector<int>{2});
}

TEST(MysqlCompression, PacketsAreNumberedAsIfThereWereNoFrames) {
    // A file behind a long command: client libraries number its packets by the frames, servers without compression by
    // the packets.
    Compressed codec(Role::server, Compression::zlib);
    const Raw asked = query(std::string(90, 'x'));
    const Raw head(asked.begin(), asked.begin() + 50);
    const Raw tail(asked.begin() + 50, asked.end());
    EXPECT_EQ(read(codec, stored(head, 0) + stored(tail, 1)).plain, asked);
    const Raw wants_file = packet(raw("\xFB"
                                      "file"),
                                  1);
    EXPECT_EQ(numbers(written(codec, wants_file)), std::vector<int>{2});
    EXPECT_EQ(read(codec, stored(packet(raw("line"), 3), 3) + stored(packet({}, 4), 4)).plain,
              packet(raw("line"), 2) + packet({}, 3));
    EXPECT_EQ(numbers(written(codec, ok(4))), std::vector<int>{5});
}

TEST(MysqlCompression, AClientMayCountItsPacketsOn) {
    // MariaDB's Connector/J: each command's frames begin with 0, its packets go on from the last command's.
    Compressed codec(Role::server, Compression::zlib);
    for (std::uint8_t number = 0; number < 5; ++number) {
        const Raw asked = query("SELECT 1");
        EXPECT_EQ(read(codec, stored(with_number(asked, 3, number), 0)).plain, asked);
        EXPECT_EQ(numbers(written(codec, ok(1))), std::vector<int>{1});
    }
    // A message of two packets, in two frames: the second packet goes on in its message.
    const Raw asked = packet(Raw{3} + Raw(0xFFFFFE, 'q'), 0) + packet({}, 1);
    const Raw counted = with_number(with_number(asked, 3, 7), asked.size() - 1, 8);
    const std::ptrdiff_t half = 8 << 20;
    EXPECT_EQ(read(codec, zlib_frame(Raw(counted.begin(), counted.begin() + half), 0) +
                              zlib_frame(Raw(counted.begin() + half, counted.end()), 1))
                  .plain,
              asked);
    EXPECT_EQ(numbers(written(codec, ok(2))), std::vector<int>{2});
}

TEST(MysqlCompression, AServersPacketsAreNumberedAnew) {
    Compressed codec(Role::client, Compression::zlib);
    const Raw asked = packet(Raw{3} + noise(70'000), 0);  // two frames
    EXPECT_EQ(numbers(written(codec, asked)), (std::vector<int>{0, 1}));
    // The server goes on from its frames' numbers, and again behind each flush.
    const Raw bytes = stored(ok(2, autocommit | more_results), 2) + stored(ok(3), 3);
    EXPECT_EQ(read(codec, bytes).plain, ok(1, autocommit | more_results) + ok(2));
    EXPECT_EQ(numbers(written(codec, query("SELECT 1"))), std::vector<int>{0});
    EXPECT_EQ(read(codec, stored(ok(1), 1)).plain, ok(1));
}

TEST(MysqlCompression, CommandsSentAheadHaveFramesAndRepliesOfTheirOwn) {
    Compressed codec(Role::client, Compression::zlib);
    EXPECT_EQ(numbers(written(codec, query("SET a=1") + query("SELECT 1"))), (std::vector<int>{0, 0}));
    EXPECT_EQ(read(codec, stored(ok(1), 1) + stored(ok(1), 1)).plain, ok(1) + ok(1));
    // One of two frames gets a third: its reply would begin where the first one's could go on.
    const Raw asked = packet(Raw{3} + noise(70'000), 0);
    EXPECT_EQ(numbers(written(codec, query("SET a=1") + asked)), (std::vector<int>{0, 0, 1, 2}));
    EXPECT_EQ(read(codec, stored(ok(1), 1) + stored(ok(3), 3)).plain, ok(1) + ok(1));
}

TEST(MysqlCompression, AClientThatSendsAheadIsAnsweredAsByAServer) {
    Compressed codec(Role::server, Compression::zlib);
    const Raw close = command(0x19, std::string(4, '\1'));
    EXPECT_EQ(read(codec, stored(close, 0) + stored(query("SELECT 1"), 0) + stored(query("SELECT 2"), 0)).plain,
              close + query("SELECT 1") + query("SELECT 2"));
    EXPECT_EQ(numbers(written(codec, packet({1}, 1))), std::vector<int>{1});
    EXPECT_EQ(numbers(written(codec, eof(2))), std::vector<int>{2});
    EXPECT_EQ(numbers(written(codec, ok(1))), std::vector<int>{1});
}

TEST(MysqlCompression, ALongFileGoesOnBehindFrame255) {
    Compressed codec(Role::server, Compression::zlib);
    EXPECT_EQ(read(codec, stored(query("LOAD"), 0)).plain, query("LOAD"));
    (void)written(codec, packet(raw("\xFBx"), 1));
    std::uint8_t number = 2;
    for (int i = 0; i < 1000; ++i, ++number) {
        const Read got = read(codec, stored(packet(raw("line"), number), number));
        ASSERT_FALSE(got.failed) << i;
        ASSERT_EQ(got.plain, packet(raw("line"), number));
    }
    EXPECT_EQ(read(codec, stored(packet({}, number), number)).plain, packet({}, number));
    ++number;
    EXPECT_EQ(numbers(written(codec, ok(number))), std::vector<int>{number});
    EXPECT_EQ(read(codec, stored(query("SELECT 1"), 0)).plain, query("SELECT 1"));
    EXPECT_EQ(numbers(written(codec, ok(1))), std::vector<int>{1});
}

TEST(MysqlCompression, ALongFileToAServerGoesOnBehindFrame255) {
    Compressed codec(Role::client, Compression::zlib);
    (void)written(codec, query("LOAD"));
    EXPECT_FALSE(read(codec, stored(packet(raw("\xFBx"), 1), 1)).failed);
    std::uint8_t number = 2;
    for (int i = 0; i < 1000; ++i, ++number) {
        ASSERT_EQ(numbers(written(codec, packet(raw("line"), number))), std::vector<int>{number}) << i;
    }
    EXPECT_EQ(numbers(written(codec, packet({}, number))), std::vector<int>{number});
    ++number;
    EXPECT_EQ(read(codec, stored(ok(77), number)).plain, ok(number));
}

TEST(MysqlCompression, AFarewellThatNobodyAskedForIsReadAsOne) {
    Compressed codec(Role::client, Compression::zlib);
    EXPECT_EQ(read(codec, stored(err(0, 4031), 0)).plain, err(0, 4031));
}

// --- hostile ---------------------------------------------------------------------------------------------------

TEST(MysqlCompression, FramesThatAreNotWhatTheySayEndTheStream) {
    const Raw asked = query(std::string(300, 'x'));
    const Raw packed = deflated(asked);
    Raw broken = packed;
    broken[4] = u8(broken[4] ^ 0x55u);
    Raw checksum = packed;
    checksum.back() = u8(checksum.back() ^ 1u);
    const std::vector<std::pair<const char*, Raw>> cases{
        {"an empty frame", Raw{0, 0, 0, 0, 0, 0, 0}},
        {"an empty packed frame", Raw{0, 0, 0, 0, 9, 0, 0}},
        {"more than announced", frame(packed, asked.size() - 1, 0)},
        {"much more than announced", frame(deflated(Raw(1'000'000, 0)), 50, 0)},
        {"less than announced", frame(packed, asked.size() + 1, 0)},
        {"cut short", frame(Raw(packed.begin(), packed.end() - 1), asked.size(), 0)},
        {"something behind it", frame(packed + Raw{0}, asked.size(), 0)},
        {"noise", frame(noise(200), 300, 0)},
        {"a flipped bit", frame(broken, asked.size(), 0)},
        {"a wrong checksum", frame(checksum, asked.size(), 0)},
        {"the other algorithm", frame(zstd(asked), asked.size(), 0)},
        {"a wrong number", stored(asked, 1)},
        {"a wrong second number", stored(Raw(asked.begin(), asked.begin() + 9), 0) + stored(asked, 3)},
    };
    for (const auto& [name, bytes] : cases) {
        for (const std::size_t step : {SIZE_MAX, std::size_t{1}}) {
            Compressed codec(Role::server, Compression::zlib);
            EXPECT_TRUE(read(codec, bytes + Raw(16, 0), step).failed) << name;
            EXPECT_TRUE(codec.decode(Bytes(bytes), {}).error) << name;  // it stays so
        }
    }
}

TEST(MysqlCompression, ABombYieldsNoMoreThanItSays) {
    for (const Compression algorithm : {Compression::zlib, Compression::zstd}) {
        const Raw zeros(0xFFFFFF, 0);
        const Raw packed = algorithm == Compression::zlib ? deflated(zeros) : zstd(zeros);
        Compressed codec(Role::server, algorithm);
        Raw into(1024);
        const wire::Codec::Decoded done = codec.decode(Bytes(frame(packed, 100, 0)), into);
        EXPECT_TRUE(done.error);
        EXPECT_LE(done.produced, 100u);
    }
}

TEST(MysqlCompression, NoiseNeverDoesWorseThanEndTheStream) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        for (const Role role : {Role::server, Role::client}) {
            Compressed codec(role, seed % 2 == 0 ? Compression::zlib : Compression::zstd);
            Raw bytes = noise(200, seed);
            bytes = with_number(std::move(bytes), 3, 0);
            bytes[1] = bytes[2] = 0;
            (void)read(codec, bytes, 1 + seed % 9, 64);
            (void)written(codec, noise(300, seed + 1));
        }
    }
}

}  // namespace
}  // namespace leasehold::mysql
