// SPDX-License-Identifier: Apache-2.0
// Reading the configuration again while everything runs: all of it counts afterwards, or nothing has changed. What may
// fail (the file, certificates, addresses, the log's target) is done first; what comes then cannot fail.
#pragma once

#include "config/diff.hpp"
#include "config/load.hpp"
#include "daemon/certificates.hpp"
#include "daemon/homes.hpp"
#include "daemon/listeners.hpp"
#include "daemon/logging.hpp"
#include "daemon/operations.hpp"
#include "daemon/web/server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace leasehold::daemon {

namespace metrics {
class Reloads;
}

class Reload {
  public:
    // All outlive it.
    struct Parts {
        Shared& shared;
        Homes& homes;
        Capacity& capacity;
        Listeners& listeners;
        web::Server& web;
        metrics::Reloads& counted;
    };
    Reload(boost::asio::io_context& main, Parts parts) : main_(main), parts_(parts) {}
    ~Reload();
    Reload(const Reload&) = delete;
    Reload& operator=(const Reload&) = delete;

    using Done = std::function<void(ReloadReport)>;
    // Any thread. One at a time: who asks while one runs is answered by the next, which reads the file anew.
    void request(Done done);

  private:
    // A reading of the file, as far as it may fail without anything having changed.
    struct Attempt {
        std::shared_ptr<const config::Config> before;
        std::shared_ptr<config::Config> next;
        config::Diff diff;
        std::vector<Certificates::Reading> certificates;
        std::optional<LogChange> log;
        ReloadReport report;
    };
    void begin();
    static std::shared_ptr<Attempt> read(std::shared_ptr<const config::Config> before);
    static void prepare(Attempt& attempt);
    void take_up(const std::shared_ptr<Attempt>& attempt);
    void commit(const std::shared_ptr<Attempt>& attempt, Listeners::Prepared listeners, web::Prepared web);
    void tell_workers(Homes::Adoption adoption, std::function<void()> then);
    void finish(ReloadReport report);

    boost::asio::io_context& main_;
    Parts parts_;
    bool running_ = false;
    std::uint64_t number_ = 0;  // of the one that runs, for the log
    std::vector<Done> waiting_, served_;
    boost::asio::thread_pool reader_{1};
};

}  // namespace leasehold::daemon
