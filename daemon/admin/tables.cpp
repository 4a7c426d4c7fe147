// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/tables.hpp"

#include "daemon/metrics/names.hpp"
#include "daemon/metrics/registry.hpp"

#include <array>
#include <ctime>
#include <map>

namespace leasehold::daemon::admin {
namespace {

using Type = dialects::Column::Type;

template <class Number>
std::string text(Number number) {
    return std::to_string(number);
}

template <class Unit, class Rep, class Period>
std::string whole(std::chrono::duration<Rep, Period> time) {
    return std::to_string(std::chrono::floor<Unit>(time).count());
}

// NULL rather than a nought that looks like a value.
std::optional<std::string> unless_zero(std::uint64_t number) {
    if (number == 0) return std::nullopt;
    return std::to_string(number);
}

std::optional<std::string> unless_empty(const std::string& value) {
    if (value.empty()) return std::nullopt;
    return value;
}

// PgBouncer gives a wait as whole seconds and the microseconds beyond them.
std::string beyond_seconds(std::chrono::microseconds time) { return text((time % std::chrono::seconds(1)).count()); }

std::string_view status_of(const pool::Stats& stats) noexcept {
    if (stats.paused) return "paused";
    return stats.last_error.empty() ? "ok" : "failing";
}

// "db.internal:5432", "[::1]:5432", "/run/postgresql:5432"
std::pair<std::string, std::string> host_and_port(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos || address.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
        return {address, "0"};
    }
    return {address.substr(0, colon), address.substr(colon + 1)};
}

// PgBouncer's words for a server's state.
std::string_view server_state(const std::string& state) noexcept {
    if (state == "leased") return "active";
    if (state == "dialling") return "login";
    if (state == "pinging" || state == "resetting") return "tested";
    return state;
}

std::string_view transaction_word(wire::TransactionStatus status) noexcept {
    switch (status) {
        case wire::TransactionStatus::idle: return "none";
        case wire::TransactionStatus::active: return "active";
        case wire::TransactionStatus::failed: return "failed";
    }
    return "none";
}

std::string joined(const std::vector<std::string>& statements) {
    std::string result;
    for (const std::string& statement : statements) result += (result.empty() ? "" : "; ") + statement;
    return result;
}

// A column of SHOW STATS and the metric whose series are added up in it.
struct Statistic {
    std::string_view column;
    std::string_view metric;
    bool sum = false;  // a histogram's sum, in microseconds, instead of a count
};

namespace names = metrics::names;

constexpr std::array statistics{
    Statistic{"total_xact_count", names::transactions},
    Statistic{"total_query_count", names::queries},
    Statistic{"total_received", names::received_bytes},
    Statistic{"total_sent", names::sent_bytes},
    Statistic{"total_wait_time", names::wait_seconds, true},
    Statistic{"total_lease_time", names::lease_seconds, true},
    Statistic{"checkouts", names::checkouts},
    Statistic{"checkins", names::checkins},
    Statistic{"timeouts", names::timeouts},
    Statistic{"connects", names::connects},
    Statistic{"connect_failures", names::connect_failures},
    Statistic{"resets", names::resets},
    Statistic{"invalidations", names::invalidations},
    Statistic{"closes", names::closes},
    Statistic{"quarantines", names::quarantines},
};

}  // namespace

std::string_view to_string(ClientRow::State state) noexcept {
    switch (state) {
        case ClientRow::State::login: return "login";
        case ClientRow::State::idle: return "idle";
        case ClientRow::State::waiting: return "waiting";
        case ClientRow::State::active: return "active";
        case ClientRow::State::replication: return "replication";
    }
    return "login";
}

std::string in_utc(SystemTime at) {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> result{};
    std::strftime(result.data(), result.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return result.data();
}

const Columns& pools_columns() {
    static const Columns columns{
        {"database", Type::text},       {"user", Type::text},          {"cl_active", Type::integer},
        {"cl_waiting", Type::integer},  {"sv_active", Type::integer},  {"sv_idle", Type::integer},
        {"sv_used", Type::integer},     {"sv_tested", Type::integer},  {"sv_login", Type::integer},
        {"maxwait", Type::integer},     {"maxwait_us", Type::integer}, {"pool_mode", Type::text},
        {"cl_idle", Type::integer},     {"size", Type::integer},       {"checkedin", Type::integer},
        {"checkedout", Type::integer},  {"overflow", Type::integer},   {"waiting", Type::integer},
        {"quarantined", Type::integer}, {"pinned", Type::integer},     {"status", Type::text},
        {"last_error", Type::text},     {"url", Type::text},
    };
    return columns;
}

Rows pools_rows(std::span<const PoolRow> pools) {
    Rows rows;
    for (const PoolRow& pool : pools) {
        const pool::Stats& stats = pool.stats;
        // sv_used counts servers that must be tested before use; ours are tested when they are wanted.
        rows.push_back({pool.name,
                        pool.user,
                        text(pool.clients_active),
                        text(pool.clients_waiting),
                        text(stats.checkedout),
                        text(stats.checkedin),
                        text(0),
                        text(stats.quarantined),
                        text(stats.dialling),
                        whole<std::chrono::seconds>(stats.oldest_wait),
                        beyond_seconds(stats.oldest_wait),
                        pool.mode,
                        text(pool.clients_idle),
                        text(stats.size),
                        text(stats.checkedin),
                        text(stats.checkedout),
                        text(stats.overflow),
                        text(stats.waiting),
                        text(stats.quarantined),
                        text(pool.pinned),
                        std::string(status_of(stats)),
                        unless_empty(stats.last_error),
                        pool.url});
    }
    return rows;
}

const Columns& clients_columns() {
    static const Columns columns{
        {"type", Type::text},
        {"user", Type::text},
        {"database", Type::text},
        {"state", Type::text},
        {"addr", Type::text},
        {"port", Type::integer},
        {"connect_time", Type::text},
        {"wait", Type::integer},
        {"wait_us", Type::integer},
        {"application_name", Type::text},
        {"id", Type::integer},
        {"dialect", Type::text},
        {"pin", Type::text},
        {"transaction", Type::text},
        {"transaction_seconds", Type::real},
        {"server_pid", Type::integer},
    };
    return columns;
}

Rows clients_rows(std::span<const ClientRow> clients) {
    Rows rows;
    for (const ClientRow& client : clients) {
        std::string seconds = text(static_cast<double>(client.transaction_time.count()) / 1000.0);
        seconds.resize(seconds.size() - 3);  // milliseconds
        rows.push_back({"C", client.user, client.pool, std::string(to_string(client.state)), client.address,
                        text(client.port), in_utc(client.connected), whole<std::chrono::seconds>(client.waiting),
                        beyond_seconds(client.waiting), client.application, text(client.id), client.dialect,
                        unless_empty(client.pin), std::string(transaction_word(client.transaction)), seconds,
                        unless_zero(client.server_id)});
    }
    return rows;
}

const Columns& servers_columns() {
    static const Columns columns{
        {"type", Type::text},         {"user", Type::text},           {"database", Type::text},
        {"state", Type::text},        {"addr", Type::text},           {"port", Type::integer},
        {"connect_time", Type::text}, {"remote_pid", Type::integer},  {"application_name", Type::text},
        {"id", Type::integer},        {"age_seconds", Type::integer}, {"state_seconds", Type::integer},
        {"leases", Type::integer},    {"session", Type::integer},
    };
    return columns;
}

Rows servers_rows(std::span<const ServerRow> servers, SystemTime now) {
    Rows rows;
    for (const ServerRow& server : servers) {
        const pool::BackendRow& backend = server.backend;
        const auto [host, port] = host_and_port(backend.address);
        rows.push_back({"S", server.user, server.pool, std::string(server_state(backend.state)), host, port,
                        in_utc(now - backend.age), unless_zero(backend.server_id), server.application, text(backend.id),
                        whole<std::chrono::seconds>(backend.age), whole<std::chrono::seconds>(backend.in_state),
                        text(backend.leases), unless_zero(backend.session)});
    }
    return rows;
}

const Columns& quarantine_columns() {
    static const Columns columns{
        {"id", Type::integer},      {"time", Type::text},          {"database", Type::text},
        {"user", Type::text},       {"addr", Type::text},          {"application_name", Type::text},
        {"session", Type::integer}, {"reason", Type::text},        {"transaction_ms", Type::integer},
        {"statements", Type::text}, {"outcome", Type::text},       {"took_ms", Type::integer},
        {"rungs", Type::text},      {"remote_pid", Type::integer},
    };
    return columns;
}

Rows quarantine_rows(std::span<const pool::QuarantineRecord> records) {
    Rows rows;
    for (const pool::QuarantineRecord& record : records) {
        const bool over = !record.outcome.empty();
        rows.push_back({text(record.id), in_utc(record.at), record.pool, record.holder.user, record.holder.client,
                        record.holder.application, unless_zero(record.holder.session),
                        std::string(pool::to_string(record.reason)), text(record.in_transaction.count()),
                        joined(record.holder.statements), over ? record.outcome : "on the ladder",
                        over ? std::optional(text(record.took.count())) : std::nullopt, record.rungs,
                        unless_zero(record.server_id)});
    }
    return rows;
}

const Columns& stats_columns() {
    static const Columns columns = [] {
        Columns result{{"database", Type::text}};
        for (const Statistic& statistic : statistics) result.push_back({std::string(statistic.column), Type::integer});
        return result;
    }();
    return columns;
}

Rows stats_rows(const metrics::Registry& registry) {
    std::map<std::string, std::array<std::optional<std::int64_t>, statistics.size()>, std::less<>> pools;
    registry.visit([&](const metrics::Sample& sample) {
        const std::string_view pool = sample.label("pool");
        if (pool.empty()) return;
        for (std::size_t i = 0; i < statistics.size(); ++i) {
            if (sample.name != statistics[i].metric) continue;
            const auto microseconds = std::chrono::floor<std::chrono::microseconds>(sample.sum).count();
            auto& value = pools[std::string(pool)][i];
            value = value.value_or(0) + (statistics[i].sum ? microseconds : sample.value);
        }
    });
    Rows rows;
    for (const auto& [pool, values] : pools) {
        Row row{pool};
        for (const auto& value : values) {
            row.push_back(value ? std::optional(std::to_string(*value)) : std::nullopt);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
