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

// The URL's own user with a password that can log in: who may be asked as. A hash is no password: asking with one would be
// a failed login each time, and may lock the account.
[[nodiscard]] bool asks_as_itself(const Home& home, const Terms& terms);

class Capacity {
  public:
    explicit Capacity(std::shared_ptr<const config::Config> config) : config_(std::move(config)) {}
    // Other limits from now on; what is beyond them goes as its leases end. Thread-safe.
    void configure(std::shared_ptr<const config::Config> config);
    // Shared by all pools that dial the host. Thread-safe.
    [[nodiscard]] std::shared_ptr<pool::Quota> quota_for(const config::HostPort& host);
    // Asks servers that have answered a login and are not known yet. Main thread, about once a second.
    void learn(std::span<const HomePtr> homes);
    void stop();

  private:
    struct Host {
        std::shared_ptr<pool::Quota> quota;
        int configured = 0;
        int learned = 0;  // what the server admits; 0: not known
        bool asking = false;
        std::chrono::steady_clock::time_point not_before{};
    };
    [[nodiscard]] std::shared_ptr<Host> host_of(const std::string& name);  // with the mutex held
    void configure(const std::string& name, Host& host) const;
    void learn(const HomePtr& home, const Terms& terms, const config::HostPort& address);

    std::mutex mutex_;  // over all but control_
    std::shared_ptr<const config::Config> config_;
    std::map<std::string, std::shared_ptr<Host>> hosts_;
    boost::asio::thread_pool control_{1};
};

}  // namespace leasehold::daemon
