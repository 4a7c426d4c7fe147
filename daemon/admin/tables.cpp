// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/tables.hpp"

#include "daemon/admin/cells.hpp"
#include "dialects/wire/text.hpp"

#include <array>
#include <ctime>

namespace leasehold::daemon::admin {
namespace {

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
    if (state == "pinging" || state == "resetting" || state == "finishing") return "tested";
    return state;
}

std::string joined(const std::vector<std::string>& statements) {
    std::string result;
    for (const std::string& statement : statements) result += (result.empty() ? "" : "; ") + statement;
    return result;
}

// In a word or two, what became of what was open.
std::string_view end_of(const pool::QuarantineRecord& record) {
    const auto passed = [&record](std::string_view rung) { return record.rungs.find(rung) != std::string::npos; };
    if (record.outcome.empty()) return "on the ladder";
    if (record.outcome != "readmitted" && !passed("reset")) return "closed";  // the rung behind the proof
    if (!record.holder.in_transaction) return passed("cancel") ? "cancelled" : "clean";
    return passed("cancel") ? "cancelled, rolled back" : "rolled back";
}

}  // namespace

std::string_view transaction_word(wire::TransactionStatus status) noexcept {
    switch (status) {
        case wire::TransactionStatus::idle: return "none";
        case wire::TransactionStatus::active: return "active";
        case wire::TransactionStatus::failed: return "failed";
    }
    return "none";
}

std::string client_name(std::uint64_t session) { return "c" + text(session); }

std::string server_name(const std::string& pool, const std::string& user, std::uint64_t id) {
    return pool + '/' + user + '#' + text(id);
}

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

std::string in_utc(SystemTime at, bool milliseconds) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch());
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since).count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> result{};
    std::size_t length = std::strftime(result.data(), result.size(), "%Y-%m-%d %H:%M:%S", &parts);
    if (milliseconds) {
        const auto beyond = static_cast<int>((since % std::chrono::seconds(1)).count());
        length += static_cast<std::size_t>(
            std::snprintf(result.data() + length, result.size() - length, ".%03d", std::clamp(beyond, 0, 999)));
    }
    return std::string(result.data(), length) + " UTC";
}

void shorten(std::string& text, std::size_t most) {
    if (text.size() <= most) return;
    text.resize(wire::shortened(text, most).size());
    text += "...";
    text.shrink_to_fit();
}

const Columns& pools_columns() {
    static const Columns columns{
        {"database", Type::text},       {"user", Type::text},          {"cl_active", Type::integer},
        {"cl_waiting", Type::integer},  {"sv_active", Type::integer},  {"sv_idle", Type::integer},
        {"sv_used", Type::integer},     {"sv_tested", Type::integer},  {"sv_login", Type::integer},
        {"maxwait", Type::integer},     {"maxwait_us", Type::integer}, {"pool_mode", Type::text},
        {"cl_idle", Type::integer},     {"size", Type::integer},       {"checkedin", Type::integer},
        {"checkedout", Type::integer},  {"overflow", Type::integer},   {"waiting", Type::integer},
        {"quarantined", Type::integer}, {"pinned", Type::integer},     {"replicating", Type::integer},
        {"status", Type::text},         {"last_error", Type::text},    {"url", Type::text},
    };
    return columns;
}

Rows pools_rows(std::span<const PoolRow> pools) {
    Rows rows;
    for (const PoolRow& pool : pools) {
        const pool::Stats& stats = pool.stats;
        // cl_active counts those that do not wait, as PgBouncer's. sv_used counts servers that must be tested before
        // use; ours are tested when they are wanted.
        rows.push_back({pool.name,
                        pool.user,
                        text(pool.clients_active + pool.clients_idle),
                        text(pool.clients_waiting),
                        text(stats.checkedout),
                        text(stats.checkedin),
                        text(0),
                        text(stats.open - stats.checkedout - stats.checkedin - stats.dialling),
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
                        text(pool.replicating),
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
        {"local_addr", Type::text},
        {"local_port", Type::integer},
        {"connect_time", Type::text},
        {"request_time", Type::text},
        {"wait", Type::integer},
        {"wait_us", Type::integer},
        {"close_needed", Type::integer},
        {"ptr", Type::text},
        {"link", Type::text},
        {"tls", Type::text},
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
    rows.reserve(clients.size());
    for (const ClientRow& client : clients) {
        rows.push_back({"C",
                        client.user,
                        client.pool,
                        std::string(to_string(client.state)),
                        client.address,
                        text(client.port),
                        client.local_address,
                        text(client.local_port),
                        in_utc(client.connected),
                        when(client.requested),
                        whole<std::chrono::seconds>(client.waiting),
                        beyond_seconds(client.waiting),
                        flag(client.ending),
                        client_name(client.id),
                        client.link,
                        client.encrypted ? "TLS" : "",
                        client.application,
                        text(client.id),
                        client.dialect,
                        unless_empty(client.pin),
                        std::string(transaction_word(client.transaction)),
                        in_seconds(client.transaction_time),
                        unless_zero(client.server_id)});
    }
    return rows;
}

const Columns& servers_columns() {
    static const Columns columns{
        {"type", Type::text},
        {"user", Type::text},
        {"database", Type::text},
        {"state", Type::text},
        {"addr", Type::text},
        {"port", Type::integer},
        {"connect_time", Type::text},
        {"close_needed", Type::integer},
        {"ptr", Type::text},
        {"link", Type::text},
        {"remote_pid", Type::integer},
        {"application_name", Type::text},
        {"id", Type::integer},
        {"age_seconds", Type::integer},
        {"state_seconds", Type::integer},
        {"leases", Type::integer},
        {"session", Type::integer},
    };
    return columns;
}

Rows servers_rows(std::span<const ServerRow> servers, SystemTime now) {
    Rows rows;
    for (const ServerRow& server : servers) {
        const pool::BackendRow& backend = server.backend;
        const auto [host, port] = host_and_port(backend.address);
        rows.push_back(
            {"S", server.user, server.pool, std::string(server_state(backend.state)), host, port,
             in_utc(now - backend.age), flag(backend.stale), server_name(server.pool, server.user, backend.id),
             backend.session == 0 ? std::string() : client_name(backend.session), unless_zero(backend.server_id),
             server.application, text(backend.id), whole<std::chrono::seconds>(backend.age),
             whole<std::chrono::seconds>(backend.in_state), text(backend.leases), unless_zero(backend.session)});
    }
    return rows;
}

const Columns& quarantine_columns() {
    static const Columns columns{
        {"id", Type::integer},      {"time", Type::text},          {"database", Type::text},
        {"user", Type::text},       {"addr", Type::text},          {"application_name", Type::text},
        {"session", Type::integer}, {"reason", Type::text},        {"transaction_ms", Type::integer},
        {"statements", Type::text}, {"outcome", Type::text},       {"took_ms", Type::integer},
        {"rungs", Type::text},      {"remote_pid", Type::integer}, {"ended", Type::text},
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
                        unless_zero(record.server_id), std::string(end_of(record))});
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
