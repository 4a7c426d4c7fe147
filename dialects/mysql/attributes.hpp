// SPDX-License-Identifier: Apache-2.0
// Query attributes, which clients with QUERY_ATTRIBUTES send in front of a text and among a prepared statement's
// parameters, taken out: backends are logged in without the capability. "COM_QUERY", "COM_STMT_EXECUTE" of the manual.
#pragma once

#include "dialects/mysql/framing.hpp"

#include <optional>
#include <vector>

namespace leasehold::mysql {

// The payload's beginning without attributes; what follows the first `replaced` bytes stays as it is. `more`: they do not
// end in what has been seen.
struct Stripped {
    enum class Kind : std::uint8_t { done, more, malformed };
    Kind kind = Kind::done;
    std::size_t replaced = 0;
    std::vector<std::uint8_t> beginning{};
};

// `payload`: what has been seen of a COM_QUERY, from the command byte on.
[[nodiscard]] Stripped strip_query(Bytes payload);
// ... of a COM_STMT_EXECUTE of a statement with so many parameters. The values of attributes stand behind all others and
// stay: servers do not read so far.
[[nodiscard]] Stripped strip_execute(Bytes payload, std::size_t parameters);

}  // namespace leasehold::mysql
