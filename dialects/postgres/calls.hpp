// SPDX-License-Identifier: Apache-2.0
// Which functions a text calls by name that are none of the system's own, and which custom settings (a.b) its literals
// and bodies name. Read only where the lexer has met such a call (mark::calls). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres {

struct Calls {
    static constexpr std::size_t most = 32;  // of each; those beyond are not looked for
    // "f", "s.f", and "DO", "EXECUTE" for what has no name: in order, once each. Names as the server understands them.
    std::vector<std::string> functions{};
    std::vector<std::string> customs{};
    bool more = false;
};

// A guess that errs on the side of a call: where a name in front of a parenthesis could be something else (a list of
// columns, a type) it is looked at what stands in front of it.
[[nodiscard]] Calls read_calls(std::string_view sql, bool conforming);

// What CREATE, ALTER or DROP of this text may have made functions other than they were.
[[nodiscard]] bool replaces_functions(std::string_view sql) noexcept;

}  // namespace leasehold::postgres
