// SPDX-License-Identifier: Apache-2.0
// The parts `pools` and `servers`.
#include "config/nearest.hpp"
#include "config/parts.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace leasehold::config {
namespace {

constexpr std::array<Choice<Mode>, 3> modes{
    {{"transaction", Mode::transaction}, {"session", Mode::session}, {"statement", Mode::statement}}};
constexpr std::array<Choice<ResetOnReturn>, 3> resets{
    {{"rollback", ResetOnReturn::rollback}, {"commit", ResetOnReturn::commit}, {"none", ResetOnReturn::none}}};
constexpr std::array<Choice<OnBackendLoss>, 2> losses{
    {{"error", OnBackendLoss::error}, {"disconnect", OnBackendLoss::disconnect}}};
constexpr std::array<std::string_view, 5> levels{"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ",
                                                 "SERIALIZABLE", "AUTOCOMMIT"};

void read_url(Section& section, Url& out) {
    const Value* value = section.require("url", "write url: postgresql://user:password@host:5432/database");
    if (value == nullptr) return;
    const auto scalar = section.reader().scalar(*value);
    if (!scalar) return;
    ParsedUrl parsed = parse_url(scalar->text);
    for (UrlProblem& problem : parsed.problems) {
        std::string suggestion = std::move(problem.suggestion);
        // The one mistake that a secret with raw characters makes.
        if (scalar->secret && suggestion.empty()) suggestion = "what is put into a URL must be percent-encoded";
        section.reader().findings().error(value->place, value->key, std::move(problem.message), std::move(suggestion));
    }
    if (parsed.url) out = std::move(*parsed.url);
}

// SQLAlchemy's words, which it takes with underscores and in any case.
void read_isolation_level(Section& section, std::string& out) {
    const Value* value = section.find("isolation_level");
    if (value == nullptr || value->node.IsNull()) return;
    const auto scalar = section.reader().scalar(*value);
    if (!scalar) return;
    std::string level = scalar->text;
    for (char& c : level) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (std::ranges::find(levels, level) != levels.end())
        out = std::move(level);
    else
        section.refuse(*value, *scalar, "is not " + one_of(levels), did_you_mean(level, levels));
}

void read_times(Section& section, Pool& pool) {
    section.duration("pool_timeout", pool.pool_timeout);
    section.duration_or_never("pool_recycle", pool.pool_recycle);
    section.duration("idle_timeout", pool.idle_timeout);
    section.duration("transaction_idle_timeout", pool.transaction_idle_timeout);
    section.duration("transaction_timeout", pool.transaction_timeout);
    section.duration("query_timeout", pool.query_timeout);
    section.duration("quarantine_timeout", pool.quarantine_timeout);
    section.duration("pin_idle_timeout", pool.pin_idle_timeout);
    section.duration("dial_timeout", pool.dial_timeout);
    section.duration("ping_timeout", pool.ping_timeout);
    section.duration("soft_hold", pool.soft_hold);
}

void read_sizes(Section& section, Pool& pool) {
    section.count("pool_size", pool.pool_size);
    section.count("max_overflow", pool.max_overflow);
    section.count("min_idle", pool.min_idle);
    section.count("dial_parallel", pool.dial_parallel);
    section.count("prepared_per_backend", pool.prepared_per_backend);
    section.count("prepared_per_client", pool.prepared_per_client);
    section.count("max_replication", pool.max_replication);
    // SQLAlchemy: a size of 0 is no limit, whatever the overflow says.
    if (pool.pool_size == 0) {
        if (section.find("max_overflow") != nullptr && pool.max_overflow >= 0) {
            section.reader().findings().warning(section.key("max_overflow"), "has no effect: pool_size 0 is no limit",
                                                "give pool_size a number");
        }
        pool.max_overflow = -1;
    }
}

void read_one(Reader& reader, const std::string& name, const Value& value, Config& config) {
    Section section(reader, value, Part::pool);
    Pool pool;
    pool.name = name;
    pool.line = reader.findings().place(value.key).line;
    if (name.empty() ||
        std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        reader.findings().error(value.key, "a pool's name is not empty and holds no control character");
    }
    read_url(section, pool.url);
    section.names("alias", pool.alias);
    section.choice("mode", pool.mode, modes);
    read_sizes(section, pool);
    read_times(section, pool);
    section.flag("pool_pre_ping", pool.pool_pre_ping);
    section.flag("pool_use_lifo", pool.pool_use_lifo);
    section.choice("pool_reset_on_return", pool.pool_reset_on_return, resets);
    read_isolation_level(section, pool.isolation_level);
    section.flag("echo", pool.echo);
    section.choice("on_backend_loss", pool.on_backend_loss, losses);
    section.share("audit", pool.audit);
    config.pools.push_back(std::move(pool));
}

}  // namespace

void read_pools(Section& top, Config& config) {
    constexpr std::string_view example = "write name: {url: \"postgresql://user:password@host:5432/database\"}";
    const Value* value = top.require("pools", std::string(example));
    if (value == nullptr) return;
    const auto pairs = top.reader().mapping(*value);
    for (const auto& [name, pool] : pairs) read_one(top.reader(), name, pool, config);
    if (pairs.empty() && (value->node.IsMap() || value->node.IsNull())) {
        top.reader().findings().error(value->place, value->key, "names no pool", std::string(example));
    }
}

// Keys are normalised to what to_string(HostPort) says, by a URL of that host alone.
void read_servers(Section& top, Config& config) {
    const Value* value = top.find("servers");
    if (value == nullptr) return;
    for (const auto& [name, server] : top.reader().mapping(*value)) {
        Section section(top.reader(), server, Part::server);
        Server limits;
        section.count("max_connections", limits.max_connections);
        const std::size_t colon = name.rfind(':');
        const bool has_port = colon != std::string::npos && colon + 1 < name.size() && !name.ends_with(']');
        const bool path = name.starts_with('/');
        ParsedUrl url;
        if (has_port && path)
            url = parse_url("postgresql://?host=" + name.substr(0, colon) + "&port=" + name.substr(colon + 1));
        else if (has_port)
            url = parse_url("postgresql://" + name);
        if (!url.url || url.url->hosts.size() != 1 || !url.url->database.empty() || !url.url->user.empty() ||
            !url.url->query.empty()) {
            top.reader().findings().error(server.key, "is no host:port", "write \"db.internal:5432\"");
        } else if (!config.servers.emplace(to_string(url.url->hosts.front()), limits).second) {
            top.reader().findings().error(server.key, "stands twice");
        }
    }
}

}  // namespace leasehold::config
