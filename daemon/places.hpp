// SPDX-License-Identifier: Apache-2.0
// How many clients are there: in all, of each user, from each address, and at the console. A place is taken by a session
// and given back by its end, however that comes; who has none is not remembered. Decides numbers only, refuses nobody.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace leasehold::daemon {

// The console's own: taken after the password, so that nobody else can take them, and not counted by max_clients.
inline constexpr int places_at_console = 16;

// Thread-safe. Outlives its places.
class Places {
  public:
    enum class Kind : std::uint8_t {
        client,   // limits.max_clients; its key is empty
        user,     // limits.max_clients_per_user, by the name that the client logged in with
        address,  // limits.max_clients_per_address, by address_key()
        console,  // places_at_console; its key is empty
    };
    static constexpr std::size_t kinds = 4;

    class Place {
      public:
        Place() = default;
        Place(Place&& other) noexcept
            : places_(std::exchange(other.places_, nullptr)), kind_(other.kind_), key_(std::move(other.key_)) {}
        Place& operator=(Place other) noexcept {
            std::swap(places_, other.places_);
            std::swap(kind_, other.kind_);
            key_.swap(other.key_);
            return *this;
        }
        ~Place() {
            if (places_ != nullptr) places_->leave(kind_, key_);
        }
        [[nodiscard]] explicit operator bool() const noexcept { return places_ != nullptr; }

      private:
        friend class Places;
        Place(Places* places, Kind kind, std::string key) : places_(places), kind_(kind), key_(std::move(key)) {}
        Places* places_ = nullptr;
        Kind kind_ = Kind::client;
        std::string key_;
    };

    Places() = default;
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;

    // An empty place: there are `most` already. 0: no limit, counted all the same, because a reload may set one.
    [[nodiscard]] Place take(Kind kind, std::string key, int most);
    [[nodiscard]] int clients() const noexcept { return taken(Kind::client); }
    [[nodiscard]] int taken(Kind kind) const noexcept {
        return totals_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
    }
    [[nodiscard]] int taken(Kind kind, const std::string& key) const;
    [[nodiscard]] std::size_t remembered() const;  // users and addresses that have a client now

  private:
    using Counts = std::unordered_map<std::string, int>;
    void leave(Kind kind, const std::string& key) noexcept;
    [[nodiscard]] static bool keyed(Kind kind) noexcept { return kind == Kind::user || kind == Kind::address; }
    [[nodiscard]] Counts& counts(Kind kind) noexcept { return kind == Kind::user ? users_ : addresses_; }

    std::array<std::atomic<int>, kinds> totals_{};
    mutable std::mutex mutex_;  // over the maps; held for one look-up
    Counts users_, addresses_;
};

// A peer's address without its port, the same whether a socket of IPv6 or of IPv4 took the connection.
// "10.0.0.7:5123" and "[::ffff:10.0.0.7]:5123" give "10.0.0.7", "[fe80::1%eth0]:1" gives "fe80::1%eth0".
[[nodiscard]] std::string address_key(std::string_view peer);
// Clients of a unix socket share an address with those of their own system user: "unix:1000".
[[nodiscard]] std::string address_key(unsigned uid);

}  // namespace leasehold::daemon
