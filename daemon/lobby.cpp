// SPDX-License-Identifier: Apache-2.0
#include "daemon/lobby.hpp"

#include <algorithm>

namespace leasehold::daemon {

Lobby::Place::~Place() {
    if (!lobby_) return;
    const auto found = std::ranges::find(lobby_->guests_, guest_);  // near the front, mostly
    if (found != lobby_->guests_.end()) lobby_->guests_.erase(found);
}

Lobby::Place Lobby::enter(Guest& guest) {
    guests_.push_back(&guest);
    return Place(shared_from_this(), &guest);
}

bool Lobby::has_room() { return guests_.size() < most_ || make_room(); }

bool Lobby::make_room() {
    const auto oldest = std::ranges::find_if(guests_, [](const Guest* guest) { return guest->silent(); });
    if (oldest == guests_.end()) return false;
    Guest* guest = *oldest;
    guests_.erase(oldest);
    guest->show_out();
    return true;
}

}  // namespace leasehold::daemon
