// SPDX-License-Identifier: Apache-2.0
// Which failures to connect have been reported already: a server that is away is in the log once, however many pools
// and attempts notice it, until it answers again.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::daemon::metrics {

// Thread-safe; one for the process.
class Outages {
  public:
    // True: nobody has said so yet. `message` names the server.
    [[nodiscard]] bool begin(std::string_view message);
    // True: this ends it.
    [[nodiscard]] bool end(const std::string& message);

  private:
    std::mutex mutex_;
    std::set<std::string, std::less<>> messages_;
};
[[nodiscard]] Outages& outages();

// What one pool has seen of them. The pool's worker only.
class SeenOutages {
  public:
    SeenOutages() = default;
    SeenOutages(const SeenOutages&) = delete;
    SeenOutages& operator=(const SeenOutages&) = delete;
    ~SeenOutages() { (void)over(); }

    [[nodiscard]] bool begin(std::string_view message);
    // The server answers. True: that is news.
    [[nodiscard]] bool over();

  private:
    std::vector<std::string> messages_;
};

}  // namespace leasehold::daemon::metrics
