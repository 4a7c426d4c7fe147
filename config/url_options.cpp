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
// Of the words above and below; there is no `allow` among them.
constexpr std::array mysql_modes{TlsMode::disable, TlsMode::prefer, TlsMode::require, TlsMode::verify_ca,
                                 TlsMode::verify_full};
constexpr std::array mariadb_modes{TlsMode::disable, TlsMode::require, TlsMode::verify_ca, TlsMode::verify_full};
// MariaDB's Connector/J has these.
constexpr std::array<std::string_view, 4> mariadb_ssl_modes{"DISABLE", "TRUST", "VERIFY-CA", "VERIFY-FULL"};
constexpr std::array<std::string_view, 6> booleans{"TRUE", "FALSE", "1", "0", "YES", "NO"};
constexpr std::array<std::string_view, 6> session_attrs{"any",     "read-write", "read-only",
                                                        "primary", "standby",    "prefer-standby"};
constexpr std::array<std::string_view, 3> roles{"any", "primary", "replica"};
constexpr std::array<std::string_view, 3> bindings{"disable", "prefer", "require"};
constexpr std::array<std::string_view, 2> negotiations{"postgres", "direct"};
constexpr std::array<std::string_view, 4> compressions{"zlib", "zstd", "true", "false"};
constexpr std::array<std::string_view, 2> zero_one{"0", "1"};

enum class Kind : std::uint8_t { text, seconds, words, ssl_mode, boolean, path };

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
    Option{"unix_socket", false, true, Kind::path},
    Option{"ssl_mode", false, true, Kind::ssl_mode, mysql_ssl_modes},
    Option{"ssl_ca", false, true},
    Option{"ssl_capath", false, true, Kind::path},
    Option{"ssl_crl", false, true, Kind::path},
    Option{"ssl_cert", false, true},
    Option{"ssl_key", false, true},
    Option{"ssl", false, true, Kind::boolean, booleans},
    Option{"ssl_disabled", false, true, Kind::boolean, booleans},
    Option{"ssl_verify_cert", false, true, Kind::boolean, booleans},
    Option{"ssl_verify_identity", false, true, Kind::boolean, booleans},
    Option{"ssl_check_hostname", false, true, Kind::boolean, booleans},
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

bool is_true(std::string_view value) {
    const std::string word = upper(value);
    return word == "TRUE" || word == "1" || word == "YES";
}

// Only a mode that is not said elsewhere is derived from other words; those that contradict it are a mistake.
std::vector<UrlProblem> mysql_together(const Url& url) {
    std::vector<UrlProblem> out;
    const TlsMode mode = url.server_tls();
    const TlsFiles files = url.tls_files();
    const bool over_tcp = url.over_network();
    const std::string said = "ssl_mode=" + std::string(mysql_word(mode));
    if (mode >= TlsMode::verify_ca && files.ca.empty() && files.ca_folder.empty() && over_tcp) {
        out.push_back({said + " needs ssl_ca, a file with the CA to ask",
                       "write ssl_ca=/path, ssl_capath=/folder, or ssl_ca=system for the system's own CAs"});
    }
    if (files.ca == "system" && mode != TlsMode::verify_full) {
        out.push_back({"ssl_ca=system proves nothing with " + said,
                       "the system's CAs sign for everybody: write ssl_mode=VERIFY_IDENTITY"});
    }
    if (files.cert.empty() != files.key.empty())
        out.push_back({"ssl_cert and ssl_key belong together, and one of them is missing", {}});
    if (!files.crl.empty() && mode < TlsMode::verify_ca)
        out.push_back({"ssl_crl has no effect with " + said, "write ssl_mode=VERIFY_CA or VERIFY_IDENTITY"});
    const auto demands = [&](std::string_view key, TlsMode least) {
        if (mode < least && is_true(url.option(key)))
            out.push_back({std::string(key) + " contradicts " + said, "say it once, by ssl_mode"});
    };
    demands("ssl", TlsMode::require);
    demands("ssl_verify_cert", TlsMode::verify_ca);
    demands("ssl_verify_identity", TlsMode::verify_full);
    demands("ssl_check_hostname", TlsMode::verify_full);
    if (mode != TlsMode::disable && is_true(url.option("ssl_disabled")))
        out.push_back({"ssl_disabled contradicts " + said, "say it once, by ssl_mode"});
    return out;
}

}  // namespace

std::string canonical_option(std::string_view family, std::string_view key) {
    std::string out(key);
    if (family != "mysql") return key == "ssl-mode" ? "ssl_mode" : out;
    if (upper(key) == "SSLMODE") return "ssl_mode";
    if (out.starts_with("ssl-")) std::ranges::replace(out, '-', '_');
    return out;
}

std::vector<std::string_view> known_options(std::string_view family) {
    std::vector<std::string_view> out;
    for (const Option& option : options) {
        if (family == "mysql" ? option.mysql : option.postgresql) out.push_back(option.key);
    }
    return out;
}

std::optional<UrlProblem> foreign_option(std::string_view family, std::string_view key) {
    struct Twin {
        std::string_view postgresql, mysql;
    };
    static constexpr std::array twins{
        Twin{"target_session_attrs", "role"}, Twin{"sslmode", "ssl_mode"}, Twin{"sslrootcert", "ssl_ca"},
        Twin{"sslcert", "ssl_cert"},          Twin{"sslkey", "ssl_key"},   Twin{"host", "unix_socket"}};
    const bool mysql = family == "mysql";
    const auto found = std::ranges::find(options, key, &Option::key);
    if (found == options.end() || (mysql ? found->mysql : found->postgresql)) return std::nullopt;
    const auto twin = std::ranges::find(twins, key, mysql ? &Twin::postgresql : &Twin::mysql);
    return UrlProblem{
        std::string(key) + " is a key of " + (mysql ? "postgresql" : "mysql") + " URLs",
        twin == twins.end() ? std::string() : "here it is " + std::string(mysql ? twin->mysql : twin->postgresql)};
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
    if (found->kind == Kind::path && !value.starts_with('/'))
        return UrlProblem{std::string(key) + " is a path, and begins with /", {}};
    if (found->kind == Kind::boolean && !is_word(booleans, value, true))
        return UrlProblem{std::string(key) + " is true or false", {}};
    if (found->kind == Kind::ssl_mode && is_word(mariadb_ssl_modes, value, true)) return std::nullopt;
    if ((found->kind == Kind::words || found->kind == Kind::ssl_mode) &&
        !is_word(found->words, value, family == "mysql")) {
        std::string suggestion = did_you_mean(value, found->words);
        return UrlProblem{std::string(key) + " is " + one_of(found->words), std::move(suggestion)};
    }
    return std::nullopt;
}

// As libpq, but for the files in a home directory: a daemon has none.
std::vector<UrlProblem> check_together(const Url& url) {
    if (url.family() != "postgresql") return mysql_together(url);
    std::vector<UrlProblem> out;
    const TlsMode mode = url.server_tls();
    const bool system = url.option("sslrootcert") == "system";
    const bool over_tcp = url.over_network();
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
    const std::string word = upper(value);
    for (std::size_t i = 0; i < mysql_ssl_modes.size(); ++i) {
        if (word == mysql_ssl_modes[i]) return mysql_modes[i];
    }
    for (std::size_t i = 0; i < mariadb_ssl_modes.size(); ++i) {
        if (word == mariadb_ssl_modes[i]) return mariadb_modes[i];
    }
    return std::nullopt;
}

// As MySQL's own clients: whoever names a CA wants it to be asked.
std::optional<TlsMode> mysql_tls_mode(const Url& url) noexcept {
    const std::string_view word = url.option("ssl_mode");
    if (!word.empty()) return tls_mode_of(word);
    const auto says = [&](std::string_view key) { return is_true(url.option(key)); };
    const std::string_view ssl = url.option("ssl");
    if (says("ssl_disabled") || (!ssl.empty() && !is_true(ssl))) return TlsMode::disable;
    if (says("ssl_verify_identity") || says("ssl_check_hostname") || url.option("ssl_ca") == "system")
        return TlsMode::verify_full;
    if (says("ssl_verify_cert") || !url.option("ssl_ca").empty() || !url.option("ssl_capath").empty())
        return TlsMode::verify_ca;
    if (says("ssl") || !url.option("ssl_cert").empty()) return TlsMode::require;
    return std::nullopt;
}

std::string_view mysql_word(TlsMode mode) noexcept {
    const auto at = std::ranges::find(mysql_modes, mode);
    return at == mysql_modes.end() ? "PREFERRED" : mysql_ssl_modes[static_cast<std::size_t>(at - mysql_modes.begin())];
}

std::string_view to_string(TlsMode mode) noexcept { return ssl_modes[static_cast<std::size_t>(mode)]; }

}  // namespace leasehold::config
