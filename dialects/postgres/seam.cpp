// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/seam.hpp"

#include <algorithm>

namespace leasehold::postgres {

std::size_t Seam::pass(wire::Bytes in, bool to_end) noexcept {
    std::size_t at = 0;
    while (at < in.size()) {
        if (lost_) {
            left_ = 1;
            return in.size();
        }
        if (left_ > 0) {
            const std::uint64_t step = std::min<std::uint64_t>(left_, in.size() - at);
            left_ -= step;
            at += static_cast<std::size_t>(step);
            continue;
        }
        if (to_end && seen_ == 0) break;
        header_[seen_++] = in[at++];
        if (seen_ < header_size) continue;
        seen_ = 0;
        const std::optional<Header> header = peek(header_);
        lost_ = !header || !header->valid();
        left_ = lost_ ? 1 : header->body();
    }
    return at;
}

}  // namespace leasehold::postgres
