// SPDX-License-Identifier: Apache-2.0
// A backend's address in SQLAlchemy's words: `dialect[+driver]://user:password@host:port/database?query`, percent-
// encoded. An immutable value; rendering hides the password unless asked not to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::config {

enum class TlsMode : std::uint8_t { disable, allow, prefer, require, verify_ca, verify_full };
[[nodiscard]] std::string_view to_string(TlsMode mode) noexcept;   // libpq's words
[[nodiscard]] std::string_view mysql_word(TlsMode mode) noexcept;  // "VERIFY_IDENTITY"

struct HostPort {
    std::string host;        // a name, an address (IPv6 without brackets), or a directory of unix sockets ("/...")
    std::uint16_t port = 0;  // the dialect's default when the URL names none
    [[nodiscard]] bool unix_socket() const noexcept { return host.starts_with('/'); }
    friend bool operator==(const HostPort&, const HostPort&) = default;
};
// "db.internal:5432", "[::1]:5432", "/run/postgresql:5432": the form of the keys under `servers`.
[[nodiscard]] std::string to_string(const HostPort& address);

// Files that a URL names for TLS; empty where it names none.
struct TlsFiles {
    std::string ca, ca_folder, crl, cert, key;
    [[nodiscard]] bool any() const noexcept {
        return !ca.empty() || !ca_folder.empty() || !crl.empty() || !cert.empty() || !key.empty();
    }
};

struct Url {
    std::string dialect;  // canonical: "postgresql", "mysql", "mariadb"
    std::string driver;   // accepted and ignored
    std::string user;
    std::optional<std::string> password;                     // absent and empty differ
    std::vector<HostPort> hosts;                             // never empty once parsed
    std::string database;                                    // empty: the client's own database name
    std::vector<std::pair<std::string, std::string>> query;  // known keys only, sorted, decoded

    [[nodiscard]] std::string render(bool hide_password = true) const;
    [[nodiscard]] std::string_view option(std::string_view key) const noexcept;  // empty when absent
    // What the URL asks of TLS, by sslmode, ssl_mode or the other words that MySQL's drivers have; none when it says nothing.
    [[nodiscard]] std::optional<TlsMode> tls_mode() const noexcept;
    // What a server is dialled with: tls_mode(), or what the dialect's own clients do by default: prefer, and with
    // sslrootcert=system verify-full.
    [[nodiscard]] TlsMode server_tls() const noexcept;
    [[nodiscard]] TlsFiles tls_files() const;
    // The dialect whose code speaks to it: "postgresql" or "mysql", as a listener names it.
    [[nodiscard]] std::string_view family() const noexcept;
    // Whether TLS is a matter at all: over unix sockets it is not.
    [[nodiscard]] bool over_network() const noexcept;
    friend bool operator==(const Url&, const Url&) = default;
};

struct UrlProblem {
    std::string message;     // what is wrong; never holds the password
    std::string suggestion;  // may be empty
};

// Either a URL or all of its problems. As SQLAlchemy reads it: user, password and database decode %XX only, a query's
// value + besides; the password may hold : / and ? raw, never @; host and port of the query win over the authority's.
struct ParsedUrl {
    std::optional<Url> url;
    std::vector<UrlProblem> problems;
};
[[nodiscard]] ParsedUrl parse_url(std::string_view text);

}  // namespace leasehold::config
