// SPDX-License-Identifier: Apache-2.0
// A pool's dealings with the quota of its server. Callbacks of the quota come on any thread and are posted.
#include "pool/impl.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::pool {

std::optional<Permit> Pool::Impl::acquire() {
    if (!quota) return Permit();
    if (!enlisted) {
        enlisted = true;
        membership = quota->enlist([pool = pool.weak_from_this(), executor = executor] {
            if (auto alive = pool.lock()) {
                boost::asio::post(executor, [alive = std::move(alive)] { alive->impl_->yield_idle(); });
            }
        });
    }
    Permit permit = quota->try_acquire();
    if (!permit) return std::nullopt;
    return permit;
}

void Pool::Impl::await_quota() {
    if (awaiting_quota || !quota) return;
    awaiting_quota = true;
    quota->when_free([pool = pool.weak_from_this(), quota = std::weak_ptr<Quota>(quota), executor = executor] {
        if (auto alive = pool.lock()) {
            boost::asio::post(executor, [alive = std::move(alive), quota] { alive->impl_->quota_freed(quota.lock()); });
        } else if (const auto next = quota.lock()) {
            const Permit passed_on = next->try_acquire();
        }
    });
}

// The wake-up is passed on if the place was not needed after all: giving back a permit wakes the next.
void Pool::Impl::quota_freed(const std::shared_ptr<Quota>& of) {
    if (of == quota) {
        awaiting_quota = false;
        serve(now());
    }
    if (!of) return;
    const Permit passed_on = of->try_acquire();
}

// Another pool waits for a place on the server. One that is idle here, with nobody waiting, is worth less.
void Pool::Impl::yield_idle() {
    if (idle.empty() || !waiters.empty()) return;
    if (!quota || !quota->contended()) return;
    drop(*idle.front(), CloseReason::yielded);
}

}  // namespace leasehold::pool
