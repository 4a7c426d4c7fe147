// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/address.hpp"

#include <charconv>

namespace leasehold::wire {

std::string ServerAddress::text() const { return local() ? host : host + ":" + std::to_string(port); }

std::optional<ServerAddress> address_of(std::string_view peer) {
    const std::size_t colon = peer.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    ServerAddress address;
    const std::string_view number = peer.substr(colon + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), address.port);
    if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
    std::string_view host = peer.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    address.host = host;
    return address;
}

ServerAddress reached(const ServerAddress& named, std::string_view peer) {
    return named.local() ? named : address_of(peer).value_or(named);
}

}  // namespace leasehold::wire
