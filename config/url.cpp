// SPDX-License-Identifier: Apache-2.0
// What a URL is and how it is rendered; how it is parsed is in url_parse.cpp.
#include "config/url.hpp"

#include "config/url_options.hpp"

#include <algorithm>

namespace leasehold::config {
namespace {

bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

// Everything but unreserved characters is encoded: a log line that holds the result needs no further quoting.
std::string encode(std::string_view text, std::string_view keep = {}) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (unreserved(c) || keep.find(c) != std::string_view::npos) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += hex[byte >> 4];
            out += hex[byte & 15];
        }
    }
    return out;
}

std::string joined_addresses(const std::vector<HostPort>& hosts) {
    std::string out;
    for (const HostPort& address : hosts) out += (out.empty() ? "" : ",") + to_string(address);
    return out;
}

// Unix sockets have no place in the authority: all hosts go to the query, ports beside them.
void add_socket_query(const std::vector<HostPort>& hosts, std::vector<std::pair<std::string, std::string>>& query) {
    std::string names, ports;
    for (const HostPort& address : hosts) {
        if (!names.empty()) {
            names += ',';
            ports += ',';
        }
        const bool ipv6 = !address.unix_socket() && address.host.find(':') != std::string::npos;
        names += ipv6 ? "[" + address.host + "]" : address.host;
        ports += std::to_string(address.port);
    }
    query.emplace_back("host", names);
    query.emplace_back("port", ports);
    std::ranges::sort(query);
}

}  // namespace

std::string to_string(const HostPort& address) {
    const bool ipv6 = !address.unix_socket() && address.host.find(':') != std::string::npos;
    return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string Url::render(bool hide_password) const {
    std::string out = dialect;
    if (!driver.empty()) out += "+" + driver;
    out += "://";
    if (!user.empty()) {
        out += encode(user);
        if (password) out += ":" + (hide_password ? std::string("***") : encode(*password));
        out += "@";
    }
    auto options = query;
    if (std::ranges::any_of(hosts, &HostPort::unix_socket))
        add_socket_query(hosts, options);
    else
        out += joined_addresses(hosts);
    if (!database.empty()) out += "/" + encode(database, "/");
    char separator = '?';
    for (const auto& [key, value] : options) {
        out += separator + encode(key) + "=" + encode(value, "/,:");
        separator = '&';
    }
    return out;
}

std::string_view Url::option(std::string_view key) const noexcept {
    for (const auto& [name, value] : query) {
        if (name == key) return value;
    }
    return {};
}

std::optional<TlsMode> Url::tls_mode() const noexcept {
    if (family() == "mysql") return mysql_tls_mode(*this);
    const std::string_view word = option("sslmode");
    return word.empty() ? std::nullopt : tls_mode_of(word);
}

TlsMode Url::server_tls() const noexcept {
    if (const auto said = tls_mode()) return *said;
    return option("sslrootcert") == "system" ? TlsMode::verify_full : TlsMode::prefer;
}

TlsFiles Url::tls_files() const {
    const auto named = [this](std::string_view key) { return std::string(option(key)); };
    if (family() == "mysql")
        return {named("ssl_ca"), named("ssl_capath"), named("ssl_crl"), named("ssl_cert"), named("ssl_key")};
    return {named("sslrootcert"), {}, {}, named("sslcert"), named("sslkey")};
}

bool Url::over_network() const noexcept { return !std::ranges::all_of(hosts, &HostPort::unix_socket); }

std::string_view Url::family() const noexcept {
    return dialect == "mariadb" ? std::string_view("mysql") : std::string_view(dialect);
}

}  // namespace leasehold::config
