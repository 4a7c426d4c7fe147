// SPDX-License-Identifier: Apache-2.0
// From what a client asks for (listener, user, database) to the pool that serves it and the credential that admits it.
// Immutable once built; shared by all workers. Pools made from the template are daemon/homes' business.
#pragma once

#include "daemon/admission.hpp"
#include "daemon/greetings.hpp"
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
    bool from_template = false;
    std::string database, user;
    bool administrator = false;         // with `console`
    std::string suggestion;             // with no_such_pool: the nearest name, for those who have logged in
    std::vector<std::string> choice{};  // with no_pool_named: the pools of this user, for the same
};

// The password of a backend user of the pool: the URL's for its own user, else that of `users`.
[[nodiscard]] std::optional<std::string> password_of(const config::Config& config, const config::Pool& pool,
                                                     const std::string& user);

class Router {
  public:
    // `homes` are the configured ones; one that the configuration does not name (any more) is never routed to.
    Router(std::shared_ptr<const config::Config> config, std::vector<HomePtr> homes);

    [[nodiscard]] Route route(const config::Listen& listen, const dialects::LoginRequest& request,
                              const Identity& identity) const;
    // Why a client of that pool may not go on with it, for the client; empty: it may. Nobody is asked for a password again.
    [[nodiscard]] std::string objection(const config::Listen& listen, const std::string& user, const Home& home) const;
    [[nodiscard]] bool administers(const std::string& user) const;
    [[nodiscard]] std::string console_objection(const std::string& user, bool administrator) const;
    // The pools that a listener serves, in the file's order (each once, with its URL's own user if it has one).
    [[nodiscard]] std::vector<Served> served_by(const config::Listen& listen) const;
    [[nodiscard]] std::span<const HomePtr> homes() const noexcept { return homes_; }

  private:
    // A home, and what the configuration says of it: the home itself may have gone on to a later one.
    struct Entry {
        HomePtr home;
        const config::Pool* pool = nullptr;  // config_'s
        std::optional<std::string> password;
    };
    [[nodiscard]] static Account account_of(const Entry& entry);
    [[nodiscard]] const config::Pool* find_pool(const config::Listen& listen, const std::string& name) const;
    [[nodiscard]] std::vector<const config::Pool*> pools_of(const config::Listen& listen,
                                                            const std::string& user) const;
    [[nodiscard]] std::string name_for(const config::Listen& listen, const dialects::LoginRequest& request) const;
    // What serves the request, and what is known of its user.
    [[nodiscard]] Route find(const config::Listen& listen, const dialects::LoginRequest& request) const;
    [[nodiscard]] Route of_pool(const config::Pool& pool, const std::string& user) const;
    [[nodiscard]] Route from_template(const config::Pool& pattern, const dialects::LoginRequest& request,
                                      const std::string& database) const;
    [[nodiscard]] Route console(const dialects::LoginRequest& request) const;
    // What is known of a user on whichever pool of the listener.
    [[nodiscard]] Account anywhere(const config::Listen& listen, const std::string& name) const;

    // Whose secret an unknown user is asked as if it had: MySQL's exchange shows of which kind a secret is.
    [[nodiscard]] std::string decoy(const std::string& user) const;

    std::shared_ptr<const config::Config> config_;
    std::vector<std::string> decoys_;  // of MySQL's accounts: the hashes, and nothing for each clear text
    std::vector<HomePtr> homes_;
    std::vector<Entry> entries_;
    std::map<std::pair<std::string, std::string>, Entry> by_pool_and_user_;
};

}  // namespace leasehold::daemon
