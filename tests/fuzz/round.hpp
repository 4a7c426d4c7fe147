// SPDX-License-Identifier: Apache-2.0
// What the exchanges that ask a server one thing have to say when they are done.
#pragma once

#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {

// ParameterStatus that came with a reply: bounded, whatever the server sends.
template <class Exchange>
std::string changes_of(const Exchange& exchange) {
    std::string all;
    require(exchange.changes().size() <= 1000, "changes are limited");
    for (const auto& [name, value] : exchange.changes()) (((all += name) += '=') += value) += ';';
    return all;
}

inline constexpr auto postgres_round = [](const auto& exchange) {
    return changes_of(exchange) + exchange.tag() + exchange.status();
};

// MySQL's say the status of the last OK.
inline constexpr auto mysql_round = [](const auto& exchange) { return std::to_string(exchange.status()); };

}  // namespace leasehold::fuzz
