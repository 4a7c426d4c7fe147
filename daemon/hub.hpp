// SPDX-License-Identifier: Apache-2.0
// The connection that hears what a server announces to the sessions of one database: dialled when the first of them wants a
// channel, again when it is lost, and closed when nobody has wanted one for a while. It passes on, in order, what sessions
// may want, and never waits for any of them. It lives on the worker of the pool that asked first; sessions live anywhere.
#pragma once

#include "daemon/admin/listening.hpp"
#include "daemon/home.hpp"
#include "daemon/hubs.hpp"
#include "daemon/wakeable.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace leasehold::daemon {

// What a session is told, on its worker: Session::hub_says().
struct HubNews {
    enum class Kind : std::uint8_t {
        heard,     // `said`
        answered,  // its request; `error`: it failed
        lost,      // nothing is heard for the moment
        restored,  // it is again, and marks go to `mark_channel`
        moved,     // this hub is no use any more: another one is to be asked
    };
    Kind kind = Kind::heard;
    std::uint64_t request = 0;
    wire::AnnouncementPtr said{};
    std::string mark_channel{};
    wire::Diagnostics error{};
};

class Hub final : public std::enable_shared_from_this<Hub> {
  public:
    struct Who {
        std::uint64_t session = 0;
        Worker* worker = nullptr;
    };
    Hub(Hubs& hubs, HomePtr home, std::string key);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    // From every thread; what comes of it is told to the session's worker, in the order of what is heard.
    void start();
    void want(Who who, std::string channel, std::uint64_t request);
    void adopt(Who who, std::vector<std::string> channels);  // that another hub heard for it
    void unwant(Who who, std::vector<std::string> channels);
    void catch_up(Who who, std::uint64_t request);  // answered when all that was announced before has been told
    void leave(Who who);
    void abandon();  // no worker runs any more

    [[nodiscard]] Worker* worker() const noexcept { return worker_; }
    // On its worker.
    [[nodiscard]] admin::ListenerRow row() const;

  private:
    enum class State : std::uint8_t { closed, dialling, preparing, open };
    struct Asked {
        enum class Kind : std::uint8_t { other, want, probe, prepare, adopted } kind = Kind::other;
        std::uint64_t session = 0, request = 0;
        std::string channel{};
        wire::Clock::time_point at{};
    };
    struct Member {
        Worker* worker = nullptr;
        std::set<std::string> channels;
    };

    void run(std::function<void(Hub&)> act);
    // hub.cpp: who wants what
    void send_want(Asked want);
    void add(std::uint64_t session, const std::string& channel);
    void drop(std::uint64_t session, const std::string& channel);
    void ask(Asked asked);
    void probe();
    void tell(std::uint64_t session, HubNews news);
    void tell_all(const HubNews& news);
    void flush();
    void on_heard(const wire::AnnouncementPtr& said);
    void on_answer(const wire::Diagnostics* error);
    // hub_connection.cpp: the connection
    void tick();
    void dial_if_wanted();
    void answer_waiting(const wire::Diagnostics& error);
    [[nodiscard]] bool take_place();
    [[nodiscard]] static wire::awaitable<void> dial(std::shared_ptr<Hub> self);
    void connected(dialects::Hearing made);
    void prepared();
    void readable();
    void ship();
    void failed(const std::string& why, wire::Diagnostics refusal);
    void lose(const std::string& why);
    void close() noexcept;
    void move_away();

    Hubs& hubs_;
    HomePtr home_;
    Worker* const worker_;
    const wire::Executor executor_;
    const std::string key_;
    std::atomic<bool> abandoned_{false};

    // Its worker's thread only.
    std::unique_ptr<Timer> timer_;
    State state_ = State::closed;
    std::shared_ptr<dialects::Backend> backend_;  // outlives what reads it
    std::unique_ptr<wire::Ear> ear_;
    pool::Permit permit_;
    bool announced_ = false;  // the quota will call
    bool moved_ = false;
    wire::Outbox out_;
    std::string mark_channel_;
    std::string server_;
    std::deque<Asked> asked_;  // of the server, without answers
    std::deque<Asked> wants_;  // until there is a connection
    std::vector<Asked> catching_up_, catching_up_next_;
    bool probing_ = false;
    std::unordered_map<std::uint64_t, Member> members_;
    std::map<std::string, std::set<std::uint64_t>, std::less<>> channels_;
    std::map<Worker*, std::vector<std::pair<std::uint64_t, HubNews>>> news_;
    wire::Diagnostics refusal_;  // of the last attempt: so is who asks before the next
    std::chrono::milliseconds back_off_{0};
    wire::Clock::time_point retry_at_{}, heard_at_{}, wanted_at_{}, since_{};
    std::uint64_t delivered_ = 0, lost_ = 0;
};

}  // namespace leasehold::daemon
