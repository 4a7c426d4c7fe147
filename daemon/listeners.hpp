// SPDX-License-Identifier: Apache-2.0
// All listening sockets, each shared by the workers: opened at the start, and opened, changed and closed by a reload.
// Main thread only; what a worker has of them it is given by post().
#pragma once

#include "daemon/listener.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace leasehold::daemon {

class Listeners {
  public:
    // The workers outlive it.
    explicit Listeners(const std::vector<Worker*>& workers) : workers_(workers) {}

    // Sockets that are open and not served yet; dropped, they close.
    class Prepared {
      public:
        Prepared() = default;
        Prepared(Prepared&& other) noexcept = default;
        Prepared& operator=(Prepared&&) = delete;
        ~Prepared();
        std::vector<std::string> errors;  // one an address that cannot be had

      private:
        friend class Listeners;
        std::map<std::string, int> opened_;  // by address
    };
    // Opens what the configuration names and is not open; nothing else happens before commit().
    [[nodiscard]] Prepared prepare(const config::Config& config) const;
    // Serves those of the configuration, and no others. Who waits to be accepted by one that goes is accepted before.
    void commit(const std::shared_ptr<const config::Config>& config, Prepared prepared);
    void close();  // all of them

  private:
    using Share = std::shared_ptr<Listener>;
    void close(std::vector<Share>& shares, bool accept_first);
    [[nodiscard]] std::string own_rival(const config::Listen& listen) const;

    const std::vector<Worker*>& workers_;
    std::map<std::string, std::vector<Share>> places_;  // by address, one share a worker
};

}  // namespace leasehold::daemon
