// SPDX-License-Identifier: Apache-2.0
// From what a client asks for (listener, user, database) to the pool that serves it and the credential that admits it.
// Immutable once built; shared by all workers.
#pragma once

#include "daemon/home.hpp"

#include <map>
#include <span>

namespace leasehold::daemon {

struct Route {
    enum class Kind : std::uint8_t { pool, console, no_such_pool, no_pool_named };
    Kind kind = Kind::no_such_pool;
    HomePtr home;  // with `pool`; null when the user is unknown (the login is played to its end)
    dialects::Credential credential;
    bool administrator = false;  // with `console`
    std::string suggestion;      // with no_such_pool: the nearest name, for those who have logged in
};

class Router {
  public:
    Router(std::shared_ptr<const config::Config> config, std::vector<HomePtr> homes);

    [[nodiscard]] Route route(const config::Listen& listen, const dialects::LoginRequest& request,
                              bool over_unix) const;
    // The pools that a listener serves, in the file's order (each once, with its URL's own user).
    [[nodiscard]] std::vector<HomePtr> served_by(const config::Listen& listen) const;
    [[nodiscard]] std::span<const HomePtr> homes() const noexcept { return homes_; }

  private:
    [[nodiscard]] const config::Pool* find_pool(const config::Listen& listen, const std::string& name) const;
    [[nodiscard]] std::string name_for(const config::Listen& listen, const dialects::LoginRequest& request) const;
    [[nodiscard]] Route console(const config::Listen& listen, const dialects::LoginRequest& request,
                                bool over_unix) const;

    std::shared_ptr<const config::Config> config_;
    std::vector<HomePtr> homes_;
    std::map<std::pair<std::string, std::string>, HomePtr> by_pool_and_user_;
};

}  // namespace leasehold::daemon
