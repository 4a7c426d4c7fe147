// SPDX-License-Identifier: Apache-2.0
// Tables for people: aligned columns, numbers on the right, NULL as nothing, within the width of the terminal.
#pragma once

#include "cmd/leasehold/control/answer.hpp"

#include <cstddef>
#include <string>

namespace leasehold::cmd {

// `width`: the terminal's columns; 0: as wide as it needs. What is too wide even with its longest texts cut is written
// one row a block. Ends with a line's end.
[[nodiscard]] std::string render_table(const Answer& answer, std::size_t width);

}  // namespace leasehold::cmd
