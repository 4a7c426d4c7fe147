// SPDX-License-Identifier: Apache-2.0
// What operators and their programs reach by HTTP: metrics, health, the status page on admin.http; the console besides
// on the control socket. Runs on the main loop, never on a worker; asks workers by posting to them.
#pragma once

#include "config/model.hpp"
#include "daemon/shared.hpp"
#include "daemon/web/figures.hpp"
#include "daemon/web/http.hpp"
#include "daemon/web/status.hpp"

#include <functional>
#include <string>
#include <vector>

namespace leasehold::daemon::admin {
class QuarantineRecords;
}

namespace leasehold::daemon::web {

// Where the control socket is: the path itself, or for `auto` control.sock in $RUNTIME_DIRECTORY, else in
// /run/leasehold. Empty: off.
[[nodiscard]] std::string control_path(const config::Admin& admin);

// Sockets that are open and not served yet; dropped, they close, and what was served before goes on. Must not outlive
// the server that made it.
class Prepared {
  public:
    Prepared() = default;
    Prepared(Prepared&& other) noexcept;
    Prepared& operator=(Prepared&&) = delete;
    ~Prepared();

    std::vector<std::string> errors;    // of what the file names: the daemon must not go on like this
    std::vector<std::string> warnings;  // of what it would have had by default

  private:
    friend class Server;
    struct Wanted {
        std::string address;  // empty: off
        bool keep = false;    // it is open already
        config::Listen listen;
        int descriptor = -1;
    };
    Wanted http_, control_;
    std::function<void()> undo_;
};

// Main loop only. Shared, the console, the registry and the records outlive it.
class Server {
  public:
    struct Sources {
        Shared& shared;
        const admin::Console& console;
        const metrics::Registry& metrics;
        const admin::QuarantineRecords& records;
    };
    Server(wire::Executor loop, Sources sources);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // For the start and for each reload: opens what the configuration asks for and is not open; nothing that is served
    // changes before commit().
    [[nodiscard]] Prepared prepare(const config::Config& config);
    void commit(Prepared prepared);

  private:
    struct Serving {
        std::string address;
        Http::Door door = 0;
        config::Listen listen;
    };
    void open(Prepared& prepared, const config::Listen& listen, bool control, bool named);
    void serve_again(const config::Listen& listen);
    void swap(Serving& serving, Prepared::Wanted& wanted, bool control);
    void add_routes(wire::Executor loop);
    void metrics(const Respond& respond);
    void health(const Respond& respond);
    [[nodiscard]] About about() const;

    Sources sources_;
    const wire::Clock::time_point started_ = wire::Clock::now();
    Sampler sampler_;
    StatusTables tables_;
    Http http_;
    Serving http_door_, control_door_;
};

}  // namespace leasehold::daemon::web
