// SPDX-License-Identifier: Apache-2.0
// What a KILL statement asks for: "KILL Statement" of both manuals. Its numbers are leasehold's, of the greeting.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace leasehold::mysql {

struct Token;

struct Kill {
    bool query = false;            // only what the session runs; else the session
    bool itself = false;           // KILL CONNECTION_ID()
    std::uint64_t number = 0;      // of the session
    std::string_view objection{};  // why it is not carried out; empty: it is
};

// `tokens` are those of one statement whose first word is KILL; `lost`: there were more.
[[nodiscard]] Kill read_kill(const std::vector<Token>& tokens, bool lost);

}  // namespace leasehold::mysql
