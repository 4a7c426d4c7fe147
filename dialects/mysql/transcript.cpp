// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/transcript.hpp"

#include "dialects/mysql/statements.hpp"
#include "dialects/wire/text.hpp"

#include <algorithm>

namespace leasehold::mysql {

void Transcript::add(std::string_view text) {
    texts_[count_ % max_statements].assign(wire::shortened(text, max_bytes));
    ++count_;
}

std::string_view Transcript::last() const noexcept {
    return count_ == 0 ? std::string_view() : std::string_view(texts_[(count_ - 1) % max_statements]);
}

std::vector<std::string> Transcript::statements(bool literals, bool backslash_escapes) const {
    std::vector<std::string> all;
    const std::size_t kept = std::min(count_, max_statements);
    for (std::size_t i = count_ - kept; i < count_; ++i) {
        all.push_back(masked(texts_[i % max_statements], literals, max_bytes, backslash_escapes));
    }
    return all;
}

}  // namespace leasehold::mysql
