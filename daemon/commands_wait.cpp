// SPDX-License-Identifier: Apache-2.0
// The commands that wait: until a pool has run empty, until old connections are closed, until a session has been told.
#include "daemon/commands.hpp"
#include "daemon/everywhere.hpp"
#include "daemon/holders.hpp"
#include "daemon/logging.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <iterator>

namespace leasehold::daemon {
namespace {

using admin::Answer;
using namespace std::chrono_literals;

constexpr auto look_every = 20ms;
constexpr auto first_notice = 1s, next_notices = 10s;
constexpr std::size_t named_at_most = 5;

std::string of(const std::string& pool) { return pool.empty() ? "all pools" : "pool \"" + pool + "\""; }

void append(std::vector<std::string>& to, std::vector<std::string> more) {
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

struct Commands::Sight {
    int open = 0;                      // server connections, those of replication sessions included
    int outdated = 0;                  // of them
    int ending = 0;                    // sessions that were told to end
    int held = 0;                      // sessions that hold one of them
    bool resumed = false;              // one of the pools gives leases
    std::vector<std::string> holders;  // sessions, in words
};

// Sessions may be many: they are gone through only where the pools' figures do not tell, and put in words only to be
// named.
wire::awaitable<Commands::Sight> Commands::look(Target target, Detail detail) {
    std::function<Sight(Worker&)> work = [target = std::move(target), detail,
                                          &standing = shared_.standing](Worker& worker) {
        Sight sight;
        int replicating = 0;
        sight.resumed = !settle(standing, target.pool, worker);
        for (const HomePtr& home : worker.homes()) {
            if (!concerns(target.pool, home)) continue;
            const pool::Stats stats = home->pool->stats();
            sight.open += stats.open;
            sight.outdated += stats.outdated;
            replicating += home->replicating;
        }
        if (replicating == 0 && detail == Detail::figures) return sight;
        for (const auto& [id, session] : worker.sessions()) {
            if (!concerns(target.pool, session->home())) continue;
            if (session->killed()) ++sight.ending;
            const Session::Glance is = session->glance();
            if (is.replicating) ++sight.open;
            if (is.leased || is.replicating) {
                ++sight.held;
                if (detail == Detail::names) sight.holders.push_back(in_words(session->view()));
            }
        }
        return sight;
    };
    std::vector<Sight> parts =
        co_await everywhere<Sight>(shared_.workers.front()->executor(), shared_.workers, std::move(work));
    Sight all;
    for (Sight& part : parts) {
        all.open += part.open;
        all.outdated += part.outdated;
        all.ending += part.ending;
        all.held += part.held;
        all.resumed = all.resumed || part.resumed;
        append(all.holders, std::move(part.holders));
    }
    co_return all;
}

// All of the target's sessions, or those that hold a connection; in words, those that were told now.
wire::awaitable<std::vector<std::string>> Commands::end_sessions(Waiting waiting, bool all) {
    const std::string reason = waiting.command == "KILL"
                                   ? "an administrator ended all sessions of its pool (KILL)"
                                   : "an administrator paused its pool, and the limit of PAUSE has passed";
    std::function<std::vector<std::string>(Worker&)> work = [waiting, reason, all](Worker& worker) {
        std::vector<std::string> told;
        for (const auto& [id, session] : worker.sessions()) {
            if (!concerns(waiting.target.pool, session->home())) continue;
            const Session::Glance is = session->glance();
            if (!all && !is.leased && !is.replicating) continue;
            if (session->killed()) continue;
            const SessionView view = session->view();
            (void)session->kill(reason);
            log_info("session_killed", {{"session", id},
                                        {"pool", view.pool},
                                        {"user", view.user},
                                        {"client", view.address},
                                        {"command", waiting.command},
                                        {"by", waiting.caller.name}});
            told.push_back(in_words(view));
        }
        return told;
    };
    std::vector<std::vector<std::string>> parts = co_await everywhere<std::vector<std::string>>(
        shared_.workers.front()->executor(), shared_.workers, std::move(work));
    std::vector<std::string> told;
    for (auto& part : parts) append(told, std::move(part));
    co_return told;
}

wire::awaitable<void> Commands::rest() {
    Timer timer(shared_.workers.front()->executor(), look_every);
    const boost::asio::as_tuple_t<boost::asio::use_awaitable_t<wire::Executor>> either_way;
    (void)co_await timer.async_wait(either_way);
}

void Commands::start(wire::awaitable<Answer> (Commands::*work)(Waiting), Waiting waiting, const admin::Reply& reply) {
    boost::asio::co_spawn(shared_.workers.front()->executor(), (this->*work)(std::move(waiting)),
                          [reply](const std::exception_ptr& failure, Answer answer) {
                              if (!failure) return reply(std::move(answer));
                              try {
                                  std::rethrow_exception(failure);
                              } catch (const std::exception& problem) {
                                  log_error("internal_error", {{"where", "command"}, {"what", problem.what()}});
                              } catch (...) {
                                  log_error("internal_error", {{"where", "command"}});
                              }
                              reply(Answer::failed("XX000", 1105, "the command failed inside leasehold"));
                          });
}

void Commands::tell_holders(const Waiting& waiting, const Sight& sight) {
    std::string text = of(waiting.target.pool) + ": " + std::to_string(sight.open) + " server connections are open";
    if (!sight.holders.empty()) text += "; held by " + listed(sight.holders, named_at_most);
    waiting.caller.notice(std::move(text));
}

// Whoever takes a PAUSE back wants no client to wait any longer; what was paused before it stays so.
Answer Commands::give_back(const Waiting& waiting) {
    std::string message = waiting.command + " was cancelled";
    if (waiting.command == "PAUSE") {
        if (waiting.paused_by_this) {
            (void)shared_.standing.resume(waiting.target.pool);
            apply(waiting.target);
        }
        message += waiting.paused_by_this ? "; " + of(waiting.target.pool) + " goes on"
                                          : "; " + of(waiting.target.pool) + " stays paused, as before it";
    } else if (waiting.command == "KILL") {
        message += "; " + of(waiting.target.pool) + " stays paused until RESUME";
    }
    return Answer::failed("57014", 1317, std::move(message));
}

// Until no server connection is left. PAUSE ends past its limit who holds one, KILL everybody before it looks.
wire::awaitable<Answer> Commands::run_empty(Waiting waiting) {
    const bool kills = waiting.command == "KILL";
    const auto began = wire::Clock::now();
    auto next_notice = began + first_notice;
    std::vector<std::string> ended;
    if (kills) ended = co_await end_sessions(waiting, true);
    for (;;) {
        const auto now = wire::Clock::now();
        const bool over = !kills && waiting.limit && now - began >= *waiting.limit;
        const bool tells = now >= next_notice && waiting.caller.notice != nullptr;
        const Detail detail = tells ? Detail::names : kills || over ? Detail::sessions : Detail::figures;
        const Sight sight = co_await look(waiting.target, detail);
        if (sight.resumed) {
            co_return Answer::failed("55000", 1235,
                                     of(waiting.target.pool) + " was resumed while " + waiting.command + " waited");
        }
        if (sight.open == 0 && (!kills || sight.ending == 0)) break;
        if (waiting.caller.cancelled && *waiting.caller.cancelled) co_return give_back(waiting);
        if (over && sight.held > 0) {
            std::vector<std::string> more = co_await end_sessions(waiting, false);
            append(ended, std::move(more));
        }
        if (tells) {
            tell_holders(waiting, sight);
            next_notice = now + next_notices;
        }
        co_await rest();
    }
    Answer answer = Answer::done(waiting.command);
    answer.result.notices = std::move(waiting.target.notices);
    if (!ended.empty()) answer.result.notices.push_back("ended: " + listed(ended, 100));
    co_return answer;
}

wire::awaitable<Answer> Commands::wait_for_close(Waiting waiting) {
    auto next_notice = wire::Clock::now() + first_notice;
    for (;;) {
        const auto now = wire::Clock::now();
        const bool tells = now >= next_notice && waiting.caller.notice != nullptr;
        const Sight sight = co_await look(waiting.target, tells ? Detail::names : Detail::figures);
        if (sight.outdated == 0) break;
        if (waiting.caller.cancelled && *waiting.caller.cancelled) co_return give_back(waiting);
        if (tells) {
            tell_holders(waiting, sight);
            next_notice = now + next_notices;
        }
        co_await rest();
    }
    Answer answer = Answer::done(waiting.command);
    answer.result.notices = std::move(waiting.target.notices);
    co_return answer;
}

// A session on its way between two workers is met by neither of the first looks, but by the second: it was posted to
// its new worker before the old one was asked.
wire::awaitable<Answer> Commands::kill_client(Waiting waiting) {
    std::function<char(Worker&)> work = [waiting](Worker& worker) -> char {
        Session* session = worker.find(waiting.session);
        if (session == nullptr) return 0;
        const SessionView view = session->view();
        log_info("session_killed", {{"session", view.id},
                                    {"pool", view.pool},
                                    {"user", view.user},
                                    {"client", view.address},
                                    {"command", "KILL_CLIENT"},
                                    {"by", waiting.caller.name}});
        (void)session->kill("an administrator ended it (KILL_CLIENT)");
        return 1;
    };
    for (int attempt = 0; attempt < 2; ++attempt) {
        const std::vector<char> found =
            co_await everywhere<char>(shared_.workers.front()->executor(), shared_.workers, work);
        if (std::ranges::find(found, char{1}) != found.end()) co_return Answer::done("KILL_CLIENT");
    }
    Answer answer = Answer::failed("22023", 1094, "there is no session " + std::to_string(waiting.session));
    answer.error->hint = "SHOW CLIENTS shows the sessions, each with its id.";
    co_return answer;
}

}  // namespace leasehold::daemon
