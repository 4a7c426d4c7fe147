// SPDX-License-Identifier: Apache-2.0
// Names that may stand in front of a parenthesis and do nothing to a session that its text does not tell. Pure.
#pragma once

#include <string_view>

namespace leasehold::postgres {

// A word of the grammar: IN (, VALUES (, numeric(10,2). In lower case.
[[nodiscard]] bool is_keyword(std::string_view word) noexcept;
// Such a word that may be a function's name all the same, where a value stands. Left out are the most frequent.
[[nodiscard]] bool may_name_function(std::string_view word) noexcept;
// A function of pg_catalog. In lower case, without its schema.
[[nodiscard]] bool is_harmless(std::string_view function) noexcept;

}  // namespace leasehold::postgres
