// SPDX-License-Identifier: Apache-2.0
// The last statements of a transaction, shortened when they are stored: one block of memory that is used again.
#pragma once

#include "dialects/postgres/statements.hpp"

#include <vector>

namespace leasehold::postgres {

class Transcript {
  public:
    static constexpr std::size_t max_statements = 16;
    static constexpr std::size_t max_bytes = 256;  // of each

    // A new transaction begins.
    void clear() noexcept;
    // Returns the statement's number, never 0.
    std::uint32_t add(std::string_view text);
    // Empty when it is no longer there.
    [[nodiscard]] std::string_view find(std::uint32_t number) const noexcept;
    [[nodiscard]] std::string_view newest() const noexcept { return find(last_); }
    [[nodiscard]] std::vector<std::string> statements(bool literals, std::optional<bool> conforming = {}) const;

  private:
    std::vector<char> bytes_;  // length in two bytes, text; oldest first
    std::size_t count_ = 0;
    std::uint32_t last_ = 0;  // number of the newest
};

}  // namespace leasehold::postgres
