// SPDX-License-Identifier: Apache-2.0
// One home, made from its settings, and brought to other settings while it is in use.
#include "daemon/capacity.hpp"
#include "daemon/homes.hpp"
#include "daemon/journaled.hpp"
#include "daemon/logging.hpp"
#include "daemon/metrics/pool_events.hpp"
#include "daemon/show.hpp"
#include "daemon/worker.hpp"
#include "dialects/registry.hpp"

namespace leasehold::daemon {
namespace {

pool::Params params_for(const config::Pool& pool) {
    pool::Params params;
    params.name = pool.name;
    params.pool_size = pool.pool_size;
    params.max_overflow = pool.max_overflow;
    params.pool_timeout = pool.pool_timeout;
    params.pool_recycle = pool.pool_recycle;
    params.pool_pre_ping = pool.pool_pre_ping;
    params.pool_use_lifo = pool.pool_use_lifo;
    switch (pool.pool_reset_on_return) {
        case config::ResetOnReturn::rollback: params.reset_on_return = pool::ResetOnReturn::rollback; break;
        case config::ResetOnReturn::commit: params.reset_on_return = pool::ResetOnReturn::commit; break;
        case config::ResetOnReturn::none:
            // Between clients that share backends something must be reset; only a session's own lease may skip it.
            params.reset_on_return =
                pool.mode == config::Mode::session ? pool::ResetOnReturn::none : pool::ResetOnReturn::rollback;
            break;
    }
    params.min_idle = pool.min_idle;
    params.idle_timeout = pool.idle_timeout;
    params.quarantine_timeout = pool.quarantine_timeout;
    params.dial_parallel = pool.dial_parallel;
    params.dial_timeout = pool.dial_timeout;
    params.ping_timeout = pool.ping_timeout;
    return params;
}

// What new settings ask of the backends that are open.
enum class Change : std::uint8_t {
    none,
    login,   // the server is the same, and new ones log in otherwise: the old ones go as they come back
    server,  // nobody is to be left on the old ones when drain_timeout has passed
};

Change change_between(const Terms& before, const config::Pool& pool, const std::optional<std::string>& password) {
    // The user is the home's own, and the password may be.
    config::Url was = before.settings->url, is = pool.url;
    was.user = is.user = {};
    was.password = is.password = {};
    if (was != is) return Change::server;
    const bool same = before.password == password && before.settings->isolation_level == pool.isolation_level &&
                      before.settings->prepared_per_backend == pool.prepared_per_backend;
    return same ? Change::none : Change::login;
}

}  // namespace

std::shared_ptr<dialects::Connector> Homes::connector_for(const Home& home, const config::Pool& pool,
                                                          const std::optional<std::string>& password) {
    dialects::ConnectorParams params{home.worker->executor(),
                                     pool.url,
                                     home.user,
                                     password,
                                     "leasehold " + pool.name,
                                     pool.isolation_level,
                                     static_cast<std::size_t>(pool.prepared_per_backend),
                                     &supplies_.computing};
    for (const config::HostPort& host : pool.url.hosts) params.quotas.push_back(supplies_.capacity.quota_for(host));
    return home.dialect->connector(std::move(params));
}

// On any thread: nobody knows the home yet.
HomePtr Homes::make(std::shared_ptr<const config::Pool> pool, const std::string& user,
                    const std::optional<std::string>& password, Worker& worker) {
    auto home = std::make_shared<Home>(pool->name, user);
    home->dialect = dialects::find(pool->url.dialect);
    home->worker = &worker;
    const std::string shown_user = user == pool->url.user ? std::string() : user;
    home->journal = std::make_shared<JournaledBackends>(supplies_.journal, pool->name, user);
    auto events = std::make_unique<metrics::PoolEvents>(supplies_.metrics, supplies_.records, worker.index(),
                                                        pool->name, shown_user);
    events->on_close([journal = home->journal](std::uint64_t server_id) { journal->closed(server_id); });
    home->events = std::move(events);
    home->traffic = std::make_unique<metrics::Traffic>(supplies_.metrics, worker.index(), pool->name);
    home->functions = std::make_shared<wire::KnownFunctions>(pool->audit);
    Terms terms{pool, password, connector_for(*home, *pool, password),
                supplies_.capacity.quota_for(pool->url.hosts.front())};
    home->pool = std::make_shared<pool::Pool>(worker.executor(), params_for(*pool),
                                              std::make_shared<JournaledConnector>(terms.connector, home->journal),
                                              terms.quota, *home->events);
    home->set_terms(std::move(terms));
    describe_holders(*home);
    return home;
}

void Homes::apply(const Step& step) {
    Home& home = *step.home;
    const std::shared_ptr<const Terms> before = home.terms();
    Terms next{step.settings, step.password, before->connector, before->quota};
    const Change change = change_between(*before, *step.settings, step.password);
    if (change == Change::none) {
        const std::string error = next.connector->reload_certificates();
        // The loader has just read the same files: they have changed since.
        if (!error.empty()) {
            log_error("certificates_unusable", {{"pool", home.name()}, {"user", home.user}, {"message", error}});
        } else if (step.settings->url.tls_files().any()) {
            log_info("certificates_read", {{"pool", home.name()}, {"user", home.user}});
        }
    } else {
        next.connector = connector_for(home, *step.settings, step.password);
        if (before->password == step.password) next.connector->learn(before->connector->learned());
        next.quota = supplies_.capacity.quota_for(step.settings->url.hosts.front());
    }
    home.pool->resize(params_for(*step.settings));
    home.functions->set_share(step.settings->audit);
    home.pool->forget_refusals();  // certificates may be others
    if (change != Change::none) {
        home.pool->repoint(std::make_shared<JournaledConnector>(next.connector, home.journal), next.quota);
    }
    if (change == Change::server) {
        ++home.moves;
        home.moved_out_by = wire::Clock::now() + step.drain_timeout;
    }
    home.set_terms(std::move(next));
}

}  // namespace leasehold::daemon
