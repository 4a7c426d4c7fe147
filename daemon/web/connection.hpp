// SPDX-License-Identifier: Apache-2.0
// One client's connection and what it needs of the server that accepted it. Private to this folder.
#pragma once

#include "daemon/web/http.hpp"

#include <map>
#include <set>
#include <vector>

namespace leasehold::daemon::web {

class Connection;

// What connections share. Lives as long as one of them or the server.
struct Http::State {
    State(wire::Executor executor, Limits given) : loop(executor), limits(given) {}

    // The route of a path that this kind of socket has; null: none.
    [[nodiscard]] const Route* find(const std::string& path, bool control) const;
    // Of the door's connections that have waited for a request for a moment, ends the one that has waited longest.
    [[nodiscard]] bool make_room(Door door);
    [[nodiscard]] std::size_t count(Door door) const;

    struct Listening;
    wire::Executor loop;
    const Limits limits;
    std::map<std::string, Route, std::less<>> routes;
    std::map<Door, std::shared_ptr<Listening>> doors;
    Door last_door = 0;
    std::set<std::shared_ptr<Connection>> connections;
};

// Begins to serve a client whose descriptor is taken over; it stands in state.connections until it ends.
void serve(const std::shared_ptr<Http::State>& state, int descriptor, Http::Door door, bool control);
void end(Connection& connection);
[[nodiscard]] Http::Door door_of(const Connection& connection) noexcept;
// Since when it has been waiting for a request; none while one is answered.
[[nodiscard]] std::optional<std::chrono::steady_clock::time_point> waits_since(const Connection& connection) noexcept;

}  // namespace leasehold::daemon::web
