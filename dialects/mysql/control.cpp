// SPDX-License-Identifier: Apache-2.0
// The only file that knows MariaDB's client library.
#include "dialects/mysql/control.hpp"

#include "dialects/mysql/greeting.hpp"
#include "dialects/mysql/hosts.hpp"
#include "dialects/mysql/server_dial.hpp"

#include <mysql.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>
#include <mutex>

namespace leasehold::mysql {
namespace {

struct Close {
    void operator()(MYSQL* connection) const noexcept { mysql_close(connection); }
};
struct Free {
    void operator()(MYSQL_RES* result) const noexcept { mysql_free_result(result); }
};
using Connection = std::unique_ptr<MYSQL, Close>;
using Result = std::unique_ptr<MYSQL_RES, Free>;

void initialize() {
    static std::once_flag once;
    std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
}

// The library keeps per-thread memory; whoever calls from a thread of his own leaves none behind.
class ThreadScope {
  public:
    ThreadScope() { mysql_thread_init(); }
    ~ThreadScope() { mysql_thread_end(); }
    ThreadScope(const ThreadScope&) = delete;
    ThreadScope& operator=(const ThreadScope&) = delete;
};

// "Enforced" means to libmariadb: TLS where the server offers it. Whether it was there is looked at afterwards.
void set_up_tls(MYSQL* connection, const config::Url& url) {
    using config::TlsMode;
    const TlsMode mode = url.server_tls();
    const my_bool enforce = 1;
    const my_bool verify = mode == TlsMode::verify_full ? 1 : 0;
    if (mode == TlsMode::disable) return;
    const config::TlsFiles files = url.tls_files();
    const auto path = [](const std::string& named) { return named.empty() ? nullptr : named.c_str(); };
    const char* authority = files.ca == "system" ? "/etc/ssl/certs/ca-certificates.crt" : path(files.ca);
    mysql_ssl_set(connection, path(files.key), path(files.cert), authority, path(files.ca_folder), nullptr);
    if (!files.crl.empty()) mysql_optionsv(connection, MYSQL_OPT_SSL_CRL, files.crl.c_str());
    mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

void set_up(MYSQL* connection, const config::Url& url, std::chrono::seconds timeout) {
    const auto limit = static_cast<unsigned>(std::max<std::chrono::seconds::rep>(1, timeout.count()));
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &limit);
    mysql_options(connection, MYSQL_OPT_READ_TIMEOUT, &limit);
    mysql_options(connection, MYSQL_OPT_WRITE_TIMEOUT, &limit);
    mysql_optionsv(connection, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "leasehold control");
    if (url.over_network()) set_up_tls(connection, url);
}

// One host. The error stays in `connection`.
bool connect(MYSQL* connection, const config::Url& url, const config::HostPort& host) {
    const std::string password = url.password.value_or("");
    const char* database = url.database.empty() ? nullptr : url.database.c_str();
    // "localhost" would mean a unix socket to the library; here it is a name like any other, unless a certificate is
    // to be for it.
    const bool renamed = host.host == "localhost" && url.server_tls() != config::TlsMode::verify_full;
    const std::string name = renamed ? "127.0.0.1" : host.host;
    const unsigned protocol = host.unix_socket() ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mysql_optionsv(connection, MYSQL_OPT_PROTOCOL, &protocol);
    const std::string path = host.unix_socket() ? socket_of(host.host) : std::string();
    return mysql_real_connect(connection, path.empty() ? name.c_str() : nullptr, url.user.c_str(), password.c_str(),
                              database, path.empty() ? host.port : 0u, path.empty() ? nullptr : path.c_str(),
                              0) != nullptr;
}

std::string_view cipher_of(MYSQL* connection) {
    const char* cipher = mysql_get_ssl_cipher(connection);
    return cipher == nullptr ? std::string_view() : std::string_view(cipher);
}

std::string text_of(MYSQL* connection, const char* sql) {
    if (mysql_query(connection, sql) != 0) return {};
    const Result result(mysql_store_result(connection));
    MYSQL_ROW row = result ? mysql_fetch_row(result.get()) : nullptr;
    return row == nullptr || row[0] == nullptr ? std::string() : std::string(row[0]);
}

long long number(MYSQL* connection, const char* sql) {
    const std::string text = text_of(connection, sql);
    long long value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// Whether a line of the process list is that connection.
bool is_orphan(MYSQL_ROW row, const config::Url& url, const dialects::Orphan& orphan, long long server_began) {
    if (row[0] == nullptr || row[1] == nullptr || row[2] == nullptr || row[1] != url.user) return false;
    if (row[0] != std::to_string(orphan.server_id)) return false;
    const std::string_view host(row[2]);
    if (orphan.port > 0) return host.ends_with(':' + std::to_string(orphan.port));
    return host == "localhost" && server_began <= orphan.since;  // then no other connection ever had that number
}

long long began(MYSQL* connection) {
    if (mysql_query(connection, "SHOW GLOBAL STATUS LIKE 'Uptime'") != 0) return std::time(nullptr);
    const Result result(mysql_store_result(connection));
    MYSQL_ROW row = result ? mysql_fetch_row(result.get()) : nullptr;
    long long uptime = 0;
    if (row != nullptr && row[1] != nullptr) std::from_chars(row[1], row[1] + std::strlen(row[1]), uptime);
    return std::time(nullptr) - uptime;
}

}  // namespace

dialects::ServerReport Control::report(const config::Url& url, std::chrono::seconds timeout) {
    initialize();
    const ThreadScope thread;
    dialects::ServerReport report;
    // The first that answers: what a failed one leaves behind in a connection is not the next one's.
    Connection connection;
    for (const config::HostPort& host : url.hosts) {
        connection.reset(mysql_init(nullptr));
        if (!connection) {
            report.error = "out of memory";
            return report;
        }
        set_up(connection.get(), url, timeout);
        report.reachable = connect(connection.get(), url, host);
        const bool plain = report.reachable && cipher_of(connection.get()).empty();
        const bool demanded = !host.unix_socket() && url.server_tls() >= config::TlsMode::require;
        const Role role = role_of(url.option("role"));
        const bool will_do = report.reachable && !(plain && demanded);
        const std::string read_only =
            will_do && role != Role::any ? text_of(connection.get(), "SELECT @@global.read_only") : std::string();
        const bool unfit = !read_only.empty() && !fits_role(role, read_only);
        if (will_do && !unfit) break;
        // It answers, and is not the one that is looked for.
        if (unfit) report.version = mysql_get_server_info(connection.get());
        report.error += report.error.empty() ? "" : "; ";
        if (unfit) {
            report.error += unfit_because(role);
        } else {
            report.error += report.reachable ? "the server does not offer TLS" : mysql_error(connection.get());
        }
        report.reachable = false;
    }
    if (!report.reachable) return report;
    report.error.clear();
    report.version = mysql_get_server_info(connection.get());
    report.family = family_of(report.version);
    const auto before = std::chrono::steady_clock::now();
    (void)number(connection.get(), "SELECT 1");
    report.round_trip =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - before);
    report.tls = !cipher_of(connection.get()).empty();
    const char* version = nullptr;
    if (report.tls && mariadb_get_infov(connection.get(), MARIADB_CONNECTION_TLS_VERSION, &version) == 0 &&
        version != nullptr) {
        report.tls_version = version;
    }
    report.max_connections = static_cast<int>(number(connection.get(), "SELECT @@global.max_connections"));
    // Servers keep one beyond max_connections for administrators: none of the others' is reserved.
    report.reserved_connections = 0;
    report.idle_limit = std::chrono::seconds(number(connection.get(), "SELECT @@session.wait_timeout"));
    // One more than there are: 0 says that the question failed.
    report.refuses_native = number(connection.get(),
                                   "SELECT 1 + COUNT(*) FROM information_schema.plugins WHERE plugin_status = 'ACTIVE'"
                                   " AND plugin_name = 'mysql_native_password'") == 1;
    return report;
}

dialects::OrphansEnded Control::end_orphans(const config::Url& url, const std::vector<dialects::Orphan>& orphans,
                                            std::chrono::seconds timeout) {
    initialize();
    const ThreadScope thread;
    dialects::OrphansEnded result;
    const Connection connection(mysql_init(nullptr));
    if (!connection) return result;
    set_up(connection.get(), url, timeout);
    result.reachable = connect(connection.get(), url, url.hosts.front());
    const auto fail = [&] { result.error = mysql_error(connection.get()); };
    if (!result.reachable) {
        fail();
        return result;
    }
    const bool plain = cipher_of(connection.get()).empty();
    if (plain && !url.hosts.front().unix_socket() && url.server_tls() >= config::TlsMode::require) {
        result.error = "the server does not offer TLS";
        return result;
    }
    const long long server_began = began(connection.get());
    if (mysql_query(connection.get(), "SHOW PROCESSLIST") != 0) {
        fail();
        return result;
    }
    std::vector<std::uint64_t> there;
    {
        const Result rows(mysql_store_result(connection.get()));
        while (MYSQL_ROW row = rows ? mysql_fetch_row(rows.get()) : nullptr) {
            for (const dialects::Orphan& orphan : orphans) {
                if (is_orphan(row, url, orphan, server_began)) there.push_back(orphan.server_id);
            }
        }
    }
    for (const std::uint64_t id : there) {
        if (mysql_query(connection.get(), ("KILL " + std::to_string(id)).c_str()) == 0) {
            ++result.ended;
        } else {
            fail();
        }
    }
    return result;
}

}  // namespace leasehold::mysql
