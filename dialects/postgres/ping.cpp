// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/ping.hpp"

namespace leasehold::postgres {

Ping::Ping() : Round("") {}

std::error_code Ping::judge() {
    // A reply without EmptyQueryResponse answers something else: the connection is out of step.
    if (!saw_empty_query() || !tag().empty()) {
        diagnostics_ = {"08P01", 0, "the reply does not answer the ping", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

}  // namespace leasehold::postgres
