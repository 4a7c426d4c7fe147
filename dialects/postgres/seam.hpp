// SPDX-License-Identifier: Apache-2.0
// dialects/wire/seam.hpp for PostgreSQL's messages: a type, a length, and bytes that nobody looks at.
#pragma once

#include "dialects/postgres/messages.hpp"
#include "dialects/wire/seam.hpp"

#include <array>

namespace leasehold::postgres {

class Seam final : public wire::Seam {
  public:
    [[nodiscard]] std::size_t pass(wire::Bytes in, bool to_end) noexcept override;
    [[nodiscard]] bool between() const noexcept override { return left_ == 0 && seen_ == 0; }

  private:
    std::array<std::uint8_t, header_size> header_{};
    std::size_t seen_ = 0;    // bytes of a header whose rest is due
    std::uint64_t left_ = 0;  // bytes due of a body
    bool lost_ = false;       // a length that cannot be: the stream is passed on to its end
};

}  // namespace leasehold::postgres
