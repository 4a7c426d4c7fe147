// SPDX-License-Identifier: Apache-2.0
// Names to addresses, off the loop. getaddrinfo() cannot be interrupted: it runs on a few threads that the whole process
// shares, one lookup for all who ask for the same name, and whoever asked goes on at the deadline without it.
#pragma once

#include "dialects/wire/transport.hpp"

#include <vector>

namespace leasehold::wire {

struct Resolved {
    std::vector<Socket::endpoint_type> endpoints;  // in the order to be tried
    std::error_code error{};
    std::string why;  // for people
};
// An address is taken as it is, without a thread.
[[nodiscard]] awaitable<Resolved> resolve(Executor executor, std::string host, std::uint16_t port, Deadline deadline);

}  // namespace leasehold::wire
