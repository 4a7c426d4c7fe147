// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/prepared.hpp"

namespace leasehold::mysql {

void PreparedStatements::open(std::uint32_t statement) { open_.insert(statement); }
void PreparedStatements::close(std::uint32_t statement) noexcept { open_.erase(statement); }

}  // namespace leasehold::mysql
