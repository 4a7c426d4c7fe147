// SPDX-License-Identifier: Apache-2.0
// Looks after a connection while nobody uses it: calls once when something can be read from it, or when it ends.
#pragma once

#include "dialects/wire/transport.hpp"

#include <functional>

namespace leasehold::wire {

class Watch {
  public:
    // The transport outlives the watch.
    explicit Watch(Transport& transport) : transport_(transport) {}
    // Empty: stop.
    void set(std::function<void()> broken);

  private:
    void arm();

    Transport& transport_;
    std::function<void()> broken_;
};

}  // namespace leasehold::wire
