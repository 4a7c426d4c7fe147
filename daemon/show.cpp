// SPDX-License-Identifier: Apache-2.0
#include "daemon/show.hpp"

#include "daemon/admin/events.hpp"
#include "daemon/admin/leaks.hpp"
#include "daemon/admin/records.hpp"
#include "daemon/admin/stats.hpp"
#include "daemon/metrics/traffic.hpp"
#include "daemon/snapshots.hpp"
#include "daemon/worker.hpp"

#include <unistd.h>

namespace leasehold::daemon {
namespace {

using namespace admin;
constexpr auto no_time = wire::Clock::time_point::min();

SystemTime wall() { return std::chrono::system_clock::now(); }

Table table(std::string name, const Columns& columns, std::string description, Gather gather) {
    return {std::move(name), columns, Permission::read, std::move(description), std::move(gather)};
}

// A table of what the workers tell.
template <class T, class MakeRows>
Table from_workers(Shared& shared, std::string name, const Columns& columns, std::string description, Take<T> take,
                   MakeRows rows) {
    return table(std::move(name), columns, std::move(description), [&shared, take, rows](Done done) {
        collect<T>(shared, take, [rows, done = std::move(done)](std::vector<T> all) { done(rows(std::move(all))); });
    });
}

void register_live(Tables& tables, Shared& shared) {
    tables.add(from_workers<PoolRow>(shared, "POOLS", pools_columns(),
                                     "each pool: who is served, who waits, what is open", pools_of,
                                     [](const std::vector<PoolRow>& all) { return pools_rows(all); }));
    tables.add(from_workers<ClientRow>(shared, "CLIENTS", clients_columns(), "each client session", clients_of,
                                       [](std::vector<ClientRow> all) {
                                           std::ranges::sort(all, {}, &ClientRow::id);
                                           return clients_rows(all);
                                       }));
    tables.add(from_workers<ServerRow>(shared, "SERVERS", servers_columns(), "each backend connection", servers_of,
                                       [](const std::vector<ServerRow>& all) { return servers_rows(all, wall()); }));
    tables.add(from_workers<LeaseRow>(
        shared, "LEASES", leases_columns(), "who holds which backend, since when, and what it runs", leases_of,
        [](std::vector<LeaseRow> all) {
            std::ranges::stable_sort(all, std::greater{}, [](const LeaseRow& lease) { return lease.backend.in_state; });
            return leases_rows(all, wall());
        }));
    tables.add(from_workers<WaiterRow>(shared, "WAITERS", waiters_columns(), "who waits for a backend, in its order",
                                       waiters_of,
                                       [](const std::vector<WaiterRow>& all) { return waiters_rows(all, wall()); }));
    tables.add(from_workers<LeaseRow>(
        shared, "PINS", pins_columns(), "who keeps a backend beyond its transactions, why, and since when", leases_of,
        [](std::vector<LeaseRow> all) {
            std::ranges::stable_sort(all, std::greater{}, [](const LeaseRow& lease) { return lease.holder.pin_time; });
            return pins_rows(all, wall());
        }));
    tables.add(from_workers<ListenerRow>(
        shared, "LISTENERS", listeners_columns(), "the connections that listen for the sessions of a database",
        listeners_of, [](const std::vector<ListenerRow>& all) { return listeners_rows(all, wall()); }));
}

Counts added_up(const std::vector<Counts>& all) {
    Counts sum;
    for (const Counts& one : all) sum += one;
    return sum;
}

// The workers are asked twice: figures of one line fit together, those of two lines may be a moment apart.
void gather_lists(Shared& shared, const Done& done) {
    collect<Counts>(shared, counts_of, [&shared, done](const std::vector<Counts>& counted) {
        collect<PoolRow>(shared, pools_of,
                         [&shared, done, counts = added_up(counted)](const std::vector<PoolRow>& all) {
                             done(lists_rows(*shared.config(), counts, all));
                         });
    });
}

void register_inventory(Tables& tables, Shared& shared) {
    tables.add(from_workers<PoolRow>(shared, "DATABASES", databases_columns(),
                                     "each database that clients may ask for, and the servers behind it", pools_of,
                                     [](const std::vector<PoolRow>& all) { return databases_rows(all); }));
    tables.add(from_workers<Counts>(
        shared, "USERS", users_columns(), "who may log in, and to what", counts_of,
        [&shared](const std::vector<Counts>& all) { return users_rows(*shared.config(), added_up(all)); }));
    tables.add(table("CONFIG", config_columns(), "every key with the value in force and its default",
                     [&shared](const Done& done) { done(config_rows(*shared.config())); }));
    tables.add(table("LISTS", lists_columns(), "how many there are of everything",
                     [&shared](const Done& done) { gather_lists(shared, done); }));
    tables.add(from_workers<PoolRow>(
        shared, "STATE", state_columns(), "the daemon itself: active, paused, draining; since when", pools_of,
        [&shared, started = wall()](const std::vector<PoolRow>& all) {
            const Daemon daemon{shared.draining.load(), started, ::getpid(), static_cast<int>(shared.workers.size())};
            return state_rows(*shared.config(), daemon, all, wall());
        }));
}

}  // namespace

void register_tables(Tables& tables, Shared& shared, QuarantineRecords& records, metrics::Registry& metrics,
                     const Averages& averages) {
    register_live(tables, shared);
    register_inventory(tables, shared);
    register_stats(tables, metrics, averages);
    tables.add(table("QUARANTINE", quarantine_columns(), "unfinished transactions that were ended, newest first",
                     [&records](const Done& done) { done(quarantine_rows(records.snapshot())); }));
    tables.add(table("LEAKS", leaks_columns(),
                     "transactions that applications leave open, most frequent first; state that functions left and no "
                     "text told of, newest first",
                     [](const Done& done) {
                         done(leaks_rows(unfinished_records().snapshot(), leak_records().snapshot(), wall()));
                     }));
    tables.add(table("EVENTS", events_columns(), "the last life-cycle events of the process, newest first",
                     [](const Done& done) { done(events_rows(event_records().snapshot())); }));
}

namespace {

// "3 of 10 pinned: 2 by temporary object, 1 by LISTEN, the oldest for 41 s"
std::string described(const std::map<std::string, int, std::less<>>& pins, std::size_t backends,
                      wire::Clock::time_point oldest) {
    int all = 0;
    for (const auto& [label, count] : pins) all += count;
    std::string text = std::to_string(all) + " of " + std::to_string(backends) + " pinned";
    bool first = true;
    for (const auto& [label, count] : pins) {
        text += (std::exchange(first, false) ? ": " : ", ") + std::to_string(count) + " by " + label;
    }
    if (all == 0) return text;
    const auto passed = std::chrono::duration_cast<std::chrono::seconds>(wire::Clock::now() - oldest);
    return text + ", the oldest for " + std::to_string(passed.count()) + " s";
}

// "3 in transactions, 1 of 4 pinned: 1 by temporary object, the oldest for 12 s; longest, for 31 s by
// app@10.0.0.1:50000 (billing), pinned: temporary object"
std::string described(const Home& home) {
    int in_transaction = 0;
    std::map<std::string, int, std::less<>> pins;
    auto oldest_pin = wire::Clock::now();
    const std::vector<pool::BackendRow> backends = home.pool->backends();
    std::optional<SessionView> oldest;
    wire::Clock::time_point since = wire::Clock::time_point::max();
    for (const pool::BackendRow& backend : backends) {
        Session* const session = backend.session == 0 ? nullptr : home.worker->find(backend.session);
        if (session == nullptr) continue;
        SessionView view = session->view();
        if (!view.leased) continue;
        if (view.transaction_since != no_time) ++in_transaction;
        if (!view.pin.empty()) {
            ++pins[std::string(metrics::pin_label(view.pin))];
            if (view.pinned_since != no_time) oldest_pin = std::min(oldest_pin, view.pinned_since);
        }
        auto began = wire::Clock::now();
        for (const auto from : {view.transaction_since, view.pinned_since}) {
            if (from != no_time) began = std::min(began, from);
        }
        if (began < since) {
            since = began;
            oldest = std::move(view);
        }
    }
    std::string text =
        std::to_string(in_transaction) + " in transactions, " + described(pins, backends.size(), oldest_pin);
    if (!oldest) return text;
    const auto passed = std::chrono::duration_cast<std::chrono::seconds>(wire::Clock::now() - since);
    text += "; longest, for " + std::to_string(passed.count()) + " s by " + oldest->user + "@" + oldest->address;
    if (!oldest->application.empty()) text += " (" + oldest->application + ")";
    if (!oldest->pin.empty()) text += ", pinned: " + oldest->pin;
    return text;
}

}  // namespace

void describe_holders(Home& home) {
    // Called on the home's worker; the pool does not outlive its home. Where thousands time out at once they are told
    // the same.
    home.pool->on_timeout_describe([&home, said = std::string(), at = no_time]() mutable {
        const auto now = wire::Clock::now();
        if (at == no_time || now - at > std::chrono::milliseconds(20)) {
            said = described(home);
            at = now;
        }
        return said;
    });
}

}  // namespace leasehold::daemon
