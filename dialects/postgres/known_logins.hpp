// SPDX-License-Identifier: Apache-2.0
// What the server reported to clients that asked for these settings when they came: the next with the same settings needs
// no backend to log in. Bounded, the longest unused go first. One connector's, on its worker; no sockets.
#pragma once

#include "dialects/postgres/settings.hpp"

#include <list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leasehold::postgres {

// The server takes such a name over as it is, so that it need not be asked.
[[nodiscard]] bool is_plain_application_name(std::string_view name) noexcept;

class KnownLogins {
  public:
    using Parameters = std::vector<std::pair<std::string, std::string>>;  // ParameterStatus

    static constexpr std::size_t most = 512;
    static constexpr std::size_t most_bytes = 1u << 20;

    // Equal for logins of which the server says the same; empty: as of one that asks for nothing.
    [[nodiscard]] static std::string key(const Settings& settings, std::uint64_t variant);

    // Valid until the next call; null: nobody has tried these yet.
    [[nodiscard]] const Parameters* find(const std::string& key);
    void remember(const std::string& key, Parameters parameters);
    void clear() noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return known_.size(); }

  private:
    struct Known {
        std::string key;
        Parameters parameters;
        std::size_t bytes = 0;
    };
    void forget(std::list<Known>::iterator at);

    std::list<Known> known_;  // used last in front
    std::unordered_map<std::string, std::list<Known>::iterator> by_key_;
    std::size_t bytes_ = 0;
};

}  // namespace leasehold::postgres
