// SPDX-License-Identifier: Apache-2.0
// From what a client asks for (listener, user, database) to the pool that serves it and the credential that admits it.
// Immutable once built; shared by all workers. Pools made from the template are daemon/homes' business.
#pragma once

#include "daemon/admission.hpp"
#include "daemon/home.hpp"

#include <map>
#include <span>

namespace leasehold::daemon {

struct Route {
    enum class Kind : std::uint8_t { pool, console, no_such_pool, no_pool_named };
    Kind kind = Kind::no_such_pool;
    HomePtr home;  // with `pool`; null when the user is unknown (the login is played to its end)
    Account account;
    dialects::Credential credential;
    std::string hint;  // why it admits nobody; for the log alone
    // With `pool` and no home: a pool that is to be made from the template, for this database and backend user.
    const config::Pool* pattern = nullptr;
    std::string database, user;
    std::optional<std::string> password;
    bool administrator = false;  // with `console`
    std::string suggestion;      // with no_such_pool: the nearest name, for those who have logged in
};

class Router {
  public:
    Router(std::shared_ptr<const config::Config> config, std::vector<HomePtr> homes);

    [[nodiscard]] Route route(const config::Listen& listen, const dialects::LoginRequest& request,
                              const Identity& identity) const;
    // The pools that a listener serves, in the file's order (each once, with its URL's own user).
    [[nodiscard]] std::vector<HomePtr> served_by(const config::Listen& listen) const;
    [[nodiscard]] std::span<const HomePtr> homes() const noexcept { return homes_; }

  private:
    [[nodiscard]] const config::Pool* find_pool(const config::Listen& listen, const std::string& name) const;
    [[nodiscard]] std::string name_for(const config::Listen& listen, const dialects::LoginRequest& request) const;
    // What serves the request, and what is known of its user.
    [[nodiscard]] Route find(const config::Listen& listen, const dialects::LoginRequest& request) const;
    [[nodiscard]] Route from_template(const config::Pool& pattern, const dialects::LoginRequest& request,
                                      const std::string& database) const;
    [[nodiscard]] Route console(const dialects::LoginRequest& request) const;
    // What is known of a user on whichever pool of the listener.
    [[nodiscard]] Account anywhere(const config::Listen& listen, const std::string& name) const;

    std::shared_ptr<const config::Config> config_;
    std::vector<HomePtr> homes_;
    std::map<std::pair<std::string, std::string>, HomePtr> by_pool_and_user_;
};

}  // namespace leasehold::daemon
