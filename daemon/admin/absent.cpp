// SPDX-License-Identifier: Apache-2.0
// PgBouncer's tables that there are none of here, and what to ask instead: whoever types one from habit is told.
#include "daemon/admin/console.hpp"

#include <array>
#include <utility>

namespace leasehold::daemon::admin {

std::string_view absent_table(std::string_view name) noexcept {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> known{{
        {"MEM", "leasehold keeps no caches of objects, and its metrics have the memory it uses"},
        {"FDS", "leasehold gives no descriptors away"},
        {"SOCKETS", "SHOW CLIENTS and SHOW SERVERS have one row per connection"},
        {"ACTIVE_SOCKETS", "SHOW LEASES has who runs what"},
        {"DNS_HOSTS", "leasehold keeps no names: each dial resolves its host anew"},
        {"DNS_ZONES", "leasehold keeps no names: each dial resolves its host anew"},
        {"PEERS", "leasehold is one process on all cores and has no peers"},
        {"PEER_POOLS", "leasehold is one process on all cores and has no peers"},
    }};
    for (const auto& [table, instead] : known) {
        if (name == table) return instead;
    }
    return {};
}

}  // namespace leasehold::daemon::admin
