// SPDX-License-Identifier: Apache-2.0
// Text that comes from elsewhere, made fit for a terminal: names come from clients, and none of their bytes may be a
// command to the terminal of an operator who looks at them.
#pragma once

#include <string>
#include <string_view>

namespace leasehold::cmd {

// UTF-8 without control characters, marks that turn the direction of writing and bytes that are no UTF-8: these are
// written out (\n, \x1b, \u202e).
[[nodiscard]] std::string printable(std::string_view text);

// How many columns of a terminal printable text takes.
[[nodiscard]] std::size_t columns_of(std::string_view printable_text);

// Cut to so many columns, the last of them a sign that something is missing.
[[nodiscard]] std::string cut(std::string_view printable_text, std::size_t columns);

}  // namespace leasehold::cmd
