// SPDX-License-Identifier: Apache-2.0
// Those who have connected to a listener and not yet logged in: so many and no more, and when the lobby is full, whoever
// has said nothing for the longest makes room. So neither memory nor the way to the console is lost to connections that
// nobody speaks on. Worker thread only.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <utility>

namespace leasehold::daemon {

class Lobby : public std::enable_shared_from_this<Lobby> {
  public:
    class Guest {
      public:
        [[nodiscard]] virtual bool silent() const noexcept = 0;  // it is its turn to speak, and it never has
        virtual void show_out() = 0;                             // ends it; its place is free already

      protected:
        ~Guest() = default;
    };
    // Keeps the lobby; given back at the end of the login, before the guest moves to another worker.
    class Place {
      public:
        Place() = default;
        Place(Place&& other) noexcept : lobby_(std::move(other.lobby_)), guest_(std::exchange(other.guest_, nullptr)) {}
        Place& operator=(Place other) noexcept {
            lobby_.swap(other.lobby_);
            std::swap(guest_, other.guest_);
            return *this;
        }
        ~Place();

      private:
        friend class Lobby;
        Place(std::shared_ptr<Lobby> lobby, Guest* guest) : lobby_(std::move(lobby)), guest_(guest) {}
        std::shared_ptr<Lobby> lobby_;
        Guest* guest_ = nullptr;
    };

    explicit Lobby(std::size_t most) : most_(most) {}
    [[nodiscard]] Place enter(Guest& guest);  // even if it is full
    // Whether another one may be let in, after somebody was shown out if need be.
    [[nodiscard]] bool has_room();
    // Somebody silent was shown out.
    [[nodiscard]] bool make_room();
    [[nodiscard]] std::size_t size() const noexcept { return guests_.size(); }

  private:
    const std::size_t most_;
    std::list<Guest*> guests_;  // by arrival
};

}  // namespace leasehold::daemon
