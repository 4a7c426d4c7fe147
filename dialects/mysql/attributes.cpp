// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/attributes.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using wire::Cursor;

constexpr std::size_t execute_head = 10;            // command, number, flags, iterations
constexpr std::uint8_t count_is_sent = 0x08;        // of the flags
constexpr std::size_t most_attributes = 64 * 1024;  // the protocol has 16 bits for parameters

// A value of the binary protocol.
void skip_value(Cursor& cursor, std::uint16_t type) noexcept {
    switch (type & 0xFF) {
        case 1: cursor.skip(1); return;   // TINY
        case 2:                           // SHORT
        case 13: cursor.skip(2); return;  // YEAR
        case 3:                           // LONG
        case 4:                           // FLOAT
        case 9: cursor.skip(4); return;   // INT24
        case 5:                           // DOUBLE
        case 8: cursor.skip(8); return;   // LONGLONG
        case 6: return;                   // NULL
        case 7:                           // times, each with a length
        case 10:
        case 11:
        case 12: cursor.skip(cursor.u8()); return;
        default: (void)cursor.lenenc_text(); return;
    }
}

[[nodiscard]] Stripped unfinished(bool malformed) noexcept {
    Stripped result;
    result.kind = malformed ? Stripped::Kind::malformed : Stripped::Kind::more;
    return result;
}

}  // namespace

Stripped strip_query(Bytes payload) {
    Cursor cursor(payload);
    cursor.skip(1);
    const std::uint64_t count = cursor.lenenc();
    const std::uint64_t sets = cursor.lenenc();
    if (!cursor.ok()) return unfinished(false);
    if (sets != 1 || count >= most_attributes) return unfinished(true);
    if (count > 0) {
        const Bytes nulls = cursor.take((static_cast<std::size_t>(count) + 7) / 8);
        const std::uint8_t bound = cursor.u8();
        if (cursor.ok() && bound != 1) return unfinished(true);
        std::vector<std::uint16_t> types;
        for (std::uint64_t i = 0; i < count && cursor.ok(); ++i) {
            types.push_back(cursor.u16le());
            (void)cursor.lenenc_text();
        }
        for (std::size_t i = 0; i < types.size() && cursor.ok(); ++i) {
            if ((nulls[i / 8] >> (i % 8) & 1) == 0) skip_value(cursor, types[i]);
        }
    }
    if (!cursor.ok()) return unfinished(false);
    return {Stripped::Kind::done, cursor.position(), {payload[0]}};
}

Stripped strip_execute(Bytes payload, std::size_t parameters) {
    Cursor cursor(payload);
    const Bytes head = cursor.take(execute_head);
    if (!cursor.ok()) return unfinished(false);
    const bool counted = (head[5] & count_is_sent) != 0;
    Stripped result;
    result.beginning.assign(head.begin(), head.end());
    result.beginning[5] = static_cast<std::uint8_t>(head[5] & ~count_is_sent);
    result.replaced = execute_head;
    if (parameters == 0 && !counted) return result;
    const std::uint64_t count = counted ? cursor.lenenc() : parameters;
    if (!cursor.ok()) return unfinished(false);
    if (count < parameters || count >= most_attributes + parameters) return unfinished(true);
    if (count > 0) {
        const Bytes nulls = cursor.take((static_cast<std::size_t>(count) + 7) / 8);
        const std::uint8_t bound = cursor.u8();
        if (!cursor.ok()) return unfinished(false);
        if (parameters > 0) {
            result.beginning.insert(result.beginning.end(), nulls.begin(),
                                    nulls.begin() + static_cast<std::ptrdiff_t>((parameters + 7) / 8));
            result.beginning.push_back(bound);
        }
        for (std::uint64_t i = 0; i < count && bound != 0; ++i) {
            const Bytes type = cursor.take(2);
            (void)cursor.lenenc_text();
            if (!cursor.ok()) return unfinished(false);
            if (i < parameters) result.beginning.insert(result.beginning.end(), type.begin(), type.end());
        }
    }
    result.replaced = cursor.position();
    return result;
}

}  // namespace leasehold::mysql
