// SPDX-License-Identifier: Apache-2.0
// What a fuzz target is: a name and a function of bytes, registered by its own file; and how it reports that a property
// does not hold. Included by every target; knows nothing of what is tested.
#pragma once

#include "dialects/wire/cursor.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::fuzz {

using wire::Bytes;
using Raw = std::vector<std::uint8_t>;

// Says what does not hold and ends the process, as a sanitizer would.
[[noreturn]] void violated(std::string_view what, std::string_view detail = {});
inline void require(bool holds, std::string_view what) {
    if (!holds) violated(what);
}
// Both must be the same; says where they begin to differ.
void require_same(std::string_view whole, std::string_view pieces, std::string_view what);

using Run = void (*)(Bytes data);
struct Target {
    std::string_view name;
    Run run;
};
[[nodiscard]] std::vector<Target>& targets();
struct Registered {
    Registered(std::string_view name, Run run) { targets().push_back({name, run}); }
};

// Nonces, salts and keys are the same in every run from here on: two runs can be compared, and a corpus can hold proofs.
void fix_randomness();

// Reads the choices of a target off the front of its bytes.
class Input {
  public:
    explicit Input(Bytes data) noexcept : cursor_(data) {}
    [[nodiscard]] bool empty() const noexcept { return cursor_.remaining() == 0; }
    [[nodiscard]] std::uint8_t u8() noexcept { return cursor_.u8(); }
    [[nodiscard]] std::uint16_t u16() noexcept {
        const std::uint16_t low = u8();
        return static_cast<std::uint16_t>(low | u8() << 8);
    }
    // At most what is left.
    [[nodiscard]] Bytes take(std::size_t n) noexcept { return cursor_.take(std::min(n, cursor_.remaining())); }
    [[nodiscard]] Bytes rest() noexcept { return cursor_.rest(); }

  private:
    wire::Cursor cursor_;
};

// How bytes are cut: by a byte of the input, the same in each run of it.
class Pieces {
  public:
    static constexpr std::uint8_t whole = 255;
    explicit Pieces(std::uint8_t cut) noexcept : cut_(cut), state_(cut * 2654435761u + 1) {}
    [[nodiscard]] std::size_t next(std::size_t available) noexcept {
        if (cut_ == whole) return available;
        if (cut_ < 16) return std::min<std::size_t>(available, cut_ + 1u);
        state_ = state_ * 1664525u + 1013904223u;
        return std::min<std::size_t>(available, 1 + (state_ >> 24) % (cut_ - 14u));
    }

  private:
    std::uint8_t cut_;
    std::uint32_t state_;
};

}  // namespace leasehold::fuzz
