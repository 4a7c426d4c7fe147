// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/seam.hpp"

#include <algorithm>

namespace leasehold::mysql {

std::size_t Seam::pass(Bytes in, bool to_end) noexcept {
    std::size_t at = 0;
    while (at < in.size()) {
        if (left_ > 0) {
            const std::size_t step = std::min<std::size_t>(left_, in.size() - at);
            left_ -= static_cast<std::uint32_t>(step);
            at += step;
            continue;
        }
        if (to_end && between()) break;
        header_[seen_++] = in[at++];
        if (seen_ < header_size) continue;
        seen_ = 0;
        const Header header = header_of(header_);
        left_ = header.length;
        continues_ = header.continues();
    }
    return at;
}

}  // namespace leasehold::mysql
