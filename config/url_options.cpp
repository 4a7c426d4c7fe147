// SPDX-License-Identifier: Apache-2.0
#include "config/url_options.hpp"

#include "config/nearest.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>

namespace leasehold::config {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 6> ssl_modes{"disable", "allow",     "prefer",
                                                    "require", "verify-ca", "verify-full"};
constexpr std::array<std::string_view, 5> mysql_ssl_modes{"DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA",
                                                          "VERIFY_IDENTITY"};
constexpr std::array<std::string_view, 6> session_attrs{"any",     "read-write", "read-only",
                                                        "primary", "standby",    "prefer-standby"};
constexpr std::array<std::string_view, 3> roles{"any", "primary", "replica"};
constexpr std::array<std::string_view, 3> bindings{"disable", "prefer", "require"};
constexpr std::array<std::string_view, 2> negotiations{"postgres", "direct"};
constexpr std::array<std::string_view, 4> compressions{"zlib", "zstd", "true", "false"};
constexpr std::array<std::string_view, 2> zero_one{"0", "1"};

enum class Kind : std::uint8_t { text, seconds, words };

struct Option {
    std::string_view key;
    bool postgresql;
    bool mysql;
    Kind kind = Kind::text;
    Words words{};
};

const std::array options{
    Option{"host", true, true},
    Option{"port", true, true},
    Option{"connect_timeout", true, true, Kind::seconds},
    Option{"application_name", true, false},
    Option{"target_session_attrs", true, false, Kind::words, session_attrs},
    Option{"options", true, false},
    Option{"sslmode", true, false, Kind::words, ssl_modes},
    Option{"sslrootcert", true, false},
    Option{"sslcert", true, false},
    Option{"sslkey", true, false},
    Option{"sslsni", true, false, Kind::words, zero_one},
    Option{"sslnegotiation", true, false, Kind::words, negotiations},
    Option{"channel_binding", true, false, Kind::words, bindings},
    Option{"role", false, true, Kind::words, roles},
    Option{"charset", false, true},
    Option{"compress", false, true, Kind::words, compressions},
    Option{"ssl_mode", false, true, Kind::words, mysql_ssl_modes},
    Option{"ssl_ca", false, true},
    Option{"ssl_cert", false, true},
    Option{"ssl_key", false, true},
};

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

bool is_word(Words words, std::string_view value, bool any_case) {
    if (std::ranges::find(words, value) != words.end()) return true;
    return any_case && std::ranges::find(words, upper(value)) != words.end();
}

}  // namespace

std::string_view canonical_option(std::string_view key) noexcept { return key == "ssl-mode" ? "ssl_mode" : key; }

std::vector<std::string_view> known_options(std::string_view family) {
    std::vector<std::string_view> out;
    for (const Option& option : options) {
        if (family == "mysql" ? option.mysql : option.postgresql) out.push_back(option.key);
    }
    return out;
}

std::optional<UrlProblem> check_option(std::string_view family, std::string_view key, std::string_view value) {
    const auto found = std::ranges::find(options, key, &Option::key);
    if (found == options.end()) return std::nullopt;
    if (found->kind == Kind::seconds) {
        const auto seconds = parse_count(value);
        if (!seconds.value || *seconds.value < 0 || *seconds.value > 3600) {
            return UrlProblem{std::string(key) + " is a whole number of seconds from 0 to 3600", {}};
        }
    }
    if (found->kind == Kind::words && !is_word(found->words, value, family == "mysql")) {
        std::string suggestion = did_you_mean(value, found->words);
        return UrlProblem{std::string(key) + " is " + one_of(found->words), std::move(suggestion)};
    }
    return std::nullopt;
}

// As libpq, but for the files in a home directory: a daemon has none. The other family's rules come with its TLS.
std::vector<UrlProblem> check_together(const Url& url) {
    std::vector<UrlProblem> out;
    if (url.family() != "postgresql") return out;
    const TlsMode mode = url.server_tls();
    const bool system = url.option("sslrootcert") == "system";
    const bool over_tcp = !std::ranges::all_of(url.hosts, &HostPort::unix_socket);
    if (mode >= TlsMode::verify_ca && url.option("sslrootcert").empty() && over_tcp) {
        out.push_back({"sslmode=" + std::string(to_string(mode)) + " needs sslrootcert, a file with the CA to ask",
                       "write sslrootcert=/path, or sslrootcert=system for the system's own CAs"});
    }
    if (system && mode != TlsMode::verify_full) {
        out.push_back({"sslrootcert=system proves nothing with sslmode=" + std::string(to_string(mode)),
                       "the system's CAs sign for everybody: write sslmode=verify-full"});
    }
    if (url.option("sslcert").empty() != url.option("sslkey").empty()) {
        out.push_back({"sslcert and sslkey belong together, and one of them is missing", {}});
    }
    if (url.option("sslnegotiation") == "direct" && mode < TlsMode::require) {
        out.push_back(
            {"sslnegotiation=direct begins with TLS, and sslmode=" + std::string(to_string(mode)) + " may have none",
             "write sslmode=require, verify-ca or verify-full"});
    }
    if (url.option("channel_binding") == "require" && (mode == TlsMode::disable || !over_tcp)) {
        out.push_back({std::string("channel_binding=require needs TLS, and ") +
                           (over_tcp ? "sslmode=disable has none" : "a unix socket has none"),
                       {}});
    }
    return out;
}

std::optional<TlsMode> tls_mode_of(std::string_view value) noexcept {
    for (std::size_t i = 0; i < ssl_modes.size(); ++i) {
        if (value == ssl_modes[i]) return static_cast<TlsMode>(i);
    }
    // MySQL's words, in any case; there is no `allow` among them.
    static constexpr std::array modes{TlsMode::disable, TlsMode::prefer, TlsMode::require, TlsMode::verify_ca,
                                      TlsMode::verify_full};
    const auto same = [&](std::string_view word) {
        return std::ranges::equal(word, value, [](char a, char b) {
            return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 'a' + 'A') : b);
        });
    };
    for (std::size_t i = 0; i < mysql_ssl_modes.size(); ++i) {
        if (same(mysql_ssl_modes[i])) return modes[i];
    }
    return std::nullopt;
}

std::string_view to_string(TlsMode mode) noexcept { return ssl_modes[static_cast<std::size_t>(mode)]; }

}  // namespace leasehold::config
