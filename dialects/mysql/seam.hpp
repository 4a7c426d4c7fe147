// SPDX-License-Identifier: Apache-2.0
// dialects/wire/seam.hpp for MySQL's packets: a length, a sequence, and bytes that nobody looks at.
#pragma once

#include "dialects/mysql/framing.hpp"
#include "dialects/wire/seam.hpp"

#include <array>

namespace leasehold::mysql {

class Seam final : public wire::Seam {
  public:
    [[nodiscard]] std::size_t pass(Bytes in, bool to_end) noexcept override;
    [[nodiscard]] bool between() const noexcept override { return left_ == 0 && seen_ == 0 && !continues_; }

  private:
    std::array<std::uint8_t, header_size> header_{};
    std::size_t seen_ = 0;    // bytes of a header whose rest is due
    std::uint32_t left_ = 0;  // bytes due of a payload
    bool continues_ = false;  // in the next packet
};

}  // namespace leasehold::mysql
