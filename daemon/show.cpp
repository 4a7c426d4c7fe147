// SPDX-License-Identifier: Apache-2.0
#include "daemon/show.hpp"

#include "daemon/admin/records.hpp"
#include "daemon/admin/snapshot.hpp"
#include "daemon/admin/tables.hpp"
#include "daemon/metrics/registry.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using namespace admin;
constexpr auto no_time = wire::Clock::time_point::min();

std::string_view mode_name(config::Mode mode) {
    switch (mode) {
        case config::Mode::transaction: return "transaction";
        case config::Mode::session: return "session";
        case config::Mode::statement: return "statement";
    }
    return "transaction";
}

template <class D>
D since(wire::Clock::time_point at) {
    return at == no_time ? D{0} : std::chrono::duration_cast<D>(wire::Clock::now() - at);
}

SystemTime on_the_wall(wire::Clock::time_point at) {
    return std::chrono::system_clock::now() -
           std::chrono::duration_cast<std::chrono::system_clock::duration>(wire::Clock::now() - at);
}

ClientRow client_row(const SessionView& view, std::string_view dialect) {
    ClientRow row;
    row.id = view.id;
    row.dialect = dialect;
    row.user = view.user;
    row.pool = view.database;
    const std::size_t colon = view.address.rfind(':');
    row.address = view.address.substr(0, colon);
    if (colon != std::string::npos) {
        row.port = static_cast<std::uint16_t>(std::strtoul(view.address.c_str() + colon + 1, nullptr, 10));
    }
    row.connected = on_the_wall(view.connected);
    row.application = view.application;
    row.pin = view.pin;
    row.waiting = since<std::chrono::microseconds>(view.waiting_since);
    row.transaction_time = since<std::chrono::milliseconds>(view.transaction_since);
    if (view.transaction == "active") row.transaction = wire::TransactionStatus::active;
    if (view.transaction == "failed") row.transaction = wire::TransactionStatus::failed;
    row.server_id = view.server_id;
    if (view.state == "login") {
        row.state = ClientRow::State::login;
    } else if (view.state == "waiting") {
        row.state = ClientRow::State::waiting;
    } else if (view.state == "replication") {
        row.state = ClientRow::State::replication;
    } else {
        row.state = view.leased || view.state == "console" ? ClientRow::State::active : ClientRow::State::idle;
    }
    return row;
}

std::vector<ClientRow> clients_of(const Worker& worker) {
    std::vector<ClientRow> rows;
    for (const auto& [id, session] : worker.sessions()) rows.push_back(client_row(session->view(), session->dialect()));
    return rows;
}

std::vector<PoolRow> pools_of(const Worker& worker) {
    std::vector<PoolRow> rows;
    for (const HomePtr& home : worker.homes()) {
        const std::shared_ptr<const config::Pool> settings = home->settings();
        PoolRow row;
        row.name = home->name();
        row.user = home->user;
        row.mode = mode_name(settings->mode);
        row.url = settings->url.render();
        row.stats = home->pool->stats();
        for (const auto& [id, session] : worker.sessions()) {
            if (session->home() != home) continue;
            const SessionView view = session->view();
            if (view.state == "waiting") {
                ++row.clients_waiting;
            } else {
                ++(view.leased ? row.clients_active : row.clients_idle);
            }
            if (!view.pin.empty() && view.leased) ++row.pinned;
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<ServerRow> servers_of(const Worker& worker) {
    std::vector<ServerRow> rows;
    for (const HomePtr& home : worker.homes()) {
        for (pool::BackendRow& backend : home->pool->backends()) {
            rows.push_back({home->name(), home->user, "leasehold " + home->name(), std::move(backend)});
        }
    }
    for (const auto& [id, session] : worker.sessions()) {
        const SessionView view = session->view();
        if (view.state != "replication") continue;
        pool::BackendRow backend;
        backend.id = backend.session = id;
        backend.server_id = view.server_id;
        backend.address = view.server_address;
        backend.state = view.state;
        backend.age = backend.in_state = since<std::chrono::milliseconds>(view.connected);
        rows.push_back({view.pool, session->home()->user, view.application, std::move(backend)});
    }
    return rows;
}

// A table whose rows each worker makes on its own thread.
Table per_worker(Shared& shared, std::string name, std::vector<dialects::Column> columns, std::string description,
                 std::function<Rows(const Worker&)> rows) {
    Table table;
    table.name = std::move(name);
    table.columns = std::move(columns);
    table.description = std::move(description);
    table.gather = [&shared, rows = std::move(rows)](Done done) {
        const Part part = join(shared.workers.size(), std::move(done));
        for (std::size_t i = 0; i < shared.workers.size(); ++i) {
            Worker* worker = shared.workers[i];
            worker->post([worker, part, rows, i] { part(i, rows(*worker)); });
        }
    };
    return table;
}

}  // namespace

void register_tables(Tables& tables, Shared& shared, QuarantineRecords& records, metrics::Registry& metrics) {
    tables.add(per_worker(shared, "POOLS", pools_columns(), "each pool: who is served, who waits, what is open",
                          [](const Worker& worker) { return pools_rows(pools_of(worker)); }));
    tables.add(per_worker(shared, "CLIENTS", clients_columns(), "each client session",
                          [](const Worker& worker) { return clients_rows(clients_of(worker)); }));
    tables.add(per_worker(shared, "SERVERS", servers_columns(), "each backend connection", [](const Worker& worker) {
        return servers_rows(servers_of(worker), std::chrono::system_clock::now());
    }));
    Table quarantine;
    quarantine.name = "QUARANTINE";
    quarantine.columns = quarantine_columns();
    quarantine.description = "unfinished transactions that were ended, newest first";
    quarantine.gather = [&records](Done done) {
        const std::vector<pool::QuarantineRecord> kept = records.snapshot();
        done(quarantine_rows(kept));
    };
    tables.add(std::move(quarantine));
    Table stats;
    stats.name = "STATS";
    stats.columns = stats_columns();
    stats.description = "each pool's counters since the start";
    stats.gather = [&metrics](Done done) { done(stats_rows(metrics)); };
    tables.add(std::move(stats));
}

void describe_holders(Home& home) {
    // Called on the home's worker; the pool does not outlive its home.
    home.pool->on_timeout_describe([&home] {
        int in_transaction = 0;
        int pinned = 0;
        const Session* oldest = nullptr;
        wire::Clock::time_point since = wire::Clock::time_point::max();
        for (const auto& [id, session] : home.worker->sessions()) {
            if (session->home().get() != &home) continue;
            const SessionView view = session->view();
            if (!view.leased) continue;
            if (view.transaction_since != no_time) ++in_transaction;
            if (!view.pin.empty()) ++pinned;
            const auto began = view.transaction_since != no_time ? view.transaction_since : wire::Clock::now();
            if (began < since) {
                since = began;
                oldest = session.get();
            }
        }
        std::string text = std::to_string(in_transaction) + " in transactions, " + std::to_string(pinned) + " pinned";
        if (oldest != nullptr) {
            const SessionView view = oldest->view();
            text += "; the oldest for " + std::to_string(daemon::since<std::chrono::seconds>(since).count()) +
                    " s by " + view.user + "@" + view.address;
            if (!view.application.empty()) text += " (" + view.application + ")";
            if (!view.pin.empty()) text += ", pinned: " + view.pin;
        }
        return text;
    });
}

}  // namespace leasehold::daemon
