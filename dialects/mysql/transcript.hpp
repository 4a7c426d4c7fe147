// SPDX-License-Identifier: Apache-2.0
// The statements of the transaction in progress, shortened when they are stored; memory is used again.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::mysql {

class Transcript {
  public:
    static constexpr std::size_t max_statements = 16;
    static constexpr std::size_t max_bytes = 256;  // of each

    void clear() noexcept { count_ = 0; }
    void add(std::string_view text);
    [[nodiscard]] std::string_view last() const noexcept;
    // Oldest first; literals masked unless asked for.
    [[nodiscard]] std::vector<std::string> statements(bool literals, bool backslash_escapes = true) const;

  private:
    std::array<std::string, max_statements> texts_;  // a ring
    std::size_t count_ = 0;                          // of all since clear()
};

}  // namespace leasehold::mysql
