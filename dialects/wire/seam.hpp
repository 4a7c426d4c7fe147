// SPDX-License-Identifier: Apache-2.0
// Where the messages end in a server's stream that is otherwise relayed unread, so that a last word of leasehold's own
// can be said between two of them. Pure.
#pragma once

#include "dialects/wire/cursor.hpp"

namespace leasehold::wire {

class Seam {
  public:
    Seam() = default;
    Seam(const Seam&) = delete;
    Seam& operator=(const Seam&) = delete;
    virtual ~Seam() = default;

    // How much of `in` may be passed on: all of it, or, with `to_end`, up to where a message ends.
    [[nodiscard]] virtual std::size_t pass(Bytes in, bool to_end) noexcept = 0;
    // What was passed ends with a message.
    [[nodiscard]] virtual bool between() const noexcept = 0;
};

}  // namespace leasehold::wire
