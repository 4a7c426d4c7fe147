// SPDX-License-Identifier: Apache-2.0
// What clients of servers that speak first are greeted with: facts that are true of every server behind the listener, from
// its backends, from before a restart, or asked for now. Thread-safe.
#pragma once

#include "daemon/home.hpp"
#include "daemon/server_facts.hpp"

#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <set>
#include <span>
#include <vector>

namespace leasehold::daemon {

// One pool of a listener, as a source of facts.
struct Served {
    std::string server;  // server_name() of its URL
    HomePtr home;        // null: the template, of which there may be no pool yet
    std::shared_ptr<const config::Pool> pool;
};

class Greetings {
  public:
    // Where its threads are: for writing, and for the cryptography of logins. Both outlive it, joined.
    Greetings(boost::asio::thread_pool& writing, boost::asio::thread_pool& computing)
        : writing_(writing), computing_(computing) {}
    // Reads what an earlier process left; before anything is served. Empty: nothing is kept.
    void open(std::string path);

    struct Greeted {
        dialects::Facts facts;  // null: no server has ever answered
        std::string message;    // then: why
    };
    // On `executor`'s thread. Waits for servers that nobody knows anything of, for 5 s at most; one that let a client wait
    // in vain is asked again, but not waited for, as long as another one is known.
    [[nodiscard]] wire::awaitable<Greeted> greet(wire::Executor executor, const dialects::Dialect* dialect,
                                                 std::string listener, std::vector<Served> served,
                                                 wire::Clock::time_point until);
    // What backends were told since. Main thread, about once a second.
    void learn(std::span<const HomePtr> homes);

  private:
    using Notify = std::function<void()>;
    struct Server {
        dialects::Facts facts;
        std::string message;  // of the last attempt
        bool asking = false;
        bool late = false;          // a client waited in vain
        bool refused = false;       // the last answer was that our login is not welcome
        std::uint64_t answers = 0;  // so far, good or bad
        std::vector<Notify> waiting;
    };
    struct Known {
        std::vector<dialects::Facts> facts;
        std::vector<Served> missing;
        std::string message;
        bool all_late = true;
        bool all_refused = true;  // since the client came
        bool any_answer = false;  // likewise
    };
    using Answers = std::map<std::string, std::uint64_t>;  // by server: how many there were when a client came
    [[nodiscard]] Known known(const std::vector<Served>& served, Answers& before);
    void ask(const Served& served, const dialects::Dialect& dialect, wire::Executor executor, Notify notify);
    void answered(const std::string& server, Warmth made);
    void give_up(const std::vector<Served>& missing);
    void tell_families(const std::string& listener, const dialects::Dialect& dialect, const Known& known);

    boost::asio::thread_pool& writing_;
    boost::asio::thread_pool& computing_;
    std::mutex mutex_;  // over all below
    std::string path_;
    std::map<std::string, Server> servers_;
    std::set<std::string> mixed_;  // listeners of which the log knows that they serve two families
    bool changed_ = false, write_failed_ = false;
};

}  // namespace leasehold::daemon
