// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/holders.hpp"

#include "daemon/admin/cells.hpp"

namespace leasehold::daemon::admin {

const Columns& leases_columns() {
    static const Columns columns{
        {"database", Type::text},
        {"user", Type::text},
        {"state", Type::text},
        {"addr", Type::text},
        {"port", Type::integer},
        {"application_name", Type::text},
        {"session", Type::integer},
        {"lease_time", Type::text},
        {"lease_seconds", Type::real},
        {"transaction", Type::text},
        {"transaction_time", Type::text},
        {"transaction_seconds", Type::real},
        {"request_time", Type::text},
        {"pin", Type::text},
        {"statement", Type::text},
        {"remote_pid", Type::integer},
        {"server", Type::text},
        {"leases", Type::integer},
    };
    return columns;
}

Rows leases_rows(std::span<const LeaseRow> leases, SystemTime now) {
    Rows rows;
    rows.reserve(leases.size());
    for (const LeaseRow& lease : leases) {
        const ClientRow& holder = lease.holder;
        const bool own = holder.id == 0;
        const bool open = holder.transaction != wire::TransactionStatus::idle;
        const char* const state = own                  ? "internal"
                                  : holder.running     ? "running"
                                  : open               ? "idle in transaction"
                                  : holder.pin.empty() ? "idle"
                                                       : "pinned";
        rows.push_back({lease.pool, own ? std::nullopt : std::optional(holder.user), state,
                        unless_empty(holder.address), own ? std::nullopt : std::optional(text(holder.port)),
                        unless_empty(holder.application), unless_zero(holder.id), in_utc(now - lease.backend.in_state),
                        in_seconds(lease.backend.in_state), std::string(transaction_word(holder.transaction)),
                        open ? std::optional(in_utc(now - holder.transaction_time)) : std::nullopt,
                        in_seconds(holder.transaction_time), when(holder.requested), unless_empty(holder.pin),
                        unless_empty(lease.statement), unless_zero(lease.backend.server_id), lease.backend.address,
                        text(lease.backend.leases)});
    }
    return rows;
}

const Columns& waiters_columns() {
    static const Columns columns{
        {"database", Type::text},    {"pool_user", Type::text},
        {"position", Type::integer}, {"wait_time", Type::text},
        {"wait", Type::integer},     {"wait_us", Type::integer},
        {"user", Type::text},        {"addr", Type::text},
        {"port", Type::integer},     {"application_name", Type::text},
        {"session", Type::integer},
    };
    return columns;
}

Rows waiters_rows(std::span<const WaiterRow> waiters, SystemTime now) {
    Rows rows;
    rows.reserve(waiters.size());
    for (const WaiterRow& waiter : waiters) {
        const ClientRow& client = waiter.client;
        const bool own = client.id == 0;
        const auto since = std::chrono::duration_cast<SystemTime::duration>(waiter.waited);
        rows.push_back({waiter.pool, waiter.pool_user, text(waiter.position), in_utc(now - since),
                        whole<std::chrono::seconds>(waiter.waited), beyond_seconds(waiter.waited),
                        own ? std::nullopt : std::optional(client.user), unless_empty(client.address),
                        own ? std::nullopt : std::optional(text(client.port)), unless_empty(client.application),
                        unless_zero(client.id)});
    }
    return rows;
}

const Columns& pins_columns() {
    static const Columns columns{
        {"database", Type::text},
        {"user", Type::text},
        {"addr", Type::text},
        {"port", Type::integer},
        {"application_name", Type::text},
        {"session", Type::integer},
        {"pin", Type::text},
        {"pin_time", Type::text},
        {"pin_seconds", Type::real},
        {"statement", Type::text},
        {"remote_pid", Type::integer},
        {"server", Type::text},
    };
    return columns;
}

Rows pins_rows(std::span<const LeaseRow> leases, SystemTime now) {
    Rows rows;
    for (const LeaseRow& lease : leases) {
        const ClientRow& holder = lease.holder;
        if (holder.pin.empty()) continue;
        // One whose transaction has made it is pinned for as long as the lease lasts.
        const auto time = holder.pin_time.count() > 0 ? holder.pin_time : lease.backend.in_state;
        const std::string& statement = holder.pin_statement.empty() ? lease.statement : holder.pin_statement;
        rows.push_back({lease.pool, holder.user, unless_empty(holder.address), text(holder.port),
                        unless_empty(holder.application), unless_zero(holder.id), holder.pin, in_utc(now - time),
                        in_seconds(time), unless_empty(statement), unless_zero(lease.backend.server_id),
                        lease.backend.address});
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
