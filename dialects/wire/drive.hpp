// SPDX-License-Identifier: Apache-2.0
// The one loop that performs an exchange's actions on a transport under a deadline.
#pragma once

#include "dialects/wire/exchange.hpp"
#include "dialects/wire/transport.hpp"

#include <boost/asio/thread_pool.hpp>

namespace leasehold::wire {

// Ends with the exchange's own error, or errc::timed_out / errc::cancelled / errc::closed or a socket error when the
// exchange was interrupted (it is told, and may have put a better error in its diagnostics). What was read and not
// consumed stays in `inbox`. `computing`: where Action::compute and the steps of a TLS handshake run; null: on the loop.
// `tls`: how Action::start_tls is performed; without a context it is refused. The awaitable keeps what it needs of it.
[[nodiscard]] awaitable<std::error_code> drive(Transport& transport, Exchange& exchange, Inbox& inbox,
                                               Deadline deadline, boost::asio::thread_pool* computing, TlsParty tls);
// Without TLS. No default argument above: GCC 12 destroys such a temporary twice inside a co_await.
[[nodiscard]] awaitable<std::error_code> drive(Transport& transport, Exchange& exchange, Inbox& inbox,
                                               Deadline deadline, boost::asio::thread_pool* computing = nullptr);

}  // namespace leasehold::wire
