// SPDX-License-Identifier: Apache-2.0
#include "daemon/commands.hpp"

#include "config/nearest.hpp"
#include "daemon/holders.hpp"
#include "daemon/homes.hpp"
#include "daemon/logging.hpp"

namespace leasehold::daemon {
namespace {

using admin::Answer;
using admin::Caller;
using admin::Needs;
using admin::Permission;
using admin::Read;
using admin::Reply;
using Words = std::vector<admin::Token>;

// Every pool by its names; `pattern`: there is a template, so that any name may become a pool.
struct Names {
    std::map<std::string, std::string> pool_of;  // of an alias, or its own
    bool pattern = false;
};

Names names_of(const Shared& shared) {
    Names names;
    const std::shared_ptr<const config::Config> config = shared.config();
    for (const config::Pool& pool : config->pools) {
        if (pool.name == "*") {
            names.pattern = true;
            continue;
        }
        names.pool_of.emplace(pool.name, pool.name);
        for (const std::string& alias : pool.alias) names.pool_of.emplace(alias, pool.name);
    }
    if (shared.homes == nullptr) return names;
    for (const HomePtr& home : shared.homes->all()) names.pool_of.emplace(home->name(), home->name());
    return names;
}

Answer done(std::string tag, std::vector<std::string> notices = {}) {
    Answer answer = Answer::done(std::move(tag));
    answer.result.notices = std::move(notices);
    return answer;
}

std::string of(const std::string& pool) { return pool.empty() ? "all pools" : "pool \"" + pool + "\""; }

Answer reload_failed(const ReloadReport& report) {
    std::string all;
    for (const std::string& problem : report.problems) all += (all.empty() ? "" : "\n") + problem;
    std::string first = report.problems.empty() ? "no reason was given" : report.problems.front();
    Answer answer = Answer::failed("F0000", 1210, "nothing was reloaded: " + first);
    if (report.problems.size() > 1) {
        answer.error->message += " (the first of " + std::to_string(report.problems.size()) + " problems)";
        answer.error->detail = all;
    }
    answer.error->hint = "What was in force before still is.";
    return answer;
}

std::vector<std::string> told(const ReloadReport& report) {
    std::vector<std::string> notices;
    notices.push_back("changed: " + (report.changes.empty() ? std::string("nothing") : report.changes));
    for (const std::string& key : report.restart) notices.push_back(key + " changes at the next restart");
    for (const std::string& warning : report.warnings) notices.push_back("warning: " + warning);
    return notices;
}

}  // namespace

Commands::Commands(Shared& shared) : shared_(shared) {}

Read<Commands::Target> Commands::find(const std::string& command, const std::string& name) const {
    if (name.empty()) return {};
    const Names names = names_of(shared_);
    const auto found = names.pool_of.find(name);
    if (found != names.pool_of.end()) return {{found->second}, {}};
    if (names.pattern && name != "*") {
        return {{name, {"pool \"" + name + "\" does not live now; the template \"*\" may make it"}}, {}};
    }
    Answer answer = Answer::failed("3D000", 1049, "there is no pool \"" + name.substr(0, 60) + "\"");
    std::vector<std::string> known;
    for (const auto& [alias, pool] : names.pool_of) known.push_back(alias);
    const std::string_view nearest = config::nearest(name, known);
    if (!nearest.empty()) answer.error->message += "; did you mean \"" + std::string(nearest) + "\"?";
    answer.error->hint = "SHOW POOLS lists them.";
    if (command == "PAUSE" && nearest.empty() && !name.empty() && name.front() >= '0' && name.front() <= '9')
        answer.error->hint += " For all pools with a limit: PAUSE TIMEOUT " + name.substr(0, 20);
    return {{}, answer};
}

Read<Commands::Target> Commands::target(const std::string& command, const Words& arguments, Needs needs) const {
    const Read<std::string> name = admin::read_pool(command, arguments, needs);
    if (name.error) return {{}, name.error};
    return find(command, name.value);
}

void Commands::apply(const Target& target) {
    for (Worker* worker : shared_.workers) {
        worker->post([worker, target, &shared = shared_] { settle(shared.standing, target.pool, *worker); });
    }
}

void Commands::register_in(admin::Console& console) {
    register_pool_commands(console);
    register_daemon_commands(console);
}

void Commands::register_pool_commands(admin::Console& console) {
    const auto administer = Permission::administer;
    console.add({"PAUSE", "[pool] [limit]", administer,
                 "no new lease; answers when the pool's last server connection is closed, past the limit (30s) ends "
                 "the sessions that hold one",
                 [this](const Caller& caller, const Words& arguments, const Reply& reply) {
                     const Read<admin::Limited> read = admin::read_limited("PAUSE", arguments);
                     if (read.error) return reply(*read.error);
                     const Read<Target> target = find("PAUSE", read.value.pool);
                     if (target.error) return reply(*target.error);
                     Waiting waiting{"PAUSE", target.value, caller, read.value.limit};
                     waiting.paused_by_this = shared_.standing.pause(target.value.pool);
                     apply(target.value);
                     start(&Commands::run_empty, std::move(waiting), reply);
                 }});
    console.add({"KILL", "[pool]", administer,
                 "ends all sessions of the pool at once, and their transactions; it stays paused until RESUME",
                 [this](const Caller& caller, const Words& arguments, const Reply& reply) {
                     const Read<Target> target = this->target("KILL", arguments, Needs::nothing);
                     if (target.error) return reply(*target.error);
                     (void)shared_.standing.pause(target.value.pool);
                     apply(target.value);
                     start(&Commands::run_empty, {"KILL", target.value, caller}, reply);
                 }});
    console.add({"RESUME", "[pool]", administer, "ends PAUSE and KILL: leases are given again",
                 [this](const Caller&, const Words& arguments, const Reply& reply) {
                     Read<Target> target = this->target("RESUME", arguments, Needs::nothing);
                     if (target.error) return reply(*target.error);
                     if (!shared_.standing.resume(target.value.pool)) target.value.notices = {"nothing was paused"};
                     apply(target.value);
                     reply(done("RESUME", target.value.notices));
                 }});
    console.add({"RECONNECT", "[pool]", administer,
                 "closes server connections, those in use when they come back; WAIT_CLOSE waits for them",
                 [this](const Caller&, const Words& arguments, const Reply& reply) {
                     const Read<Target> target = this->target("RECONNECT", arguments, Needs::nothing);
                     if (target.error) return reply(*target.error);
                     for (Worker* worker : shared_.workers) {
                         worker->post([worker, pool = target.value.pool] {
                             for (const HomePtr& home : worker->homes()) {
                                 if (concerns(pool, home)) home->pool->invalidate(false);
                             }
                         });
                     }
                     reply(done("RECONNECT", target.value.notices));
                 }});
    console.add({"WAIT_CLOSE", "[pool]", administer,
                 "answers when the server connections from before RECONNECT or a reload are closed",
                 [this](const Caller& caller, const Words& arguments, const Reply& reply) {
                     const Read<Target> target = this->target("WAIT_CLOSE", arguments, Needs::nothing);
                     if (target.error) return reply(*target.error);
                     start(&Commands::wait_for_close, {"WAIT_CLOSE", target.value, caller}, reply);
                 }});
    console.add({"DISABLE", "<pool>", administer, "no new client of the pool; those that are in go on",
                 [this](const Caller&, const Words& arguments, const Reply& reply) {
                     Read<Target> target = this->target("DISABLE", arguments, Needs::pool);
                     if (target.error) return reply(*target.error);
                     if (!shared_.standing.disable(target.value.pool))
                         target.value.notices = {of(target.value.pool) + " was disabled already"};
                     reply(done("DISABLE", target.value.notices));
                 }});
    console.add({"ENABLE", "<pool>", administer, "ends DISABLE",
                 [this](const Caller&, const Words& arguments, const Reply& reply) {
                     Read<Target> target = this->target("ENABLE", arguments, Needs::pool);
                     if (target.error) return reply(*target.error);
                     if (!shared_.standing.enable(target.value.pool))
                         target.value.notices = {of(target.value.pool) + " was not disabled"};
                     reply(done("ENABLE", target.value.notices));
                 }});
}

void Commands::register_daemon_commands(admin::Console& console) {
    const auto administer = Permission::administer;
    console.add({"KILL_CLIENT", "<id>", administer, "ends the session of that id (SHOW CLIENTS), and its transaction",
                 [this](const Caller& caller, const Words& arguments, const Reply& reply) {
                     const Read<std::uint64_t> session = admin::read_session("KILL_CLIENT", arguments);
                     if (session.error) return reply(*session.error);
                     Waiting waiting{"KILL_CLIENT", {}, caller};
                     waiting.session = session.value;
                     start(&Commands::kill_client, std::move(waiting), reply);
                 }});
    console.add({"RELOAD", "", administer, "reads the configuration file again, as SIGHUP does",
                 [this](const Caller&, const Words& arguments, const Reply& reply) {
                     if (const auto wrong = admin::read_nothing("RELOAD", arguments)) return reply(*wrong);
                     if (!shared_.operations.reload)
                         return reply(Answer::failed("55000", 1235, "this leasehold cannot reload"));
                     shared_.operations.reload([reply](const ReloadReport& report) {
                         reply(report.applied ? done("RELOAD", told(report)) : reload_failed(report));
                     });
                 }});
    console.add(
        {"SHUTDOWN", "[NOW | WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS]", administer,
         "ends leasehold: transactions may end within drain_timeout; NOW: at once; WAIT_FOR_...: without a limit",
         [this](const Caller&, const Words& arguments, const Reply& reply) {
             const Read<Shutdown> how = admin::read_shutdown(arguments);
             if (how.error) return reply(*how.error);
             if (!shared_.operations.shutdown) return reply(Answer::failed("55000", 1235, "end leasehold by SIGTERM"));
             reply(done("SHUTDOWN"));
             shared_.operations.shutdown(how.value);
         }});
    console.add({"SUSPEND", "", administer, "not there; PAUSE is", [](const Caller&, const Words&, const Reply& reply) {
                     Answer answer = Answer::failed("55000", 1235, "SUSPEND is not needed here");
                     answer.error->hint = "PAUSE stops leases and closes all server connections; clients keep theirs.";
                     reply(std::move(answer));
                 }});
}

}  // namespace leasehold::daemon
