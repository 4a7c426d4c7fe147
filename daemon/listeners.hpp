// SPDX-License-Identifier: Apache-2.0
// All listening sockets, each shared by the workers: opened at the start, and opened, changed and closed by a reload.
// Main thread only; what a worker has of them it is given by post().
#pragma once

#include "daemon/passed_sockets.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace leasehold::daemon {

class Listeners {
  public:
    // The workers outlive it.
    explicit Listeners(const std::vector<Worker*>& workers) : workers_(workers) {}

    // From now on an address that one was passed for is served by that; they outlive it.
    void use(const PassedSockets& passed) { passed_ = &passed; }

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
    // PostgreSQL's stay open while a drain lasts: for the console, and because its clients know what 57P03 means. MySQL's
    // have no console, and a refused connection is understood by all. Clients of a passed socket wait for what comes next.
    void close_for_drain();

  private:
    using Share = std::shared_ptr<Listener>;
    void close(std::vector<Share>& shares, bool accept_first);
    [[nodiscard]] std::string own_rival(const config::Listen& listen) const;

    const std::vector<Worker*>& workers_;
    const PassedSockets* passed_ = nullptr;
    std::map<std::string, bool> closes_for_drain_;      // by address
    std::map<std::string, std::vector<Share>> places_;  // by address, one share a worker
};

}  // namespace leasehold::daemon
