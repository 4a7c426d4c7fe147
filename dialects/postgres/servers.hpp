// SPDX-License-Identifier: Apache-2.0
// The servers of one URL: in whose certificates we trust, with what we log in, and the search for one that lets us in
// and is what target_session_attrs wants.
#pragma once

#include "dialects/postgres/hosts.hpp"
#include "dialects/postgres/server_dial.hpp"
#include "dialects/wire/host_walk.hpp"

#include <mutex>

namespace leasehold::postgres {

class Servers {
  public:
    explicit Servers(const dialects::ConnectorParams& params);

    // The first one's: "db.internal:5432".
    [[nodiscard]] const std::string& name() const noexcept { return names_.front(); }

    struct Found {
        Reached reached;  // without a transport: none was found
        Server server;
        std::size_t host = 0;  // its number in the URL
        wire::Cancelling::Deliver cancel;
    };
    // The credential and the channel of `login` are filled in. The worker's thread only.
    [[nodiscard]] wire::awaitable<Found> find(ServerLoginParams login, pool::Deadline deadline);

    // Thread-safe: what the next dials use.
    void learn(const std::string& keys);
    [[nodiscard]] std::string learned() const;
    [[nodiscard]] std::string reload_certificates();

  private:
    struct Search;
    [[nodiscard]] wire::awaitable<void> try_one(Search& search, wire::HostWalk::Turn turn);
    [[nodiscard]] wire::awaitable<bool> fits(Reached& reached, pool::Deadline until);
    [[nodiscard]] bool prepare(Search& search);
    void note_failure(Search& search, const Server& server, pool::Deadline began);

    config::Url url_;
    DialRules rules_;  // without the context
    ServerChannel::Binding binding_ = ServerChannel::Binding::prefer;
    TargetSession wanted_ = TargetSession::any;
    std::vector<Server> servers_;
    std::vector<std::string> names_;  // of each
    bool tls_ = false;                // a context is needed
    ServerCredential credential_;     // without keys
    wire::UrlTls contexts_;

    mutable std::mutex mutex_;  // over all below
    std::optional<ScramKeys> keys_;
    pool::Deadline keys_wanted_until_{};  // a server asked for keys: without them it need not be dialled before
};

}  // namespace leasehold::postgres
