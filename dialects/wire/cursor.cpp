// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/cursor.hpp"

#include <cstring>

namespace leasehold::wire {

template <class T>
T Cursor::little_endian(std::size_t n) noexcept {
    const Bytes raw = take(n);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) value |= static_cast<std::uint64_t>(raw[i]) << (8 * i);
    return static_cast<T>(value);
}

std::uint16_t Cursor::u16le() noexcept { return little_endian<std::uint16_t>(2); }
std::uint32_t Cursor::u24le() noexcept { return little_endian<std::uint32_t>(3); }
std::uint32_t Cursor::u32le() noexcept { return little_endian<std::uint32_t>(4); }
std::uint64_t Cursor::u64le() noexcept { return little_endian<std::uint64_t>(8); }

std::uint64_t Cursor::lenenc() noexcept {
    const std::uint8_t first = u8();
    if (!ok_) return 0;
    if (first < 0xFB) return first;
    if (first == 0xFC) return u16le();
    if (first == 0xFD) return u24le();
    if (first == 0xFE) return u64le();
    ok_ = false;
    return 0;
}

std::string_view Cursor::lenenc_text() noexcept {
    const std::uint64_t length = lenenc();
    if (length > remaining()) {
        ok_ = false;
        return {};
    }
    return as_text(take(static_cast<std::size_t>(length)));
}

std::string_view Cursor::cstring() noexcept {
    if (!ok_) return {};
    const auto* start = bytes_.data() + at_;
    const void* end = remaining() == 0 ? nullptr : std::memchr(start, 0, remaining());
    if (end == nullptr) {
        ok_ = false;
        at_ = bytes_.size();
        return {};
    }
    const auto length = static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - start);
    at_ += length + 1;
    return {reinterpret_cast<const char*>(start), length};
}

}  // namespace leasehold::wire
