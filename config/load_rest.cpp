// SPDX-License-Identifier: Apache-2.0
// The small parts: `users`, `admin`, `log`, `limits`.
#include "config/parts.hpp"

#include <array>

namespace leasehold::config {
namespace {

constexpr std::array<Choice<LogLevel>, 5> levels{{{"trace", LogLevel::trace},
                                                  {"debug", LogLevel::debug},
                                                  {"info", LogLevel::info},
                                                  {"warn", LogLevel::warn},
                                                  {"error", LogLevel::error}}};
constexpr std::array<Choice<LogFormat>, 2> formats{{{"text", LogFormat::text}, {"json", LogFormat::json}}};
constexpr std::array<Choice<LogTarget>, 3> targets{
    {{"auto", LogTarget::automatic}, {"stderr", LogTarget::stderr_}, {"journal", LogTarget::journal}}};
constexpr std::array<Choice<bool>, 1> as_words{{{"pool", true}}};

void read_user(Reader& reader, const Value& value, Config& config) {
    Section section(reader, value, Part::user);
    User user;
    user.line = value.place.line;
    if (const Value* name = section.require("name", "write {name: reports, password: !credential reports}")) {
        section.text("name", user.name);
        if (user.name.empty() && name->node.IsScalar()) reader.findings().error(name->place, name->key, "is empty");
    }
    section.text("password", user.password);
    section.names("pools", user.pools);
    section.choice("as", user.as_pool, as_words);
    config.users.push_back(std::move(user));
}

}  // namespace

void read_users(Section& top, Config& config) {
    const Value* value = top.find("users");
    if (value == nullptr) return;
    for (const Value& element : top.reader().sequence(*value)) read_user(top.reader(), element, config);
}

void read_socket(Section& section, Admin& admin) {
    const Value* value = section.find("socket");
    const auto scalar = value != nullptr ? section.reader().scalar(*value) : std::nullopt;
    if (!scalar) return;
    if (scalar->text != "auto" && scalar->text != "off" && !scalar->text.starts_with('/')) {
        section.refuse(*value, *scalar, "is no path", "write auto, off or an absolute path");
        return;
    }
    admin.socket = scalar->text;
}

void read_admin(Section& top, Config& config) {
    const Value* value = top.find("admin");
    if (value == nullptr) return;
    Section section(top.reader(), *value, Part::admin);
    section.text("database", config.admin.database);
    section.names("users", config.admin.users);
    section.names("stats_users", config.admin.stats_users);
    read_socket(section, config.admin);
    const Value* http = section.find("http");
    if (http == nullptr) return;
    const auto scalar = top.reader().scalar(*http);
    if (!scalar) return;
    config.admin.http_named = true;
    if (scalar->text == "off") {
        config.admin.http_host.clear();
        config.admin.http_port = 0;
        return;
    }
    std::string message, suggestion;
    const auto address = parse_address(scalar->text, message, suggestion);
    if (address && address->port != 0) {
        config.admin.http_host = address->host;
        config.admin.http_port = address->port;
    } else {
        section.refuse(*http, *scalar, address ? "is no TCP address" : message, "write 127.0.0.1:9187 or off");
    }
}

void read_log(Section& top, Config& config) {
    const Value* value = top.find("log");
    if (value == nullptr) return;
    Section section(top.reader(), *value, Part::log);
    section.choice("level", config.log.level, levels);
    section.choice("format", config.log.format, formats);
    section.duration("slow_statement", config.log.slow_statement);
    section.duration("slow_wait", config.log.slow_wait);
    section.flag("quarantine_keep_literals", config.log.quarantine_keep_literals);
    const Value* target = section.find("target");
    if (target != nullptr && target->node.IsScalar() && target->node.Scalar().starts_with('/')) {
        section.text("target", config.log.file);
        config.log.target = LogTarget::file;
    } else {
        section.choice("target", config.log.target, targets);
    }
}

void read_limits(Section& top, Config& config) {
    const Value* value = top.find("limits");
    if (value == nullptr) return;
    Limits& limits = config.limits;
    Section section(top.reader(), *value, Part::limits);
    section.count("max_clients", limits.max_clients);
    section.count("max_clients_per_user", limits.max_clients_per_user);
    section.count("max_clients_per_address", limits.max_clients_per_address);
    section.duration("handshake_timeout", limits.handshake_timeout);
    section.size("max_startup_bytes", limits.max_startup_bytes);
    section.count("max_settings_per_session", limits.max_settings_per_session);
    section.size("max_statement_cache_bytes", limits.max_statement_cache_bytes);
    section.count("max_template_pools", limits.max_template_pools);
}

}  // namespace leasehold::config
