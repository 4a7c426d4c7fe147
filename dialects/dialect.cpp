// SPDX-License-Identifier: Apache-2.0
#include "dialects/dialect.hpp"

namespace leasehold::dialects {

awaitable<Backend::Tried> Backend::try_login(const Login&, pool::Deadline) { co_return Tried{}; }

awaitable<Replicating> Connector::connect_replication(const Login&, pool::Deadline) {
    Replicating none;
    none.connected.error = wire::errc::unsupported;
    none.connected.message = "this database has no replication connections";
    co_return none;
}

}  // namespace leasehold::dialects
