// SPDX-License-Identifier: Apache-2.0
// Reading LISTEN and UNLISTEN, alone or among other statements of a text, and questions for what is listened to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres {

// A statement about listening, read to its last byte.
struct ListenOrder {
    enum class Kind : std::uint8_t {
        none,
        listen,
        unlisten,
        unlisten_all,
        channels,  // SELECT pg_listening_channels() or SELECT ... FROM it, with or without ORDER BY 1
    };
    Kind kind = Kind::none;
    bool sorted = false;    // of `channels`
    std::string_view of{};  // likewise: what is selected from them; empty: themselves
    std::string channel{};

    [[nodiscard]] explicit operator bool() const noexcept { return kind != Kind::none; }
    [[nodiscard]] std::string_view tag() const noexcept;  // of its CommandComplete
};
// None: something else, or a name that another connection could take for another (beyond ASCII, too long).
[[nodiscard]] ListenOrder read_listen(std::string_view sql);

// "LISTEN "news"", "UNLISTEN "news"".
[[nodiscard]] std::string about_channel(std::string_view verb, std::string_view channel);

// One of several statements: where its own text stands.
struct ListenPart {
    std::size_t begin = 0, end = 0;
    std::size_t statement = 0;  // empty ones are not counted
    ListenOrder order;
};
// All LISTEN and UNLISTEN of a text, and questions for what is listened to; none if one of the former cannot be read.
[[nodiscard]] std::vector<ListenPart> read_listens(std::string_view sql, bool standard_conforming_strings);

}  // namespace leasehold::postgres
