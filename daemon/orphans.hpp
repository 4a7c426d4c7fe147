// SPDX-License-Identifier: Apache-2.0
// What a killed process left running on its servers: a statement goes on there, with all its locks, until the server
// tries to answer. Ended at the next start, by a thread of its own.
#pragma once

#include "config/model.hpp"
#include "daemon/journal.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace leasehold::daemon {

// Those of one server as it is asked for them: the URL names it alone, with what we log in by.
struct OrphansOfServer {
    config::Url url;
    std::vector<OpenBackend> backends;
};
// Those whose pool and server the configuration still names.
[[nodiscard]] std::vector<OrphansOfServer> orphans_by_server(const config::Config& config,
                                                             const std::vector<OpenBackend>& found);

class Orphans {
  public:
    Orphans() = default;
    ~Orphans() { stop(); }
    Orphans(const Orphans&) = delete;
    Orphans& operator=(const Orphans&) = delete;

    // At once, and again while a server does not answer, for a few minutes.
    void end(std::vector<OrphansOfServer> servers);
    void stop();

  private:
    void run(std::vector<OrphansOfServer> servers);

    std::mutex mutex_;
    std::condition_variable stopped_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace leasehold::daemon
