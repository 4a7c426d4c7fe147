// SPDX-License-Identifier: Apache-2.0
// Reading the fields of a message. A cursor never reads past its bytes: a read that does not fit sets `ok()` to
// false, yields zero or nothing, and so does every read after it. noexcept on all input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace leasehold::wire {

using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] inline std::string_view as_text(Bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class Cursor {
  public:
    explicit Cursor(Bytes bytes) noexcept : bytes_(bytes) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - at_; }
    [[nodiscard]] std::size_t position() const noexcept { return at_; }

    // The fields of every PostgreSQL message: inline, as they stand on the path of each byte.
    std::uint8_t u8() noexcept {
        const Bytes raw = take(1);
        return raw.empty() ? std::uint8_t{0} : raw[0];
    }
    std::uint16_t u16be() noexcept {
        const Bytes raw = take(2);
        return raw.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(raw[0] << 8 | raw[1]);
    }
    std::uint32_t u32be() noexcept {
        const Bytes raw = take(4);
        if (raw.empty()) return 0;
        return std::uint32_t{raw[0]} << 24 | std::uint32_t{raw[1]} << 16 | std::uint32_t{raw[2]} << 8 | raw[3];
    }
    std::uint16_t u16le() noexcept;
    std::uint32_t u24le() noexcept;
    std::uint32_t u32le() noexcept;
    std::uint64_t u64le() noexcept;
    // MySQL's length-encoded integer; 0xFB (NULL) and 0xFF (an error mark) are no integers and fail.
    std::uint64_t lenenc() noexcept;
    std::string_view lenenc_text() noexcept;
    // Up to, not including, the next NUL, which is consumed; fails if there is none.
    std::string_view cstring() noexcept;
    Bytes take(std::size_t n) noexcept {
        if (!ok_ || n > remaining()) {
            ok_ = false;
            at_ = bytes_.size();
            return {};
        }
        const Bytes taken = bytes_.subspan(at_, n);
        at_ += n;
        return taken;
    }
    void skip(std::size_t n) noexcept { (void)take(n); }
    Bytes rest() noexcept { return take(remaining()); }

  private:
    template <class T>
    T little_endian(std::size_t n) noexcept;

    Bytes bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace leasehold::wire
