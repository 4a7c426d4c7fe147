// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/writer.hpp"

namespace leasehold::wire {

void Writer::shrink(std::size_t keep) {
    bytes_.clear();
    if (bytes_.capacity() > keep) std::vector<std::uint8_t>().swap(bytes_);
}

void Writer::u16be(std::uint16_t v) {
    u8(static_cast<std::uint8_t>(v >> 8));
    u8(static_cast<std::uint8_t>(v));
}

void Writer::u32be(std::uint32_t v) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + 4);
    patch_u32be(at, v);
}

void Writer::u16le(std::uint16_t v) {
    u8(static_cast<std::uint8_t>(v));
    u8(static_cast<std::uint8_t>(v >> 8));
}

void Writer::u24le(std::uint32_t v) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + 3);
    patch_u24le(at, v);
}

void Writer::u32le(std::uint32_t v) {
    u16le(static_cast<std::uint16_t>(v));
    u16le(static_cast<std::uint16_t>(v >> 16));
}

void Writer::u64le(std::uint64_t v) {
    u32le(static_cast<std::uint32_t>(v));
    u32le(static_cast<std::uint32_t>(v >> 32));
}

void Writer::lenenc(std::uint64_t v) {
    if (v < 0xFB) {
        u8(static_cast<std::uint8_t>(v));
    } else if (v <= 0xFFFF) {
        u8(0xFC);
        u16le(static_cast<std::uint16_t>(v));
    } else if (v <= 0xFFFFFF) {
        u8(0xFD);
        u24le(static_cast<std::uint32_t>(v));
    } else {
        u8(0xFE);
        u64le(v);
    }
}

void Writer::lenenc_text(std::string_view v) {
    lenenc(v.size());
    text(v);
}

void Writer::cstring(std::string_view v) {
    text(v);
    u8(0);
}

void Writer::patch_u32be(std::size_t at, std::uint32_t v) noexcept {
    for (std::size_t i = 0; i < 4; ++i) bytes_[at + i] = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}

void Writer::patch_u24le(std::size_t at, std::uint32_t v) noexcept {
    for (std::size_t i = 0; i < 3; ++i) bytes_[at + i] = static_cast<std::uint8_t>(v >> (8 * i));
}

}  // namespace leasehold::wire
