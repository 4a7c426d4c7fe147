// SPDX-License-Identifier: Apache-2.0
// The servers of one URL: in whose certificates we trust, and the search for one that lets us in and has the role that
// is wanted.
#pragma once

#include "dialects/mysql/hosts.hpp"
#include "dialects/mysql/server_dial.hpp"
#include "dialects/wire/host_walk.hpp"

namespace leasehold::mysql {

class Servers {
  public:
    explicit Servers(const dialects::ConnectorParams& params);

    // The first one's: "db.internal:3306".
    [[nodiscard]] const std::string& name() const noexcept { return names_.front(); }

    struct Found {
        Reached reached;  // without a transport: none was found
        Server server;
        std::size_t host = 0;  // its number in the URL
        wire::Cancelling::Deliver cancel;
    };
    // The worker's thread only.
    [[nodiscard]] wire::awaitable<Found> find(ServerLoginParams login, pool::Deadline deadline);

    // Thread-safe: for the next dials.
    [[nodiscard]] std::string reload_certificates();

  private:
    struct Search;
    [[nodiscard]] wire::awaitable<void> try_one(Search& search, wire::HostWalk::Turn turn);
    [[nodiscard]] wire::awaitable<bool> fits(Reached& reached, pool::Deadline until);
    void note_failure(Search& search, std::size_t host, pool::Deadline began);

    config::Url url_;
    DialRules rules_;  // without the context
    Role wanted_ = Role::any;
    std::vector<Server> servers_;
    std::vector<std::string> names_;  // of each
    bool tls_ = false;                // a context is needed
    wire::UrlTls contexts_;
};

}  // namespace leasehold::mysql
