// SPDX-License-Identifier: Apache-2.0
// The part `listen`, and addresses.
#include "config/nearest.hpp"
#include "config/parts.hpp"
#include "config/units.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <array>

namespace leasehold::config {
namespace {

constexpr std::array<Choice<std::string_view>, 4> dialects{
    {{"postgresql", "postgresql"}, {"mysql", "mysql"}, {"postgres", "postgresql"}, {"mariadb", "mysql"}}};

constexpr std::array<Choice<AuthMethod>, 6> auth_methods{{{"scram", AuthMethod::scram},
                                                          {"md5", AuthMethod::md5},
                                                          {"cleartext", AuthMethod::cleartext},
                                                          {"cert", AuthMethod::cert},
                                                          {"peer", AuthMethod::peer},
                                                          {"trust", AuthMethod::trust}}};

constexpr std::array<Choice<TlsMode>, 6> tls_modes{{{"disable", TlsMode::disable},
                                                    {"allow", TlsMode::allow},
                                                    {"prefer", TlsMode::prefer},
                                                    {"require", TlsMode::require},
                                                    {"verify-ca", TlsMode::verify_ca},
                                                    {"verify-full", TlsMode::verify_full}}};

void read_tls(Section& listen, Tls& tls) {
    const Value* value = listen.find("tls");
    if (value == nullptr) return;
    Section section(listen.reader(), *value, Part::listen_tls);
    section.choice("mode", tls.mode, tls_modes);
    section.text("cert", tls.cert);
    section.text("key", tls.key);
    section.text("client_ca", tls.client_ca);
    if (tls.mode == TlsMode::disable) return;
    Findings& findings = listen.reader().findings();
    if (tls.cert.empty()) findings.error(section.key("cert"), "is missing", "TLS needs a certificate and its key");
    if (tls.key.empty()) findings.error(section.key("key"), "is missing", "TLS needs a certificate and its key");
    if ((tls.mode == TlsMode::verify_ca || tls.mode == TlsMode::verify_full) && tls.client_ca.empty()) {
        findings.error(section.key("client_ca"), "is missing", "it says whose client certificates are trusted");
    }
}

void read_map(Section& listen, std::map<std::string, std::string>& out) {
    const Value* value = listen.find("map");
    if (value == nullptr) return;
    for (const auto& [name, user] : listen.reader().mapping(*value)) {
        if (const auto scalar = listen.reader().scalar(user)) out.emplace(name, scalar->text);
    }
}

void read_one(Reader& reader, const Value& value, Config& config) {
    Section section(reader, value, Part::listen);
    Listen listen;
    listen.line = value.place.line;
    std::string_view dialect;
    if (section.require("dialect", "write postgresql or mysql") != nullptr)
        section.choice("dialect", dialect, dialects);
    listen.dialect = dialect;
    if (const Value* address = section.require("address", "write 127.0.0.1:6432")) {
        std::string message, suggestion;
        if (const auto scalar = reader.scalar(*address)) {
            if (auto parsed = parse_address(scalar->text, message, suggestion)) {
                listen.host = std::move(parsed->host);
                listen.port = parsed->port;
            } else {
                section.refuse(*address, *scalar, message, suggestion);
            }
        }
    }
    read_tls(section, listen.tls);
    section.choice("auth", listen.auth, auth_methods);
    read_map(section, listen.map);
    section.names("pools", listen.pools);
    section.text("default_pool", listen.default_pool);
    config.listen.push_back(std::move(listen));
}

bool is_address(int family, const std::string& text) {
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(family, text.c_str(), bytes.data()) == 1;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text, std::string& message, std::string& suggestion) {
    suggestion = "write 127.0.0.1:6432, \"[::1]:6432\" or unix:/path";
    if (text.starts_with("unix:") || text.starts_with('/')) {
        const std::string_view path = text.starts_with('/') ? text : text.substr(5);
        message = "is no absolute path";
        if (!path.starts_with('/') || path.ends_with('/')) return std::nullopt;
        message = "is longer than a unix socket's path may be (" + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                  " bytes)";
        suggestion.clear();
        if (path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
        return Address{std::string(path), 0};
    }
    const std::size_t colon = text.rfind(':');
    message = "has no port";
    if (colon == std::string_view::npos || text.ends_with(']')) return std::nullopt;
    const auto port = parse_count(text.substr(colon + 1));
    message = "has no port from 1 to 65535";
    if (!port.value || *port.value < 1 || *port.value > 65535) return std::nullopt;
    std::string host(text.substr(0, colon));
    message = "is no address of this machine";
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        if (!is_address(AF_INET6, host)) return std::nullopt;
        return Address{std::move(host), static_cast<std::uint16_t>(*port.value)};
    }
    if (host == "localhost") host = "127.0.0.1";
    if (is_address(AF_INET6, host)) {
        suggestion = "put an IPv6 address in brackets and quotes: \"[::1]:6432\"";
        return std::nullopt;
    }
    if (host == "*" || host.empty()) suggestion = "all addresses are written 0.0.0.0, or \"[::]\" with IPv6";
    if (!is_address(AF_INET, host)) return std::nullopt;
    return Address{std::move(host), static_cast<std::uint16_t>(*port.value)};
}

void read_listen(Section& top, Config& config) {
    const Value* value = top.require("listen", "write - {dialect: postgresql, address: 127.0.0.1:6432}");
    if (value == nullptr) return;
    const auto elements = top.reader().sequence(*value);
    for (const Value& element : elements) read_one(top.reader(), element, config);
    if (elements.empty() && (value->node.IsSequence() || value->node.IsNull())) {
        top.reader().findings().error(value->place, value->key, "names no address",
                                      "write - {dialect: postgresql, address: 127.0.0.1:6432}");
    }
}

}  // namespace leasehold::config
