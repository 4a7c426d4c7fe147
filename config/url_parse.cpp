// SPDX-License-Identifier: Apache-2.0
// The text of a URL to its parts, or to all of its problems. No problem's text repeats anything that could be a piece
// of the password: a URL that is wrong may have its password anywhere.
#include "config/nearest.hpp"
#include "config/units.hpp"
#include "config/url.hpp"
#include "config/url_options.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace leasehold::config {
namespace {

constexpr std::array<std::string_view, 4> dialects{"postgresql", "postgres", "mysql", "mariadb"};
constexpr std::string_view shape = "write dialect://user:password@host:port/database";
constexpr std::string_view encode_at = "encode @ in the password as %40";

struct Pieces {
    std::string_view scheme, user, authority, database, query;
    std::optional<std::string_view> password;
};

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// %XX only; a percent sign that begins no such pair stands for itself, as in Python's unquote.
std::string decode(std::string_view text, bool plus_is_space = false) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const std::size_t at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    ParsedUrl run() {
        if (split_pieces()) {
            scheme();
            credentials();
            url_.database = text_of(pieces_.database, "database");
            query();
            hosts();
            if (problems_.empty()) problems_ = check_together(url_);
        }
        if (!problems_.empty()) return {std::nullopt, std::move(problems_)};
        return {std::move(url_), {}};
    }

  private:
    void problem(std::string message, std::string suggestion = {}) {
        problems_.push_back({std::move(message), std::move(suggestion)});
    }

    bool split_pieces();
    bool split_credentials(std::string_view& rest);
    void scheme();
    void credentials();
    std::string text_of(std::string_view raw, std::string_view what);
    void query();
    void query_pair(std::string_view pair);
    void hosts();
    void authority_hosts();
    void query_hosts();
    std::optional<HostPort> host_port(std::string_view text);
    std::optional<std::uint16_t> port(std::string_view text);
    bool fit_host(std::string_view host, bool bracketed);

    std::string_view text_;
    Pieces pieces_;
    Url url_;
    std::vector<UrlProblem> problems_;
    std::vector<std::string> query_hosts_;
    std::optional<std::string> query_ports_;
    std::string socket_;                           // unix_socket: in place of whatever else names a host
    std::optional<std::uint16_t> authority_port_;  // the single one, for a query host without its own
    std::uint16_t default_port_ = 0;
};

bool Parser::split_pieces() {
    for (const char c : text_) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            problem("holds a control character", "encode it as %XX");
            return false;
        }
    }
    const std::size_t colon = text_.find("://");
    const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '+'; };
    if (colon == std::string_view::npos || colon == 0 || !std::ranges::all_of(text_.substr(0, colon), word)) {
        problem("is no URL", std::string(shape));
        return false;
    }
    pieces_.scheme = text_.substr(0, colon);
    std::string_view rest = text_.substr(colon + 3);
    if (!split_credentials(rest)) return false;
    if (rest.find('@') != std::string_view::npos) {
        problem("holds an @ behind the one that ends the password", std::string(encode_at));
        return false;
    }
    const std::size_t question = rest.find('?');
    if (question != std::string_view::npos) pieces_.query = rest.substr(question + 1);
    rest = rest.substr(0, question);
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos) pieces_.database = rest.substr(slash + 1);
    pieces_.authority = rest.substr(0, slash);
    return true;
}

// The user ends at the first `:` or `/`, the password at the first @; so both may hold what looks like a delimiter.
bool Parser::split_credentials(std::string_view& rest) {
    if (rest.starts_with('[')) return true;  // an IPv6 address; its colons belong to no user
    const std::size_t end = rest.find_first_of(":/?");
    const std::string_view head = rest.substr(0, end);
    if (end != std::string_view::npos && rest[end] == ':') {
        const std::size_t at = rest.find('@', end + 1);
        if (at != std::string_view::npos) {
            pieces_.user = head;
            pieces_.password = rest.substr(end + 1, at - end - 1);
            // user@host:5432/db?key=a@b reads like a user with a password too; a guess could dial the wrong server.
            if (head.find('@') != std::string_view::npos &&
                pieces_.password->find_first_of("/?") != std::string_view::npos) {
                problem("has an @ in more than one place", "encode every @ but the one in front of the host as %40");
                return false;
            }
            rest.remove_prefix(at + 1);
            return true;
        }
    }
    const std::size_t at = head.rfind('@');
    if (at != std::string_view::npos) {
        pieces_.user = head.substr(0, at);
        rest.remove_prefix(at + 1);
    }
    return true;
}

void Parser::scheme() {
    const std::size_t plus = pieces_.scheme.find('+');
    const std::string_view name = pieces_.scheme.substr(0, plus);
    if (plus != std::string_view::npos) {
        url_.driver = pieces_.scheme.substr(plus + 1);
        if (url_.driver.empty()) problem("has no driver behind the +", "write " + std::string(name) + "://");
    }
    if (std::ranges::find(dialects, name) == dialects.end()) {
        std::string suggestion = did_you_mean(name, dialects);
        if (suggestion.empty()) suggestion = "write postgresql, mysql or mariadb";
        problem("unknown dialect " + std::string(name.substr(0, 32)), std::move(suggestion));
    }
    url_.dialect = name == "postgres" ? "postgresql" : name;
    default_port_ = url_.family() == "mysql" ? 3306 : 5432;
}

std::string Parser::text_of(std::string_view raw, std::string_view what) {
    std::string out = decode(raw);
    if (out.find('\0') != std::string::npos)
        problem("the " + std::string(what) + " holds %00, which no database accepts");
    return out;
}

void Parser::credentials() {
    url_.user = text_of(pieces_.user, "user");
    if (!pieces_.password) return;
    url_.password = text_of(*pieces_.password, "password");
    if (url_.user.empty()) problem("has a password and no user", std::string(shape));
}

void Parser::query() {
    if (pieces_.query.empty()) return;
    for (const std::string_view pair : split(pieces_.query, '&')) query_pair(pair);
    std::ranges::sort(url_.query);
}

void Parser::query_pair(std::string_view pair) {
    const std::size_t equals = pair.find('=');
    const std::string raw_key = decode(pair.substr(0, equals), true);
    const std::string key = canonical_option(url_.family(), raw_key);
    const std::string value = equals == std::string_view::npos ? std::string() : decode(pair.substr(equals + 1), true);
    const auto known = known_options(url_.family());
    if (std::ranges::find(known, key) == known.end()) {
        // What is no word may be a piece of a password that holds a raw question mark.
        const bool word = !key.empty() && key.size() <= 40 && std::ranges::all_of(key, [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
        }) && equals != std::string_view::npos;
        if (const auto foreign = foreign_option(url_.family(), key)) {
            problem(foreign->message, foreign->suggestion);
            return;
        }
        problem(word ? "unknown key " + key + " in the query" : "the query holds something that is no key=value",
                did_you_mean(key, known));
        return;
    }
    if (value.empty()) {
        problem(key + " has no value in the query", "remove it, or give it one");
        return;
    }
    if (value.find('\0') != std::string::npos) {
        problem(key + " holds %00, which no database accepts");
        return;
    }
    if (key == "host") {
        query_hosts_.push_back(value);
        return;
    }
    const bool again = key == "port"          ? query_ports_.has_value()
                       : key == "unix_socket" ? !socket_.empty()
                                              : !url_.option(key).empty();
    if (again) {
        problem(key + " stands twice in the query");
        return;
    }
    if (key == "port") {
        query_ports_ = value;
        return;
    }
    if (auto wrong = check_option(url_.family(), key, value)) {
        problems_.push_back(std::move(*wrong));
        return;
    }
    if (key == "unix_socket") {
        socket_ = value;
        return;
    }
    url_.query.emplace_back(key, value);
}

std::optional<std::uint16_t> Parser::port(std::string_view text) {
    if (text.empty()) return default_port_;
    const auto number = parse_count(text);
    if (number.value && *number.value >= 1 && *number.value <= 65535) return static_cast<std::uint16_t>(*number.value);
    problem("the port is no number from 1 to 65535",
            pieces_.password || !pieces_.user.empty() ? "" : std::string(shape));
    return std::nullopt;
}

bool Parser::fit_host(std::string_view host, bool bracketed) {
    if (bracketed) {
        std::array<unsigned char, 16> address{};
        const std::string text(host.substr(0, host.find('%')));  // a zone belongs to the interface
        if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return true;
        problem("what stands in brackets is no IPv6 address");
        return false;
    }
    if (host.empty()) {
        problem("a host is empty");
        return false;
    }
    const bool fit = std::ranges::all_of(host, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
    });
    if (fit) return true;
    std::string suggestion(encode_at);
    if (host.find("%2F") != std::string_view::npos || host.find("%2f") != std::string_view::npos) {
        suggestion = "a directory of unix sockets is named by ?host=/directory";
    } else if (host.find('@') == std::string_view::npos) {
        suggestion.clear();
    }
    problem("the host holds a character that no host's name has", std::move(suggestion));
    return false;
}

// `host`, `host:port`, `[ipv6]`, `[ipv6]:port`, `/directory`; port 0: none was named.
std::optional<HostPort> Parser::host_port(std::string_view text) {
    if (text.starts_with('/')) return HostPort{std::string(text), 0};
    std::string_view host = text, number;
    bool bracketed = false, has_port = false;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos || (close + 1 < text.size() && text[close + 1] != ':')) {
            problem("a bracket of an IPv6 address is not closed", "write [::1]:5432");
            return std::nullopt;
        }
        bracketed = true;
        host = text.substr(1, close - 1);
        has_port = close + 1 < text.size();
        if (has_port) number = text.substr(close + 2);
    } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
        if (text.find(':', colon + 1) != std::string_view::npos) {
            problem("a host has more than one colon", "put an IPv6 address in brackets: [::1]:5432");
            return std::nullopt;
        }
        host = text.substr(0, colon);
        number = text.substr(colon + 1);
        has_port = true;
    }
    const auto parsed_port = port(number);
    if (!fit_host(host, bracketed) || !parsed_port) return std::nullopt;
    return HostPort{std::string(host), has_port ? *parsed_port : std::uint16_t{0}};
}

void Parser::authority_hosts() {
    if (pieces_.authority.empty()) return;
    if (pieces_.authority.starts_with(':') && pieces_.authority.find(':', 1) == std::string_view::npos) {
        const auto number = port(pieces_.authority.substr(1));
        if (number) authority_port_ = *number;
        return;
    }
    const auto parts = split(pieces_.authority, ',');
    for (const std::string_view part : parts) {
        if (auto address = host_port(part)) url_.hosts.push_back(std::move(*address));
    }
    if (parts.size() == 1 && !url_.hosts.empty() && url_.hosts.front().port != 0)
        authority_port_ = url_.hosts.front().port;
}

// ?host=h1:p1&host=h2:p2, ?host=h1,h2&port=p1,p2, ?host=/dir&port=p
void Parser::query_hosts() {
    std::vector<HostPort> found;
    for (const std::string& value : query_hosts_) {
        for (const std::string_view part : split(value, ',')) {
            if (auto address = host_port(part))
                found.push_back(std::move(*address));
            else
                return;
        }
    }
    if (query_ports_) {
        const auto ports = split(*query_ports_, ',');
        if (std::ranges::any_of(found, [](const HostPort& address) { return address.port != 0; })) {
            problem("the query names ports in two ways", "write host=h1:p1,h2:p2 or host=h1,h2&port=p1,p2");
            return;
        }
        if (ports.size() != found.size()) {
            problem("the query names " + std::to_string(found.size()) + " hosts and " + std::to_string(ports.size()) +
                    " ports");
            return;
        }
        for (std::size_t i = 0; i < found.size(); ++i) found[i].port = port(ports[i]).value_or(default_port_);
    } else if (found.size() == 1 && found.front().port == 0 && authority_port_) {
        found.front().port = *authority_port_;
    }
    url_.hosts = std::move(found);
}

void Parser::hosts() {
    const std::size_t before = problems_.size();
    authority_hosts();
    if (!socket_.empty()) {
        if (!query_hosts_.empty()) problem("the query names a host and a unix_socket", "write one of them");
        url_.hosts.assign(1, HostPort{socket_, 0});
        query_ports_.reset();
    }
    if (!query_hosts_.empty())
        query_hosts();
    else if (query_ports_)
        problem("the query names a port and no host", "write the port behind the host: host:port");
    if (url_.hosts.empty() && problems_.size() == before) {
        problem("names no host", "write @localhost, or ?host=/directory for a unix socket");
    }
    for (HostPort& address : url_.hosts) {
        if (address.port == 0) address.port = default_port_;
    }
}

}  // namespace

ParsedUrl parse_url(std::string_view text) { return Parser(text).run(); }

}  // namespace leasehold::config
