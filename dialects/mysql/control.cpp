// SPDX-License-Identifier: Apache-2.0
// The only file that knows MariaDB's client library.
#include "dialects/mysql/control.hpp"

#include <mysql.h>

#include <algorithm>
#include <charconv>
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

// The library keeps per-thread memory; whoever calls from a thread of his own leaves none behind.
class ThreadScope {
  public:
    ThreadScope() { mysql_thread_init(); }
    ~ThreadScope() { mysql_thread_end(); }
    ThreadScope(const ThreadScope&) = delete;
    ThreadScope& operator=(const ThreadScope&) = delete;
};

void set_up(MYSQL* connection, const config::Url& url, std::chrono::seconds timeout) {
    const auto limit = static_cast<unsigned>(std::max<std::chrono::seconds::rep>(1, timeout.count()));
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &limit);
    mysql_options(connection, MYSQL_OPT_READ_TIMEOUT, &limit);
    mysql_options(connection, MYSQL_OPT_WRITE_TIMEOUT, &limit);
    mysql_optionsv(connection, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "leasehold control");
    const std::string mode(url.option("ssl_mode"));
    const std::string ca(url.option("ssl_ca"));
    if (mode == "REQUIRED" || mode == "VERIFY_CA" || mode == "VERIFY_IDENTITY") {
        const my_bool on = 1;
        const my_bool verify = mode == "REQUIRED" ? 0 : 1;
        mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &on);
        mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
        if (!ca.empty()) mysql_optionsv(connection, MYSQL_OPT_SSL_CA, ca.c_str());
    }
}

// The hosts in their order; the last one's error stays in `connection`.
bool connect(MYSQL* connection, const config::Url& url) {
    const std::string password = url.password.value_or("");
    const std::string socket(url.option("unix_socket"));
    const char* database = url.database.empty() ? nullptr : url.database.c_str();
    for (const config::HostPort& host : url.hosts) {
        std::string path = host.host.starts_with('/') ? host.host : socket;
        if (host.host.starts_with('/') && !path.ends_with(".sock")) path += "/mysqld.sock";
        // "localhost" would mean a unix socket to the library; here it is a name like any other.
        const std::string name = host.host == "localhost" ? "127.0.0.1" : host.host;
        const bool local = !path.empty();
        if (mysql_real_connect(connection, local ? nullptr : name.c_str(), url.user.c_str(), password.c_str(), database,
                               local ? 0u : host.port, local ? path.c_str() : nullptr, 0) != nullptr) {
            return true;
        }
    }
    return false;
}

long long number(MYSQL* connection, const char* sql) {
    if (mysql_query(connection, sql) != 0) return 0;
    const Result result(mysql_store_result(connection));
    MYSQL_ROW row = result ? mysql_fetch_row(result.get()) : nullptr;
    if (row == nullptr || row[0] == nullptr) return 0;
    const std::string_view text(row[0]);
    long long value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

dialects::ServerReport Control::report(const config::Url& url, std::chrono::seconds timeout) {
    static std::once_flag once;
    std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
    const ThreadScope thread;
    dialects::ServerReport report;
    const Connection connection(mysql_init(nullptr));
    if (!connection) {
        report.error = "out of memory";
        return report;
    }
    set_up(connection.get(), url, timeout);
    if (!connect(connection.get(), url)) {
        report.error = mysql_error(connection.get());
        return report;
    }
    report.reachable = true;
    report.version = mysql_get_server_info(connection.get());
    const auto before = std::chrono::steady_clock::now();
    (void)number(connection.get(), "SELECT 1");
    report.round_trip =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - before);
    const char* cipher = mysql_get_ssl_cipher(connection.get());
    report.tls = cipher != nullptr && *cipher != '\0';
    const char* version = nullptr;
    if (report.tls && mariadb_get_infov(connection.get(), MARIADB_CONNECTION_TLS_VERSION, &version) == 0 &&
        version != nullptr) {
        report.tls_version = version;
    }
    report.max_connections = static_cast<int>(number(connection.get(), "SELECT @@global.max_connections"));
    // Servers keep one beyond max_connections for administrators: none of the others' is reserved.
    report.reserved_connections = 0;
    report.idle_limit = std::chrono::seconds(number(connection.get(), "SELECT @@session.wait_timeout"));
    return report;
}

}  // namespace leasehold::mysql
