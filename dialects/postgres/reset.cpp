// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/reset.hpp"

namespace leasehold::postgres {

Reset::Reset() : Round("DISCARD ALL") {}

std::error_code Reset::judge() {
    if (tag() != "DISCARD ALL") {
        diagnostics_ = {"08P01", 0, "the reply does not answer the reset", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

}  // namespace leasehold::postgres
