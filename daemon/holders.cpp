// SPDX-License-Identifier: Apache-2.0
#include "daemon/holders.hpp"

namespace leasehold::daemon {

bool concerns(const std::string& wanted, const HomePtr& home) noexcept {
    return home != nullptr && (wanted.empty() || home->name() == wanted);
}

bool settle(const Standing& standing, const std::string& wanted, Worker& worker) {
    bool all_paused = true;
    for (const HomePtr& home : worker.homes()) {
        if (!concerns(wanted, home) || home->retired) continue;  // one that was removed gives no lease any more
        const bool paused = standing.paused(home->name());
        all_paused = all_paused && paused;
        if (paused && !home->pool->paused()) {
            home->pool->pause();
            home->pool->vacate();
        } else if (!paused && home->pool->paused()) {
            home->pool->resume();
        }
    }
    return all_paused;
}

std::string in_words(const SessionView& view) {
    std::string text = "session " + std::to_string(view.id) + " of " + view.user + "@" + view.address;
    if (!view.application.empty()) text += " (" + view.application + ")";
    if (view.transaction_since != wire::Clock::time_point::min()) {
        const auto open = wire::Clock::now() - view.transaction_since;
        text += ", in a transaction for " +
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(open).count()) + " s";
    } else if (view.state == "active") {
        text += ", with a statement running";
    }
    if (!view.pin.empty()) text += ", pinned: " + view.pin;
    return text;
}

std::string listed(const std::vector<std::string>& holders, std::size_t at_most) {
    std::string text;
    for (std::size_t i = 0; i < holders.size() && i < at_most; ++i) text += (i > 0 ? "; " : "") + holders[i];
    if (holders.size() > at_most) text += "; and " + std::to_string(holders.size() - at_most) + " more";
    return text;
}

}  // namespace leasehold::daemon
