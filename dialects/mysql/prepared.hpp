// SPDX-License-Identifier: Apache-2.0
// The binary prepared statements that a session has open on its backend. They pin it while there are any; their numbers
// are the server's own.
#pragma once

#include <cstdint>
#include <set>

namespace leasehold::mysql {

class PreparedStatements {
  public:
    explicit PreparedStatements(std::size_t limit) noexcept : limit_(limit) {}

    [[nodiscard]] bool empty() const noexcept { return open_.empty(); }
    [[nodiscard]] bool full() const noexcept { return open_.size() >= limit_; }
    [[nodiscard]] std::size_t size() const noexcept { return open_.size(); }
    void open(std::uint32_t statement);
    void close(std::uint32_t statement) noexcept;
    void clear() noexcept { open_.clear(); }

  private:
    std::size_t limit_;
    std::set<std::uint32_t> open_;
};

}  // namespace leasehold::mysql
