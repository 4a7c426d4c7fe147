// SPDX-License-Identifier: Apache-2.0
// The sockets that a service manager opened for us, by the listeners that name their addresses. They are kept while the
// daemon runs: whoever connects while a listener is away for a moment waits in the kernel's queue.
#pragma once

#include "daemon/listener.hpp"
#include "daemon/notify.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace leasehold::daemon {

class PassedSockets {
  public:
    // Closes those that no listener can use, with a warning for each.
    PassedSockets(std::vector<notify::Passed> passed, const std::vector<config::Listen>& listeners);
    ~PassedSockets();
    PassedSockets(const PassedSockets&) = delete;
    PassedSockets& operator=(const PassedSockets&) = delete;

    // A copy of the descriptor that was passed for it, or one that is opened now.
    [[nodiscard]] Opened open(const config::Listen& listen) const;
    [[nodiscard]] bool has(const config::Listen& listen) const { return find(listen) != nullptr; }
    [[nodiscard]] bool has_address(std::string_view address) const noexcept;  // "unix:/run/..."
    [[nodiscard]] std::size_t size() const noexcept { return passed_.size(); }

  private:
    [[nodiscard]] const notify::Passed* find(const config::Listen& listen) const;
    std::vector<notify::Passed> passed_;
};

// As getsockname() has it, to compare by: "localhost:6432" is "127.0.0.1:6432", and "*:6432" is "[::]:6432".
[[nodiscard]] std::string bound_address(const config::Listen& listen);

}  // namespace leasehold::daemon
