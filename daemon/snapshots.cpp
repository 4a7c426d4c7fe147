// SPDX-License-Identifier: Apache-2.0
#include "daemon/snapshots.hpp"

#include "daemon/hub.hpp"
#include "daemon/logging.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using namespace admin;

constexpr auto no_time = wire::Clock::time_point::min();

// Both clocks at one moment.
struct Now {
    wire::Clock::time_point steady = wire::Clock::now();
    SystemTime wall = std::chrono::system_clock::now();

    [[nodiscard]] SystemTime on_the_wall(wire::Clock::time_point at) const {
        return wall - std::chrono::duration_cast<SystemTime::duration>(steady - at);
    }
    template <class D>
    [[nodiscard]] D since(wire::Clock::time_point at) const {
        return at == no_time ? D{0} : std::chrono::duration_cast<D>(steady - at);
    }
};

std::string_view mode_name(config::Mode mode) {
    switch (mode) {
        case config::Mode::transaction: return "transaction";
        case config::Mode::session: return "session";
        case config::Mode::statement: return "statement";
    }
    return "transaction";
}

ClientRow::State state_of(const SessionView& view) {
    using State = ClientRow::State;
    if (view.state == "login") return State::login;
    if (view.state == "waiting") return State::waiting;
    if (view.state == "replication") return State::replication;
    return view.leased || view.state == "console" ? State::active : State::idle;
}

ClientRow client_row(const Session& session, const Now& now) {
    SessionView view = session.view();
    ClientRow row;
    row.id = view.id;
    row.dialect = session.dialect();
    row.user = std::move(view.user);
    row.pool = view.pool.empty() ? std::move(view.database) : std::move(view.pool);
    row.state = state_of(view);
    const std::size_t colon = view.address.rfind(':');
    if (colon != std::string::npos) {
        row.port = static_cast<std::uint16_t>(std::strtoul(view.address.c_str() + colon + 1, nullptr, 10));
        view.address.resize(colon);
    }
    row.address = std::move(view.address);
    row.local_address = std::move(view.listener);
    row.local_port = view.listener_port;
    row.connected = now.on_the_wall(view.connected);
    if (view.requested != wire::Clock::time_point{}) row.requested = now.on_the_wall(view.requested);
    row.application = std::move(view.application);
    row.pin = std::move(view.pin);
    row.pin_statement = std::move(view.pin_statement);
    row.pin_time = now.since<std::chrono::milliseconds>(view.pinned_since);
    row.waiting = now.since<std::chrono::microseconds>(view.waiting_since);
    row.transaction_time = now.since<std::chrono::milliseconds>(view.transaction_since);
    if (view.transaction == "active") row.transaction = wire::TransactionStatus::active;
    if (view.transaction == "failed") row.transaction = wire::TransactionStatus::failed;
    row.running = view.running;
    row.ending = view.ending;
    row.encrypted = view.encrypted;
    row.server_id = view.server_id;
    return row;
}

}  // namespace

void post_to(Worker& worker, std::function<void()> task) { worker.post(std::move(task)); }

// Without memory, say, the question goes unanswered; the daemon does not.
void post_report(Shared& shared, std::function<void()> task) {
    boost::asio::post(shared.reports, [task = std::move(task)] {
        try {
            task();
        } catch (const std::exception& problem) {
            log_error("console_failed", {{"reason", problem.what()}});
        }
    });
}

std::vector<ClientRow> clients_of(const Worker& worker) {
    std::unordered_map<std::uint64_t, std::string> links;  // by session: the backend that it holds
    for (const HomePtr& home : worker.homes()) {
        for (const pool::BackendRow& backend : home->pool->backends()) {
            if (backend.session != 0) links[backend.session] = server_name(home->name(), home->user, backend.id);
        }
    }
    const Now now;
    std::vector<ClientRow> rows;
    rows.reserve(worker.sessions().size());
    for (const auto& [id, session] : worker.sessions()) {
        rows.push_back(client_row(*session, now));
        if (const auto link = links.find(id); link != links.end()) rows.back().link = link->second;
    }
    return rows;
}

std::vector<PoolRow> pools_of(const Worker& worker) {
    std::vector<PoolRow> rows;
    std::unordered_map<const Home*, std::size_t> places;
    for (const HomePtr& home : worker.homes()) {
        const std::shared_ptr<const Terms> terms = home->terms();
        places[home.get()] = rows.size();
        PoolRow row;
        row.name = home->name();
        row.user = home->user;
        row.settings = terms->settings;
        row.mode = mode_name(row.settings->mode);
        row.url = row.settings->url.render();
        row.stats = home->pool->stats();
        row.server_limit = terms->quota ? std::max(terms->quota->limit(), 0) : 0;
        row.replicating = home->replicating;
        row.disabled = worker.shared().standing.disabled(row.name);
        rows.push_back(std::move(row));
    }
    for (const auto& [id, session] : worker.sessions()) {
        const auto place = places.find(session->home().get());
        const Session::Glance is = session->glance();
        if (place == places.end() || is.login) continue;
        PoolRow& row = rows[place->second];
        ++(is.waiting ? row.clients_waiting : is.leased || is.replicating ? row.clients_active : row.clients_idle);
        if (is.pinned) ++row.pinned;
    }
    return rows;
}

std::vector<ServerRow> servers_of(const Worker& worker) {
    const Now now;
    std::vector<ServerRow> rows;
    for (const HomePtr& home : worker.homes()) {
        for (pool::BackendRow& backend : home->pool->backends()) {
            rows.push_back({home->name(), home->user, "leasehold " + home->name(), std::move(backend)});
        }
    }
    for (const auto& [id, session] : worker.sessions()) {
        if (!session->glance().replicating) continue;
        const SessionView view = session->view();
        pool::BackendRow backend;
        backend.id = backend.session = id;
        backend.server_id = view.server_id;
        backend.address = view.server_address;
        backend.state = view.state;
        backend.age = backend.in_state = now.since<std::chrono::milliseconds>(view.connected);
        rows.push_back({view.pool, session->home()->user, view.application, std::move(backend)});
    }
    return rows;
}

std::vector<LeaseRow> leases_of(const Worker& worker) {
    const Now now;
    std::vector<LeaseRow> rows;
    for (const HomePtr& home : worker.homes()) {
        for (pool::BackendRow& backend : home->pool->backends()) {
            if (backend.state != "leased") continue;
            LeaseRow row;
            row.pool = home->name();
            if (const auto holder = worker.sessions().find(backend.session); holder != worker.sessions().end()) {
                row.holder = client_row(*holder->second, now);
                row.statement = holder->second->last_statement();
            }
            row.backend = std::move(backend);
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::vector<ListenerRow> listeners_of(const Worker& worker) {
    std::vector<ListenerRow> rows;
    for (const std::shared_ptr<Hub>& hub : worker.shared().hubs.all()) {
        if (hub->worker() == &worker) rows.push_back(hub->row());
    }
    return rows;
}

std::vector<WaiterRow> waiters_of(const Worker& worker) {
    const Now now;
    std::vector<WaiterRow> rows;
    for (const HomePtr& home : worker.homes()) {
        int position = 0;
        for (const pool::WaitingRow& waiting : home->pool->waiting()) {
            WaiterRow row;
            row.pool = home->name();
            row.pool_user = home->user;
            row.position = ++position;
            row.waited = waiting.waited;
            if (const auto session = worker.sessions().find(waiting.session); session != worker.sessions().end()) {
                row.client = client_row(*session->second, now);
            }
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::vector<Counts> counts_of(const Worker& worker) {
    Counts counts;
    for (const auto& [id, session] : worker.sessions()) {
        const Session::Glance is = session->glance();
        if (is.login) {
            ++counts.logins;
            continue;
        }
        ++counts.clients;
        counts.console += is.console ? 1 : 0;
        counts.waiting += is.waiting ? 1 : 0;
        counts.leased += is.leased ? 1 : 0;
        counts.pinned += is.pinned ? 1 : 0;
        counts.replicating += is.replicating ? 1 : 0;
        if (!is.console) ++counts.by_user[session->user()];
    }
    return {std::move(counts)};
}

}  // namespace leasehold::daemon
