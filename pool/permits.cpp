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

// The server of the connections to come is another one, as far as anybody knows.
void Pool::Impl::follow(std::shared_ptr<Quota> reached) {
    if (reached == quota) return;
    if (enlisted) quota->withdraw(membership);
    enlisted = false;
    awaiting_quota = false;
    quota = std::move(reached);
}

// A dial counts where the last one ended; of several servers another one may have let it in. False: that one has no
// place left, and the connection is closed.
bool Pool::Impl::count_where_reached(Entry& entry, Connected& connected) {
    if (!connected.quota || entry.permit.of(*connected.quota)) return true;
    Permit there = connected.quota->try_acquire();
    follow(std::move(connected.quota));
    const bool room = static_cast<bool>(there);
    if (room) {
        entry.permit = std::move(there);
    } else {
        connected.message = std::string(connected.backend->address()) + ": all connections that it admits are in use";
        connected.error = std::make_error_code(std::errc::resource_unavailable_try_again);
        connected.saturated = true;
        connected.backend->close();
        connected.backend.reset();
    }
    return room;
}

// Another pool waits for a place on the server. One that is idle here, with nobody waiting, is worth less.
void Pool::Impl::yield_idle() {
    if (idle.empty() || !waiters.empty()) return;
    if (!quota || !quota->contended()) return;
    drop(*idle.front(), CloseReason::yielded);
}

}  // namespace leasehold::pool
