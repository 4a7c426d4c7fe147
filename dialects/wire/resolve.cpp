// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/resolve.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <netdb.h>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace leasehold::wire {
namespace {

namespace asio = boost::asio;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using Address = asio::ip::address;

constexpr std::size_t most_threads = 4;
constexpr std::size_t most_queued = 1000;
// A lookup that takes longer is not expected to end soon: nobody queues behind it.
constexpr auto hangs_after = std::chrono::seconds(5);

struct Answer {
    std::vector<Address> addresses;
    std::error_code error{};
    std::string why;
};

// One who asked. Both sides hold it; the coroutine, or the loop that it goes down with, takes the timer away.
struct Asker {
    explicit Asker(Executor of) : executor(of) {}
    Executor executor;
    std::mutex mutex;
    Timer* timer = nullptr;  // null: nobody waits any more, and the loop may be gone
    bool answered = false;
    bool begun = false;
    Answer answer;
};

void tell(const std::shared_ptr<Asker>& asker, const Answer& answer) {
    const std::lock_guard lock(asker->mutex);
    asker->answer = answer;
    asker->answered = true;
    if (asker->timer == nullptr) return;
    asio::post(asker->executor, [asker] {
        if (asker->timer != nullptr) asker->timer->cancel();
    });
}

std::error_code error_of(int code) noexcept {
    switch (code) {
        case EAI_SYSTEM: return {errno, std::system_category()};
        case EAI_MEMORY: return std::make_error_code(std::errc::not_enough_memory);
        case EAI_AGAIN: return std::error_code(boost::system::error_code(asio::error::host_not_found_try_again));
        default: return std::error_code(boost::system::error_code(asio::error::host_not_found));
    }
}

Answer ask_system(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (code == EAI_NONAME || code == EAI_NODATA || code == EAI_ADDRFAMILY) {
        hints.ai_flags = 0;  // AI_ADDRCONFIG hides loopback names where only the loopback interface is up
        code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    }
    Answer answer;
    if (code != 0) {
        answer.error = error_of(code);
        answer.why = code == EAI_SYSTEM ? answer.error.message() : ::gai_strerror(code);
        return answer;
    }
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        asio::ip::tcp::endpoint endpoint;
        if (each->ai_addrlen > endpoint.capacity()) continue;
        std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
        answer.addresses.push_back(endpoint.address());
    }
    ::freeaddrinfo(found);
    if (answer.addresses.empty()) {
        answer.error = error_of(EAI_NODATA);
        answer.why = "the name has no address";
    }
    return answer;
}

// Lives for ever, and so may its threads: one that hangs cannot be joined.
class Lookups {
  public:
    static Lookups& instance() {
        static Lookups* const lookups = new Lookups;
        return *lookups;
    }

    // False: every thread hangs, or far too many wait.
    [[nodiscard]] bool ask(const std::string& host, std::shared_ptr<Asker> asker) {
        const std::lock_guard lock(mutex_);
        if (const auto found = underway_.find(host); found != underway_.end()) {
            asker->begun = found->second.since != Clock::time_point::max();
            found->second.askers.push_back(std::move(asker));
            return true;
        }
        if (hanging() || queue_.size() >= most_queued) return false;
        if (idle_ <= queue_.size() && threads_ < most_threads && !begin_thread()) return false;
        underway_[host].askers.push_back(std::move(asker));
        queue_.push_back(host);
        wake_.notify_one();
        return true;
    }

  private:
    // False: there is none, and the system gives none. It waits for the lock that the caller holds.
    [[nodiscard]] bool begin_thread() {
        try {
            std::thread([this] { serve(); }).detach();
            ++threads_;
        } catch (const std::system_error&) {
            return threads_ > 0;
        }
        return true;
    }

    struct Lookup {
        Clock::time_point since = Clock::time_point::max();  // of the call; max: it waits for a thread
        std::vector<std::shared_ptr<Asker>> askers;
    };

    [[nodiscard]] bool hanging() const {
        std::size_t hung = 0;
        const auto now = Clock::now();
        for (const auto& [host, lookup] : underway_) {
            if (lookup.since != Clock::time_point::max() && now - lookup.since >= hangs_after) ++hung;
        }
        return hung >= most_threads;
    }

    void serve() {
        std::unique_lock lock(mutex_);
        for (;;) {
            ++idle_;
            wake_.wait(lock, [this] { return !queue_.empty(); });
            --idle_;
            const std::string host = std::move(queue_.front());
            queue_.pop_front();
            begin(underway_[host]);
            lock.unlock();
            const Answer answer = ask_system(host);
            lock.lock();
            const std::vector<std::shared_ptr<Asker>> askers = std::move(underway_[host].askers);
            underway_.erase(host);
            lock.unlock();
            for (const auto& asker : askers) tell(asker, answer);
            lock.lock();
        }
    }

    static void begin(Lookup& lookup) {
        lookup.since = Clock::now();
        for (const auto& asker : lookup.askers) {
            const std::lock_guard held(asker->mutex);
            asker->begun = true;
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::string> queue_;
    std::map<std::string, Lookup> underway_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
};

// Takes the timer away however the coroutine ends.
struct Listening {
    Listening(std::shared_ptr<Asker> of, Timer& timer) : asker(std::move(of)) { asker->timer = &timer; }
    ~Listening() {
        const std::lock_guard lock(asker->mutex);
        asker->timer = nullptr;
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    std::shared_ptr<Asker> asker;
};

}  // namespace

awaitable<Resolved> resolve(Executor executor, std::string host, std::uint16_t port, Deadline deadline) {
    Resolved resolved;
    boost::system::error_code no_address;
    const Address literal = asio::ip::make_address(host, no_address);
    if (!no_address) {
        resolved.endpoints.emplace_back(asio::ip::tcp::endpoint(literal, port));
        co_return resolved;
    }
    const auto asker = std::make_shared<Asker>(executor);
    Timer timer(executor, deadline);
    const Listening listening(asker, timer);
    if (!Lookups::instance().ask(host, asker)) {
        resolved.error = make_error_code(errc::timed_out);
        resolved.why = "name resolution hangs: no name server has answered for seconds";
        co_return resolved;
    }
    co_await timer.async_wait(asio::as_tuple_t<asio::use_awaitable_t<Executor>>{});
    const std::lock_guard lock(asker->mutex);
    if (!asker->answered) {
        resolved.error = make_error_code(errc::timed_out);
        resolved.why = asker->begun ? "no name server has answered in time"
                                    : "name resolution hangs: other names are being waited for";
    } else if (asker->answer.error) {
        resolved.error = asker->answer.error;
        resolved.why = asker->answer.why;
    } else {
        for (const Address& address : asker->answer.addresses)
            resolved.endpoints.emplace_back(asio::ip::tcp::endpoint(address, port));
    }
    co_return resolved;
}

}  // namespace leasehold::wire
