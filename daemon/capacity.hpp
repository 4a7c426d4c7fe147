// SPDX-License-Identifier: Apache-2.0
// How many connections each server admits, over all pools that dial it: the configured number, or what the server says
// of itself once it is known to be up (asked through the control plane, on a thread of its own).
#pragma once

#include "daemon/home.hpp"
#include "pool/quota.hpp"

#include <boost/asio/thread_pool.hpp>

#include <map>
#include <memory>
#include <mutex>

namespace leasehold::daemon {

class Capacity {
  public:
    explicit Capacity(const config::Config& config) : config_(config) {}
    // The quota shared by all pools of the URL's (first) host. Thread-safe.
    [[nodiscard]] std::shared_ptr<pool::Quota> quota_for(const config::Url& url);
    // Asks servers that have answered a login and are not known yet. Main thread, about once a second.
    void learn(std::span<const HomePtr> homes);
    void stop();

  private:
    struct Host {
        std::shared_ptr<pool::Quota> quota;
        bool configured = false;
        std::atomic<bool> known{false};
        std::atomic<bool> asking{false};
        std::chrono::steady_clock::time_point not_before{};
    };
    [[nodiscard]] std::shared_ptr<Host> host_of(const config::Url& url);

    const config::Config& config_;
    std::mutex mutex_;  // over hosts_
    std::map<std::string, std::shared_ptr<Host>> hosts_;
    boost::asio::thread_pool control_{1};
};

}  // namespace leasehold::daemon
