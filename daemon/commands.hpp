// SPDX-License-Identifier: Apache-2.0
// What the console's commands do to pools and sessions: PAUSE, RESUME, RECONNECT, WAIT_CLOSE, KILL, KILL_CLIENT, DISABLE,
// ENABLE, RELOAD, SHUTDOWN. Those that wait do so in coroutines on the first worker's loop and ask the others by
// everywhere(); none of them holds a worker.
#pragma once

#include "daemon/admin/arguments.hpp"
#include "daemon/shared.hpp"

namespace leasehold::daemon {

class Commands {
  public:
    // `shared` outlives it; its workers' loops end before it goes.
    explicit Commands(Shared& shared);
    Commands(const Commands&) = delete;
    Commands& operator=(const Commands&) = delete;

    void register_in(admin::Console& console);

  private:
    using Words = std::vector<admin::Token>;
    // A pool that a command names; or all of them, with an empty name.
    struct Target {
        std::string pool;
        std::vector<std::string> notices{};  // to be said with the answer
    };
    [[nodiscard]] admin::Read<Target> find(const std::string& command, const std::string& name) const;
    [[nodiscard]] admin::Read<Target> target(const std::string& command, const Words& arguments,
                                             admin::Needs needs) const;
    void register_pool_commands(admin::Console& console);
    void register_daemon_commands(admin::Console& console);
    void apply(const Target& target);  // the standing, to pools that live

    // commands_wait.cpp
    struct Waiting {
        std::string command;
        Target target;
        admin::Caller caller;
        std::optional<std::chrono::milliseconds> limit{};
        bool paused_by_this = false;
        std::uint64_t session = 0;  // of KILL_CLIENT
    };
    struct Sight;  // what one look at the workers gave
    void start(wire::awaitable<admin::Answer> (Commands::*work)(Waiting), Waiting waiting, const admin::Reply& reply);
    [[nodiscard]] wire::awaitable<admin::Answer> run_empty(Waiting waiting);       // PAUSE, KILL
    [[nodiscard]] wire::awaitable<admin::Answer> wait_for_close(Waiting waiting);  // WAIT_CLOSE
    [[nodiscard]] wire::awaitable<admin::Answer> kill_client(Waiting waiting);
    enum class Detail : std::uint8_t { figures, sessions, names };
    [[nodiscard]] wire::awaitable<Sight> look(Target target, Detail detail);
    [[nodiscard]] wire::awaitable<std::vector<std::string>> end_sessions(Waiting waiting, bool all);
    void tell_holders(const Waiting& waiting, const Sight& sight);
    [[nodiscard]] admin::Answer give_back(const Waiting& waiting);
    [[nodiscard]] wire::awaitable<void> rest();

    Shared& shared_;
};

}  // namespace leasehold::daemon
