// SPDX-License-Identifier: Apache-2.0
// Cancel requests of one backend, which go over connections of their own: how many are on their way, when another one is
// due, and the wait until none is left that could hit a later statement. Worker thread only.
#pragma once

#include "dialects/wire/transport.hpp"

#include <functional>
#include <memory>

namespace leasehold::wire {

class Cancelling {
  public:
    // Delivers one request and returns once the server has closed its connection. The awaitable owns all it needs: the
    // backend may be closed meanwhile.
    using Deliver = std::function<awaitable<std::error_code>(Deadline)>;
    Cancelling(Executor executor, Deliver deliver);

    [[nodiscard]] bool underway() const noexcept { return *underway_ > 0; }
    [[nodiscard]] awaitable<std::error_code> deliver(Deadline deadline);
    // Waits until none is on its way.
    [[nodiscard]] awaitable<std::error_code> delivered(Deadline deadline);

    // A request hits nothing when it comes before its statement has begun, and only one statement of several: it is
    // repeated for as long as this lives, less often where the server takes its time.
    class Repetition {
      public:
        explicit Repetition(std::shared_ptr<bool> over) : over_(std::move(over)) {}
        ~Repetition() { stop(); }
        Repetition(Repetition&&) noexcept = default;
        Repetition& operator=(Repetition&&) = delete;
        void stop() noexcept {
            if (over_) *over_ = true;
        }

      private:
        std::shared_ptr<bool> over_;
    };
    [[nodiscard]] Repetition repeat(Deadline deadline);

  private:
    Executor executor_;
    std::shared_ptr<const Deliver> deliver_;
    std::shared_ptr<int> underway_ = std::make_shared<int>(0);  // outlives the backend
};

}  // namespace leasehold::wire
