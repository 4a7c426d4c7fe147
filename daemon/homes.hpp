// SPDX-License-Identifier: Apache-2.0
// The pools that live: those that the configuration names, made at the start, and those made from the template '*' when
// a database's first client has logged in. Thread-safe, but for the pools themselves: each is its worker's.
#pragma once

#include "daemon/home.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <vector>

namespace leasehold::daemon {

class Worker;

class Homes {
  public:
    // Fills a new home's terms, events and pool; runs on the home's worker, or before the workers start.
    using Furnish =
        std::function<void(Home&, std::shared_ptr<const config::Pool>, const std::optional<std::string>& password)>;
    Homes(std::shared_ptr<const config::Config> config, Furnish furnish);

    // Before the workers start: each pool for its URL's user, and one of its own for every other user that logs in to
    // the backend as itself; dealt over the workers.
    void make_configured(std::span<Worker* const> workers);
    [[nodiscard]] const std::vector<HomePtr>& configured() const noexcept { return configured_; }
    // Those made from the template included.
    [[nodiscard]] std::vector<HomePtr> all() const;

    // The pool of `database`, made from the template unless it lives already; null at limits.max_template_pools. On
    // `here`'s thread, which becomes its home. The caller is counted as its first or next session.
    [[nodiscard]] HomePtr obtain(const std::string& database, const std::string& user, Worker& here);
    // Takes away those of `here` that were made from the template and have had neither session nor backend for their
    // idle_timeout. From the worker's tick.
    void retire_idle(Worker& here);

  private:
    [[nodiscard]] HomePtr make(std::shared_ptr<const config::Pool> pool, const std::string& user,
                               const std::optional<std::string>& password, Worker& worker);

    std::shared_ptr<const config::Config> config_;
    Furnish furnish_;
    std::vector<HomePtr> configured_;
    mutable std::mutex mutex_;                                              // over what follows
    std::map<std::pair<std::string, std::string>, HomePtr> from_template_;  // by database and user
};

}  // namespace leasehold::daemon
