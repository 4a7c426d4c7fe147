// SPDX-License-Identifier: Apache-2.0
// Of URLs with several servers and a wanted role (target_session_attrs, role): asks those that serve whether they still have
// it, through the control plane, and lets pools give up their backends when one has not. Who is dialled next is the
// connectors' business.
#pragma once

#include "daemon/capacity.hpp"
#include "daemon/home.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace leasehold::daemon {

class Roles {
  public:
    // Main thread, about once a second.
    void look(std::span<const HomePtr> homes, Capacity& capacity);
    void stop();

  private:
    enum class Verdict : std::uint8_t { unknown, fits, unfit };
    // One server in one role.
    struct Watched {
        std::atomic<Verdict> verdict = Verdict::unknown;
        std::atomic<bool> asking = false;
        std::chrono::steady_clock::time_point ask_at{};
        std::vector<std::weak_ptr<Home>> homes;  // of the present look
        int given_up = 0;                        // looks at which its backends were given up
    };
    void look(const HomePtr& home, const Terms& terms, std::string_view role, Capacity& capacity);
    void act(const std::string& name, Watched& server);

    std::map<std::string, std::shared_ptr<Watched>> watched_;
    boost::asio::thread_pool control_{2};
};

}  // namespace leasehold::daemon
