// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/watch.hpp"

namespace leasehold::wire {

void Watch::set(std::function<void()> broken) {
    broken_ = std::move(broken);
    if (broken_) {
        arm();
    } else {
        transport_.on_readable({});
    }
}

// A transport may call without cause; only what is there to be read, or the end, is one.
void Watch::arm() {
    transport_.on_readable([this] {
        if (transport_.quiet()) {
            arm();
            return;
        }
        const std::function<void()> broken = std::move(broken_);
        if (broken) broken();
    });
}

}  // namespace leasehold::wire
