// SPDX-License-Identifier: Apache-2.0
#include "daemon/home.hpp"

namespace leasehold::daemon {

std::shared_ptr<const Terms> Home::terms() const {
    const std::lock_guard lock(mutex_);
    return terms_;
}

void Home::set_terms(Terms terms) {
    auto made = std::make_shared<const Terms>(std::move(terms));
    echoes.store(made->settings && made->settings->echo, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    terms_.swap(made);
}

wire::awaitable<Warmth> warm(HomePtr home) {
    Warmth result;
    result.facts = home->connector()->facts();
    if (result.facts) co_return result;
    pool::Checkout checkout = co_await home->pool->checkout(pool::Wanted{});
    if (checkout.lease) checkout.lease.checkin();
    result.facts = home->connector()->facts();
    if (!result.facts) {
        result.message = std::move(checkout.message);
        result.refused = checkout.error == pool::Checkout::Error::refused;
        result.sqlstate = std::move(checkout.sqlstate);
    }
    co_return result;
}

}  // namespace leasehold::daemon
