// SPDX-License-Identifier: Apache-2.0
// The only file that knows libpq.
#include "dialects/postgres/control.hpp"

#include "dialects/postgres/scram.hpp"

#include <libpq-fe.h>

#include <cstdlib>

namespace leasehold::postgres {
namespace {

struct Finish {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct Clear {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Result = std::unique_ptr<PGresult, Clear>;

// libpq would look into a home directory: what the data plane does not do, the control plane does not do either.
const std::string no_file = "/dev/null/none";

// What "system" means to a libpq that does not know it.
std::string root_of(const config::Url& url) {
    const std::string_view root = url.option("sslrootcert");
    if (root.empty()) return no_file;
    if (root != "system" || PQlibVersion() >= 160000) return std::string(root);
    return "/etc/ssl/certs/ca-certificates.crt";
}

Connection connect(const config::Url& url, std::chrono::seconds timeout, bool in_any_role = false) {
    std::string hosts;
    std::string ports;
    for (const config::HostPort& host : url.hosts) {
        if (!hosts.empty()) {
            hosts += ',';
            ports += ',';
        }
        hosts += host.host;
        ports += std::to_string(host.port);
    }
    const std::string limit = std::to_string(timeout.count());
    const auto option = [&url](std::string_view key) { return std::string(url.option(key)); };
    std::vector<std::pair<const char*, std::string>> parameters{
        {"host", hosts},
        {"port", ports},
        {"user", url.user},
        {"dbname", url.database.empty() ? url.user : url.database},
        {"password", url.password.value_or("")},
        {"sslmode", std::string(config::to_string(url.server_tls()))},
        {"sslrootcert", root_of(url)},
        {"sslcert", url.option("sslcert").empty() ? no_file : option("sslcert")},
        {"sslkey", option("sslkey")},
        {"sslcrl", no_file},
        {"sslsni", option("sslsni")},
        {"channel_binding", option("channel_binding")},
        {"gssencmode", "disable"},
        {"target_session_attrs", in_any_role ? std::string() : option("target_session_attrs")},
        {"connect_timeout", limit},
        {"application_name", "leasehold control"},
        {"options", "-c statement_timeout=" + limit + "s"},
    };
    // Older ones do not know it, and come to the same by the longer way.
    if (PQlibVersion() >= 170000) parameters.emplace_back("sslnegotiation", option("sslnegotiation"));
    std::erase_if(parameters, [](const auto& parameter) { return parameter.second.empty(); });
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : parameters) {
        names.push_back(name);
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    return Connection(PQconnectdbParams(names.data(), values.data(), 0));
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (char& c : text) {
        if (c == '\n') c = ' ';
    }
    return text;
}

std::string one_value(PGconn* connection, const char* sql) {
    const Result result(PQexec(connection, sql));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) != 1) return {};
    return PQgetvalue(result.get(), 0, 0);
}

int number(PGconn* connection, const char* setting) {
    const std::string sql = std::string("SELECT setting FROM pg_catalog.pg_settings WHERE name = '") + setting + "'";
    return std::atoi(one_value(connection, sql.c_str()).c_str());
}

}  // namespace

dialects::ServerReport Control::report(const config::Url& url, std::chrono::seconds timeout) {
    dialects::ServerReport report;
    if (url.password && parse_scram_verifier(*url.password)) {
        report.error = "the password is a SCRAM verifier, which logs in nowhere before a client has";
        return report;
    }
    const Connection connection = connect(url, timeout);
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        report.error = trimmed(PQerrorMessage(connection.get()));
        if (url.option("target_session_attrs").empty()) return report;
        // One that answers, and is not the one that is looked for, says its version.
        const Connection any = connect(url, timeout, true);
        const char* said =
            PQstatus(any.get()) == CONNECTION_OK ? PQparameterStatus(any.get(), "server_version") : nullptr;
        if (said != nullptr) report.version = said;
        return report;
    }
    report.reachable = true;
    const char* version = PQparameterStatus(connection.get(), "server_version");
    report.version = version == nullptr ? "unknown" : version;
    const auto before = std::chrono::steady_clock::now();
    (void)one_value(connection.get(), "SELECT 1");
    report.round_trip =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - before);
    report.tls = PQsslInUse(connection.get()) == 1;
    if (report.tls) {
        const char* protocol = PQsslAttribute(connection.get(), "protocol");
        report.tls_version = protocol == nullptr ? "TLS" : protocol;
    }
    report.max_connections = number(connection.get(), "max_connections");
    report.reserved_connections =
        number(connection.get(), "superuser_reserved_connections") + number(connection.get(), "reserved_connections");
    // Milliseconds; PostgreSQL 14 and later.
    report.idle_limit = std::chrono::seconds(number(connection.get(), "idle_session_timeout") / 1000);
    return report;
}

dialects::OrphansEnded Control::end_orphans(const config::Url& url, const std::vector<dialects::Orphan>& orphans,
                                            std::chrono::seconds timeout) {
    dialects::OrphansEnded result;
    const Connection connection = connect(url, timeout);
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        result.error = trimmed(PQerrorMessage(connection.get()));
        return result;
    }
    result.reachable = true;
    for (const dialects::Orphan& orphan : orphans) {
        const std::string id = std::to_string(orphan.server_id), port = std::to_string(orphan.port),
                          since = std::to_string(orphan.since);
        const char* const values[] = {id.c_str(), port.c_str(), since.c_str()};
        // Found first, and ended then: a server may ask the parts of one condition in any order.
        const Result found(PQexecParams(
            connection.get(),
            "SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = $1::int AND usename = current_user AND"
            " (client_port = nullif($2::int, 0) OR (client_port = -1 AND $2::int = 0 AND"
            " abs(extract(epoch FROM backend_start)::float8 - $3::float8) < 3))",
            3, nullptr, values, nullptr, nullptr, 0));
        if (PQresultStatus(found.get()) != PGRES_TUPLES_OK) {
            result.error = trimmed(PQerrorMessage(connection.get()));
            break;
        }
        if (PQntuples(found.get()) == 0) continue;
        const Result answer(PQexecParams(connection.get(), "SELECT pg_catalog.pg_terminate_backend($1::int)", 1,
                                         nullptr, values, nullptr, nullptr, 0));
        if (PQresultStatus(answer.get()) == PGRES_TUPLES_OK) {
            ++result.ended;
        } else {
            result.error = trimmed(PQerrorMessage(connection.get()));
        }
    }
    return result;
}

}  // namespace leasehold::postgres
