// SPDX-License-Identifier: Apache-2.0
// Accepting clients: one listening socket per configured address, opened once and shared by all workers.
#pragma once

#include "config/model.hpp"
#include "daemon/lobby.hpp"
#include "dialects/dialect.hpp"

#include <memory>
#include <string>

namespace leasehold::daemon {

class Worker;

// Clients that have not logged in yet, at one listener: dealt over the workers.
inline constexpr std::size_t logins_per_listener = 4096;

struct Opened {
    int descriptor = -1;
    std::string error;  // with what to do about it; empty: open
};
// Binds and listens. A unix socket's stale file is replaced, a living one's is not; `mode` is its file's. Who may
// connect to a client's is decided by authentication, as PostgreSQL does.
[[nodiscard]] Opened open_listener(const config::Listen& listen, unsigned mode = 0777);
// "127.0.0.1:6432", "unix:/run/leasehold/.s.PGSQL.6432"
[[nodiscard]] std::string address_of(const config::Listen& listen);

// One worker's share of a listening socket. Worker thread only, but for construction before the start.
class Listener {
  public:
    // `descriptor` is duplicated.
    Listener(Worker& worker, std::shared_ptr<const config::Listen> listen, const dialects::Dialect& dialect,
             int descriptor, std::size_t lobby_places);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    void start();
    void close();
    // Other rules for those who come from now on.
    void change(std::shared_ptr<const config::Listen> listen, const dialects::Dialect& dialect);
    void accept_waiting();  // those who have connected already, before close()
    [[nodiscard]] Worker* worker() const noexcept { return &worker_; }

  private:
    void wait();
    void accept();
    void pause();

    struct State;
    Worker& worker_;
    std::shared_ptr<const config::Listen> listen_;
    const dialects::Dialect* dialect_;
    std::unique_ptr<State> state_;
    const std::shared_ptr<Lobby> lobby_;
};

}  // namespace leasehold::daemon
