// SPDX-License-Identifier: Apache-2.0
// Messages that grow or shrink on their way, around the greatest length of a packet.
#include "dialects/mysql/reframe.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace leasehold::mysql {
namespace {

using Raw = std::vector<std::uint8_t>;

Raw body(std::size_t size) {
    Raw made(size);
    for (std::size_t n = 0; n < size; ++n) made[n] = static_cast<std::uint8_t>(n * 31 + n / 251);
    return made;
}

// A message as packets; they are numbered from 0, and the last one is shorter than the greatest length.
Raw framed(const Raw& payload) {
    Raw made;
    std::uint8_t sequence = 0;
    for (std::size_t at = 0;; ++sequence) {
        const std::size_t n = std::min<std::size_t>(payload.size() - at, max_payload);
        for (const std::size_t byte : {n, n >> 8, n >> 16}) made.push_back(static_cast<std::uint8_t>(byte));
        made.push_back(sequence);
        made.insert(made.end(), payload.begin() + static_cast<std::ptrdiff_t>(at),
                    payload.begin() + static_cast<std::ptrdiff_t>(at + n));
        at += n;
        if (n < max_payload) return made;
    }
}

// What comes out for a message whose first `replaced` bytes are replaced by `beginning`.
Raw grown(const Raw& message, const Raw& beginning, std::size_t replaced, std::size_t piece, int& longer,
          std::size_t removed = 0) {
    Reframe reframe;
    wire::Outbox out;
    const Bytes in(message);
    bool first = true;
    for (std::size_t at = 0; at < in.size();) {
        const Header header = header_of(in.subspan(at));
        at += header_size;
        Bytes payload = in.subspan(at, header.length);
        at += header.length;
        if (first) {
            reframe.begin(header, beginning, replaced, out, removed);
            payload = payload.subspan(replaced + removed);
        } else {
            reframe.packet(header, out);
        }
        first = false;
        while (!payload.empty()) {
            const std::size_t n = std::min(piece, payload.size());
            reframe.feed(payload.first(n), out);
            payload = payload.subspan(n);
        }
    }
    longer = reframe.longer();
    Raw made;
    out.flatten(made);
    return made;
}

TEST(MysqlReframe, WhatComesOutIsTheLongerMessageInItsOwnPackets) {
    const Raw beginning{9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    constexpr std::size_t replaced = 4, more = 6, most = max_payload;
    for (const std::size_t size : {most - more - 1, most - more, most - more + 1, most - 1, most, most + 1,
                                   2 * most - more, 2 * most - 1, 2 * most, 2 * most + 77}) {
        const Raw payload = body(size);
        Raw expected = beginning;
        expected.insert(expected.end(), payload.begin() + replaced, payload.end());
        const auto packets = [](std::size_t length) { return static_cast<int>(length / max_payload); };
        for (const std::size_t piece : {std::size_t{65536}, std::size_t{max_payload}}) {
            int longer = 0;
            EXPECT_TRUE(grown(framed(payload), beginning, replaced, piece, longer) == framed(expected)) << size;
            EXPECT_EQ(longer, packets(size + more) - packets(size)) << size;
        }
    }
}

// The server gets as many packets, all but the last of the greatest length; what fills them up are zeros at the end.
TEST(MysqlReframe, WhatComesOutIsTheShorterMessageInItsOwnPackets) {
    constexpr std::size_t most = max_payload;
    const Raw beginning{9, 8, 7};
    for (const auto& [replaced, removed] : {std::pair<std::size_t, std::size_t>{8, 0}, {0, 1000}}) {
        const std::size_t less = replaced + removed - beginning.size();
        for (const std::size_t size :
             {most, most + less - 1, most + less, most + less + 1, 2 * most - 1, 2 * most, 2 * most + less + 7}) {
            const Raw payload = body(size);
            Raw expected = beginning;
            expected.insert(expected.end(), payload.begin() + static_cast<std::ptrdiff_t>(replaced + removed),
                            payload.end());
            expected.resize(std::max(expected.size(), size / most * most), 0);
            int longer = 1;
            const std::size_t piece = size % 2 == 0 ? 65536 : max_payload;
            EXPECT_TRUE(grown(framed(payload), beginning, replaced, piece, longer, removed) == framed(expected))
                << size << " less " << less;
            EXPECT_EQ(longer, 0) << "replies are numbered as ever";
        }
    }
}

}  // namespace
}  // namespace leasehold::mysql
