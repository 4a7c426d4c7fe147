// SPDX-License-Identifier: Apache-2.0
#include "daemon/greetings.hpp"

#include "daemon/logging.hpp"
#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;

constexpr auto longest_wait = std::chrono::seconds(5);
constexpr auto ask_again_after = std::chrono::milliseconds(250);
// Servers that no URL names any more are forgotten when there are more than this.
constexpr std::size_t remembered_at_most = 1000;

[[nodiscard]] bool same(const dialects::Facts& a, const dialects::Facts& b) noexcept {
    return a->version == b->version && a->parameters == b->parameters && a->capabilities == b->capabilities &&
           a->charset == b->charset && a->status == b->status;
}

// A connection of its own, for a template of which no pool lives: it shows that the server is there, and is closed.
wire::awaitable<Warmth> probe(const dialects::Dialect* dialect, std::shared_ptr<const config::Pool> pool,
                              wire::Executor executor, asio::thread_pool* computing) {
    dialects::ConnectorParams params{executor,
                                     pool->url,
                                     pool->url.user,
                                     pool->url.password,
                                     "leasehold " + pool->name,
                                     {},
                                     static_cast<std::size_t>(pool->prepared_per_backend),
                                     computing,
                                     {}};
    const std::unique_ptr<dialects::Connector> connector = dialect->connector(std::move(params));
    const auto deadline = wire::Clock::now() + longest_wait;
    pool::Connected connected = co_await connector->connect(0, deadline);
    if (connected.backend) connected.backend->close();
    Warmth made;
    made.facts = connector->facts();
    made.message = std::move(connected.message);
    made.refused = connected.refused;
    co_return made;
}

}  // namespace

void Greetings::open(std::string path) {
    if (path.empty()) return;
    FactsRead read = read_facts(path);
    if (!read.problem.empty()) {
        log_warn("servers_forgotten",
                 {{"message", read.problem}, {"hint", "clients are greeted when their servers have answered"}});
    }
    const std::lock_guard lock(mutex_);
    path_ = std::move(path);
    for (auto& [name, facts] : read.facts) servers_[name].facts = std::move(facts);
}

Greetings::Known Greetings::known(const std::vector<Served>& served, Answers& before) {
    Known result;
    std::set<std::string_view> seen;
    const std::lock_guard lock(mutex_);
    for (const Served& one : served) {
        const dialects::Facts newest = one.home ? one.home->connector()->greeted() : nullptr;
        Server& server = servers_[one.server];
        if (newest && (!server.facts || !same(server.facts, newest))) {
            server.facts = newest;
            changed_ = true;
        }
    }
    for (const Served& one : served) {
        if (!seen.insert(one.server).second) continue;
        const Server& server = servers_[one.server];
        if (server.facts) {
            result.facts.push_back(server.facts);
            continue;
        }
        result.missing.push_back(one);
        result.all_late = result.all_late && server.late;
        const bool answered = server.answers > before.try_emplace(one.server, server.answers).first->second;
        result.all_refused = result.all_refused && answered && server.refused;
        result.any_answer = result.any_answer || answered;
        if (result.message.empty()) result.message = server.message;
        if (result.message.empty()) result.message = "no server of pool " + one.pool->name + " has answered yet";
    }
    return result;
}

void Greetings::ask(const Served& served, const dialects::Dialect& dialect, wire::Executor executor, Notify notify) {
    {
        const std::lock_guard lock(mutex_);
        Server& server = servers_[served.server];
        if (notify) server.waiting.push_back(std::move(notify));
        if (server.asking) return;
        server.asking = true;
    }
    auto done = [this, name = served.server](const std::exception_ptr& failure, Warmth made) {
        if (failure) made.message = "an internal error";
        answered(name, std::move(made));
    };
    if (served.home) {
        asio::co_spawn(served.home->worker->executor(), warm(served.home), std::move(done));
    } else {
        asio::co_spawn(executor, probe(&dialect, served.pool, executor, &computing_), std::move(done));
    }
}

void Greetings::answered(const std::string& name, Warmth made) {
    std::vector<Notify> waiting;
    {
        const std::lock_guard lock(mutex_);
        Server& server = servers_[name];
        server.asking = false;
        server.late = !made.facts;
        server.refused = made.refused;
        ++server.answers;
        if (made.facts) {
            server.facts = std::move(made.facts);
            changed_ = true;
        }
        server.message = std::move(made.message);
        waiting.swap(server.waiting);
    }
    for (const Notify& notify : waiting) notify();
}

void Greetings::give_up(const std::vector<Served>& missing) {
    const std::lock_guard lock(mutex_);
    for (const Served& one : missing) servers_[one.server].late = true;
}

wire::awaitable<Greetings::Greeted> Greetings::greet(wire::Executor executor, const dialects::Dialect* dialect,
                                                     std::string listener, std::vector<Served> served,
                                                     wire::Clock::time_point until) {
    Greeted greeted;
    greeted.message = "no pool is configured for this listener";
    if (served.empty()) co_return greeted;
    until = std::min(until, wire::Clock::now() + longest_wait);
    const auto wait = std::make_shared<Wakeable>(executor);
    const Notify notify = [weak = std::weak_ptr<Wakeable>(wait), executor] { tell(weak, executor, [](Wakeable&) {}); };
    Answers before;
    bool asked = false;
    for (;;) {
        Known now = known(served, before);
        const bool enough = now.missing.empty() || (!now.facts.empty() && now.all_late);
        const bool over = wire::Clock::now() >= until || now.all_refused;
        if (over) give_up(now.missing);
        // Whoever says no at once is not asked again at once.
        if (asked && !enough && !over && now.any_answer) {
            wait->woken.expires_after(ask_again_after);
            co_await wait->wait();
        }
        asked = true;
        for (const Served& one : now.missing) ask(one, *dialect, executor, enough || over ? Notify() : notify);
        if (enough || over) {
            tell_families(listener, *dialect, now);
            greeted.facts = dialect->common_facts(now.facts);
            greeted.message = std::move(now.message);
            co_return greeted;
        }
        wait->woken.expires_at(until);
        co_await wait->wait();
    }
}

// Clients of one family's servers would be greeted by the other's name: half of them would be lied to.
void Greetings::tell_families(const std::string& listener, const dialects::Dialect& dialect, const Known& known) {
    std::set<std::string_view> families;
    for (const dialects::Facts& facts : known.facts) families.insert(dialect.family(facts->version));
    const std::lock_guard lock(mutex_);
    if (families.size() < 2) {
        mixed_.erase(listener);
        return;
    }
    if (!mixed_.insert(listener).second) return;
    std::string both;
    for (const std::string_view family : families) both += (both.empty() ? "" : " and ") + std::string(family);
    log_error("families_mixed",
              {{"listen", listener},
               {"families", both},
               {"hint", "clients are greeted as by the first pool's server; give each family a listener, by pools:"}});
}

void Greetings::learn(std::span<const HomePtr> homes) {
    std::vector<Served> all;
    for (const HomePtr& home : homes) {
        const std::shared_ptr<const config::Pool> pool = home->settings();
        if (home->dialect->greets_first()) all.push_back({server_name(pool->url), home, pool});
    }
    Answers before;
    (void)known(all, before);
    std::string text;
    std::string path;
    {
        const std::lock_guard lock(mutex_);
        if (!changed_ || path_.empty()) return;
        changed_ = false;
        path = path_;
        std::set<std::string_view> live;
        for (const Served& one : all) live.insert(one.server);
        ServerFactsByName kept;
        for (const auto& [name, server] : servers_) {
            const bool wanted = servers_.size() <= remembered_at_most || live.contains(name);
            if (server.facts && wanted) kept[name] = server.facts;
        }
        text = render_facts(kept);
    }
    asio::post(writing_, [this, path = std::move(path), text = std::move(text)] {
        const std::string error = write_facts(path, text);
        const std::lock_guard lock(mutex_);
        const bool news = write_failed_ != !error.empty();
        write_failed_ = !error.empty();
        if (news && write_failed_) log_warn("servers_not_kept", {{"message", error}});
    });
}

}  // namespace leasehold::daemon
