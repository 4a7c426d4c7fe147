// SPDX-License-Identifier: Apache-2.0
// What the pool says about itself: figures, rows, and the words of a time-out.
#include "pool/stats.hpp"

#include "pool/impl.hpp"

#include <cstdio>

namespace leasehold::pool {

namespace {

std::string seconds(Clock::duration duration) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", std::chrono::duration<double>(duration).count());
    return text;
}

void append(std::string& text, int number, std::string_view what) {
    if (number == 0) return;
    if (!text.empty()) text += ", ";
    text += std::to_string(number) + " " + std::string(what);
}

}  // namespace

std::string Stats::status() const {
    return "Pool size: " + std::to_string(size) + "  Connections in pool: " + std::to_string(checkedin) +
           " Current Overflow: " + std::to_string(overflow) +
           " Current Checked out connections: " + std::to_string(checkedout);
}

Stats Pool::stats() const {
    const Impl& impl = *impl_;
    Stats stats;
    stats.size = impl.params.pool_size;
    stats.open = static_cast<int>(impl.entries.size());
    stats.overflow = stats.open - stats.size;
    for (const auto& entry : impl.entries) stats.outdated += impl.outdated(*entry) ? 1 : 0;
    stats.checkedin = static_cast<int>(impl.idle.size());
    stats.checkedout = impl.in(Entry::State::leased);
    stats.dialling = impl.in(Entry::State::dialling);
    stats.quarantined =
        impl.in(Entry::State::quarantined) + impl.in(Entry::State::resetting) + impl.in(Entry::State::finishing);
    stats.waiting = static_cast<int>(impl.waiters.size());
    if (!impl.waiters.empty()) {
        const auto time = impl.now();
        stats.oldest_wait = millis(time - impl.waiters.oldest(time));
    }
    stats.paused = impl.is_paused;
    stats.last_error = impl.last_error;
    return stats;
}

std::vector<BackendRow> Pool::backends() const {
    const auto time = impl_->now();
    std::vector<BackendRow> rows;
    rows.reserve(impl_->entries.size());
    for (const auto& entry : impl_->entries) {
        BackendRow row;
        row.id = entry->id;
        row.server_id = entry->backend ? entry->backend->server_id() : 0;
        row.address = entry->backend ? entry->backend->address() : impl_->connector->address();
        row.state = to_string(entry->state);
        row.age = millis(time - entry->born_at);
        row.in_state = millis(time - entry->since);
        row.leases = entry->leases;
        row.session = entry->session;
        row.stale = entry->backend && impl_->stale(*entry).has_value();
        row.variant = entry->variant;
        row.fingerprint = entry->backend ? entry->backend->fingerprint() : 0;
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<WaitingRow> Pool::waiting() const {
    const auto time = impl_->now();
    std::vector<WaitingRow> rows;
    rows.reserve(impl_->waiters.size());
    for (const auto& [ticket, waiter] : impl_->waiters) {
        rows.push_back({waiter.wanted.session, micros(time - waiter.since)});
    }
    return rows;
}

std::string Pool::Impl::held(Clock::time_point time) const {
    Clock::duration oldest{};
    for (const auto& entry : entries) {
        if (entry->state == Entry::State::leased) oldest = std::max(oldest, time - entry->since);
    }
    std::string text;
    append(text, in(Entry::State::leased), "leased (the longest for " + seconds(oldest) + ")");
    append(text, in(Entry::State::idle), "idle");
    append(text, in(Entry::State::dialling), "dialling");
    append(text, in(Entry::State::pinging), "pinging");
    append(text, in(Entry::State::resetting) + in(Entry::State::finishing), "resetting");
    append(text, in(Entry::State::quarantined), "quarantined");
    return text;
}

// "pool orders: limit of size 5 overflow 10 reached, timed out after 30.00 s; 15 leased (the longest for 31.20 s)"
Checkout Pool::Impl::timed_out(Clock::time_point time) const {
    const bool none_open = static_cast<int>(entries.size()) == in(Entry::State::dialling);
    const std::string after = ", timed out after " + seconds(params.pool_timeout);
    const std::string limits =
        "size " + std::to_string(params.pool_size) + " overflow " + std::to_string(params.max_overflow);

    Checkout said;
    said.error = Checkout::Error::timeout;
    said.message = "pool " + params.name + ": ";
    if (is_paused) {
        said.message += "paused (" + limits + ")" + after;
    } else if (none_open && !last_error.empty()) {
        said.error = Checkout::Error::unavailable;
        said.message += "no backend at " + std::string(connector->address()) + " (" + limits + ")" + after;
    } else if (free_places() == 0) {
        said.message += "limit of " + limits + " reached" + after;
    } else if (awaiting_quota) {
        said.message +=
            "limit of the server's " + std::to_string(quota->limit()) + " connections reached (" + limits + ")" + after;
    } else {
        said.message += "no backend became free (" + limits + ")" + after;
    }
    std::string who = held(time);
    if (!who.empty()) said.message += "; " + who;
    if (describe) {
        if (const std::string described = describe(); !described.empty()) said.message += "; " + described;
    }
    if (!last_error.empty()) said.message += "; last dial: " + last_error;
    return said;
}

}  // namespace leasehold::pool
