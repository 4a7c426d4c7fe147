// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's own parser (libpg_query) beside our lexer: what both say of a text. The rule: the lexer may be more
// cautious than the parser, never less. Texts that the parser refuses are compared by nobody.
#pragma once

#include "dialects/postgres/statements.hpp"

#include <optional>
#include <string>
#include <vector>

namespace leasehold::postgres {

struct Parsed {
    std::size_t end = 0;  // of its text: where its semicolon stands, or all of it
    Kind kind = Kind::other;
    std::string variable;     // of SET, RESET, DEALLOCATE
    std::uint16_t marks = 0;  // that the lexer must have seen
};

// With standard_conforming_strings on, the only way in which it reads. Nothing: it refuses the text.
[[nodiscard]] std::optional<std::vector<Parsed>> parse(const std::string& text);

// What the lexer has missed or invented; empty: nothing. `spelled` is how the text looks with standard_conforming_strings
// off, if it is given: its literals are the parser's, with an E in front of them there.
[[nodiscard]] std::string disagreement(const std::vector<Parsed>& parsed, const std::string& text,
                                       const std::optional<std::string>& spelled = {});

}  // namespace leasehold::postgres
