// SPDX-License-Identifier: Apache-2.0
#include "daemon/home.hpp"

namespace leasehold::daemon {

wire::awaitable<Warmth> warm(HomePtr home) {
    Warmth result;
    result.facts = home->connector->facts();
    if (result.facts) co_return result;
    pool::Checkout checkout = co_await home->pool->checkout(pool::Wanted{});
    if (checkout.lease) checkout.lease.checkin();
    result.facts = home->connector->facts();
    if (!result.facts) {
        result.message = std::move(checkout.message);
        result.refused = checkout.error == pool::Checkout::Error::refused;
        result.sqlstate = std::move(checkout.sqlstate);
    }
    co_return result;
}

}  // namespace leasehold::daemon
