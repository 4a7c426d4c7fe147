// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/finish.hpp"

namespace leasehold::postgres {

Finish::Finish(bool commit) : Round(commit ? "COMMIT" : "ROLLBACK") {}

std::error_code Finish::judge() {
    if (tag() != "COMMIT" && tag() != "ROLLBACK") {
        diagnostics_ = {"08P01", 0, "the reply does not answer the end of the transaction", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

}  // namespace leasehold::postgres
