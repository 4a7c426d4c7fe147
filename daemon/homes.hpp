// SPDX-License-Identifier: Apache-2.0
// The pools that live: those that the configuration names, and those made from the template '*' when a database's first
// client has logged in; and how each follows a changed configuration. Thread-safe, but for the pools themselves: each is
// its worker's.
#pragma once

#include "daemon/home.hpp"

#include <boost/asio/thread_pool.hpp>

#include <map>
#include <mutex>
#include <span>
#include <vector>

namespace leasehold::daemon {

namespace admin {
class QuarantineRecords;
}
namespace metrics {
class Registry;
}
class BackendJournal;
class Capacity;
class Worker;

class Homes {
  public:
    // What pools are made of; outlives them.
    struct Supplies {
        metrics::Registry& metrics;
        admin::QuarantineRecords& records;
        Capacity& capacity;
        boost::asio::thread_pool& computing;
        BackendJournal& journal;
    };
    explicit Homes(Supplies supplies) : supplies_(supplies) {}

    // What a configuration makes of one home: to be carried out on its worker, by apply() or, without settings, by
    // Worker::retire().
    struct Step {
        HomePtr home;
        std::shared_ptr<const config::Pool> settings;  // null: it is not wanted any more
        std::optional<std::string> password;
        wire::Clock::duration drain_timeout{};  // for leases from a server that the pool has left
    };
    struct Adoption {
        std::vector<HomePtr> made;  // to be given to their workers, before anybody can be sent there
        std::vector<Step> steps;    // for those that lived before
    };
    // Makes a home of each pool for its URL's user, and one for every other user that logs in to the backend as itself,
    // where there is none; dealt over the workers.
    [[nodiscard]] Adoption adopt(std::shared_ptr<const config::Config> config, std::span<Worker* const> workers);
    void apply(const Step& step);

    [[nodiscard]] std::vector<HomePtr> configured() const;
    // Those made from the template included.
    [[nodiscard]] std::vector<HomePtr> all() const;
    [[nodiscard]] bool bears(const std::string& name) const;  // whether one of them has it

    // The pool of `database`, made from the template unless it lives already. On `here`'s thread, which becomes its home.
    // The caller is counted as its first or next session.
    struct Obtained {
        HomePtr home;
        bool full = false;  // none, because of limits.max_template_pools; else the template serves it no more
    };
    [[nodiscard]] Obtained obtain(const std::string& database, const std::string& user, Worker& here);
    // Takes away those of `here` that were made from the template and have had neither session nor backend for their
    // idle_timeout. From the worker's tick.
    void retire_idle(Worker& here);

  private:
    [[nodiscard]] HomePtr make(std::shared_ptr<const config::Pool> pool, const std::string& user,
                               const std::optional<std::string>& password, Worker& worker);
    [[nodiscard]] std::shared_ptr<dialects::Connector> connector_for(const Home& home, const config::Pool& pool,
                                                                     const std::optional<std::string>& password);
    [[nodiscard]] Worker& least_loaded(std::span<Worker* const> workers) const;
    // What the template says of a pool made from it; null: it says nothing (any more).
    [[nodiscard]] std::shared_ptr<const config::Pool> from_pattern(const std::string& database,
                                                                   const std::string& user) const;

    Supplies supplies_;
    mutable std::mutex mutex_;  // over what follows
    std::shared_ptr<const config::Config> config_;
    std::vector<HomePtr> configured_;
    std::map<std::pair<std::string, std::string>, HomePtr> from_template_;  // by database and user
};

}  // namespace leasehold::daemon
