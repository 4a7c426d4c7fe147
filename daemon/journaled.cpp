// SPDX-License-Identifier: Apache-2.0
#include "daemon/journaled.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace leasehold::daemon {
namespace {

std::uint16_t port_of(int descriptor) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
    return 0;
}

}  // namespace

void JournaledBackends::opened(dialects::Backend& backend) {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    const OpenBackend open{pool_,
                           user_,
                           std::string(backend.address()),
                           backend.server_id(),
                           port_of(backend.transport().descriptor()),
                           std::chrono::duration_cast<std::chrono::seconds>(since).count()};
    places_.emplace(open.server_id, journal_.add(open));
}

void JournaledBackends::closed(std::uint64_t server_id) {
    const auto found = places_.find(server_id);
    if (found == places_.end()) return;
    journal_.remove(found->second);
    places_.erase(found);
}

pool::awaitable<pool::Connected> JournaledConnector::connect(pool::Variant variant, pool::Deadline deadline) {
    const std::shared_ptr<JournaledBackends> backends = backends_;
    const std::shared_ptr<dialects::Connector> inner = inner_;
    pool::Connected connected = co_await inner->connect(variant, deadline);
    if (connected.backend) backends->opened(static_cast<dialects::Backend&>(*connected.backend));
    co_return connected;
}

}  // namespace leasehold::daemon
