// SPDX-License-Identifier: Apache-2.0
// CONNECTION_ID() in a client's text: the server would answer with the number of its own connection, which KILL does not
// take here. Where it stands as a whole item of a SELECT it is replaced by the session's number.
#pragma once

#include "dialects/mysql/statements.hpp"

namespace leasehold::mysql {

// `sql` with every such item replaced, under the name that it would have had. None: there is no such item, or it is not
// certain where one is (executable comments, several statements). Items of subqueries and expressions stay.
[[nodiscard]] std::optional<std::string> with_connection_id(std::string_view sql, std::uint32_t number, LexMode mode);

}  // namespace leasehold::mysql
