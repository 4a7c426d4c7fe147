// SPDX-License-Identifier: Apache-2.0
// The hub's connection: dialled while somebody wants to hear, listened to, looked after, lost and dialled again.
#include "daemon/hub.hpp"
#include "daemon/logging.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <utility>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using Kind = HubNews::Kind;
using namespace std::chrono_literals;

constexpr auto tick_every = 250ms;
constexpr auto kept_unwanted = 60s;
constexpr auto probe_after = 15s;  // of silence
constexpr auto answers_within = 15s;
constexpr auto wants_within = 10s;  // who asked has given up
constexpr std::chrono::milliseconds shortest_back_off = 50ms, longest_back_off = 5s;
constexpr std::size_t channels_at_once = 100;
constexpr std::size_t read_bytes = 32 * 1024;

}  // namespace

void Hub::tick() {
    if (!timer_ || abandoned_.load(std::memory_order_relaxed)) return;
    const auto now = wire::Clock::now();
    if (!moved_ && (home_->retired || hub_key(*home_) != key_)) move_away();
    if (!channels_.empty() || !wants_.empty()) wanted_at_ = now;
    while (!wants_.empty() && now - wants_.front().at > wants_within) wants_.pop_front();
    if (state_ == State::open) {
        const bool silent = !asked_.empty() && now - asked_.front().at > answers_within;
        if (silent) {
            lose("no answer for 15 s");
        } else if (asked_.empty() && now - heard_at_ > probe_after) {
            ear_->probe(out_);
            ask({Asked::Kind::other, 0, 0, {}, now});
            ship();
        }
    }
    flush();
    if (moved_ || (state_ != State::dialling && now - wanted_at_ > kept_unwanted)) {
        moved_ = true;
        close();
        hubs_.forget(*this);
        if (members_.empty()) {
            timer_.reset();  // whoever comes still is told to ask anew
            return;
        }
    }
    dial_if_wanted();
    timer_->expires_after(tick_every);
    timer_->async_wait([self = weak_from_this()](const boost::system::error_code& ec) {
        const auto hub = self.lock();
        if (!ec && hub) hub->tick();
    });
}

// The pool has gone, or been pointed at another server: each session asks for the hub that is its own now.
void Hub::move_away() {
    moved_ = true;
    for (const auto& [session, member] : members_)
        news_[member.worker].emplace_back(session, HubNews{Kind::moved, 0, {}, {}, {}});
    members_.clear();
    channels_.clear();
    wants_.clear();
}

void Hub::dial_if_wanted() {
    if (state_ != State::closed || moved_ || (channels_.empty() && wants_.empty())) return;
    if (wire::Clock::now() < retry_at_ || !take_place()) return;
    state_ = State::dialling;
    refusal_ = {};
    asio::co_spawn(executor_, dial(shared_from_this()), [](const std::exception_ptr&) {});
}

// Counted at the server, and in no pool.
bool Hub::take_place() {
    const std::shared_ptr<pool::Quota> quota = home_->terms()->quota;
    if (!quota) return true;
    permit_ = quota->try_acquire();
    if (permit_ || std::exchange(announced_, true)) return static_cast<bool>(permit_);
    // Pools give up idle backends for those who wait. The quota calls on any thread.
    quota->when_free([weak = weak_from_this(), free = std::weak_ptr<pool::Quota>(quota)] {
        const auto hub = weak.lock();
        const auto next = free.lock();
        if (hub && !hub->abandoned_.load(std::memory_order_acquire)) {
            hub->run([](Hub& self) {
                self.announced_ = false;
                self.dial_if_wanted();
            });
        } else if (next) {
            const pool::Permit passed_on = next->try_acquire();
        }
    });
    return false;
}

wire::awaitable<void> Hub::dial(std::shared_ptr<Hub> self) {
    const std::shared_ptr<dialects::Connector> connector = self->home_->connector();
    const auto deadline = wire::Clock::now() + self->home_->settings()->dial_timeout;
    std::string mark_channel = self->mark_channel_;
    dialects::Hearing made = co_await connector->connect_ear(std::move(mark_channel), deadline);
    if (self->abandoned_.load(std::memory_order_relaxed)) co_return;
    self->connected(std::move(made));
    self->flush();
}

void Hub::connected(dialects::Hearing made) {
    if (!made.ear) {
        wire::Diagnostics refusal;
        if (made.connected.refused || made.connected.error == wire::errc::unsupported) {
            refusal.sqlstate = made.connected.sqlstate;
            refusal.message = made.connected.message;
        }
        return failed(made.connected.message, std::move(refusal));
    }
    if (made.connected.quota && permit_ && !permit_.of(*made.connected.quota)) {
        pool::Permit there = made.connected.quota->try_acquire();
        if (there) permit_ = std::move(there);
    }
    backend_.reset(static_cast<dialects::Backend*>(made.connected.backend.release()));  // connectors make nothing else
    ear_ = std::move(made.ear);
    mark_channel_ = ear_->mark_channel();
    server_ = std::string(backend_->address());
    state_ = State::preparing;
    heard_at_ = wire::Clock::now();
    std::vector<std::string> channels{mark_channel_};
    const auto listen = [&] {
        ear_->listen(channels, out_);
        ask({Asked::Kind::prepare, 0, 0, {}, heard_at_});
        channels.clear();
    };
    for (const auto& [channel, sessions] : channels_) {
        channels.push_back(channel);
        if (channels.size() >= channels_at_once) listen();
    }
    if (!channels.empty()) listen();
    ship();
    if (state_ == State::preparing) readable();
}

void Hub::prepared() {
    state_ = State::open;
    since_ = wire::Clock::now();
    back_off_ = {};
    log_info("listener_connected", {{"pool", home_->name()},
                                    {"server", server_},
                                    {"server_id", backend_->server_id()},
                                    {"channels", channels_.size()}});
    tell_all({Kind::restored, 0, {}, mark_channel_, {}});
    for (Asked& want : std::exchange(wants_, {})) {
        if (members_.contains(want.session)) send_want(std::move(want));
    }
}

void Hub::readable() {
    const std::shared_ptr<dialects::Backend> kept = backend_;
    if (!kept) return;
    wire::Transport& transport = kept->transport();
    wire::Inbox& inbox = kept->inbox();
    const std::span<std::uint8_t> room = inbox.prepare(read_bytes);
    const wire::Transport::Io io = transport.recv(room);
    inbox.commit(room.size(), io.bytes);
    if (io.bytes > 0) heard_at_ = wire::Clock::now();
    bool more = true;
    while (more && ear_) {
        wire::Ear::Event event = ear_->next(inbox);
        switch (event.kind) {
            case wire::Ear::Event::Kind::more: more = false; break;
            case wire::Ear::Event::Kind::heard: on_heard(event.heard); break;
            case wire::Ear::Event::Kind::answered: on_answer(nullptr); break;
            case wire::Ear::Event::Kind::refused: on_answer(&event.error); break;
            case wire::Ear::Event::Kind::broken: lose(event.error.message); break;
        }
    }
    if (io.error && ear_)
        lose(io.error == wire::errc::closed ? "the server closed the connection" : io.error.message());
    if (inbox.empty()) inbox.release();
    flush();
    if (backend_ != kept) return;
    transport.on_readable([self = weak_from_this()] {
        if (const auto hub = self.lock()) hub->readable();
    });
}

void Hub::ship() {
    if (!backend_) return;
    wire::Transport& transport = backend_->transport();
    if (!out_.empty()) (void)transport.send(out_);  // an error shows when it is read
    out_.clear();
    if (transport.unsent() == 0) return;
    transport.on_writable([self = weak_from_this()] {
        const auto hub = self.lock();
        if (!hub || !hub->backend_) return;
        (void)hub->backend_->transport().flush();
        hub->ship();
    });
}

// It never was of use. With a refusal there is no point in waiting for it.
void Hub::failed(const std::string& why, wire::Diagnostics refusal) {
    log_warn("listener_failed", {{"pool", home_->name()}, {"message", why}});
    close();
    back_off_ = std::clamp(back_off_ * 2, shortest_back_off, longest_back_off);
    retry_at_ = wire::Clock::now() + back_off_;
    if (refusal.message.empty()) return;
    retry_at_ = wire::Clock::now() + longest_back_off;
    refusal_ = std::move(refusal);
    answer_waiting(refusal_);
}

void Hub::answer_waiting(const wire::Diagnostics& error) {
    for (const Asked& want : std::exchange(wants_, {})) {
        tell(want.session, {Kind::answered, want.request, {}, {}, error});
    }
}

void Hub::lose(const std::string& why) {
    if (state_ != State::open) return failed(why, {});
    log_warn("listener_lost", {{"pool", home_->name()}, {"server", server_}, {"message", why}});
    ++lost_;
    hubs_.losses.add(worker_->index());
    const auto asked = std::exchange(asked_, {});
    close();
    for (const Asked& it : asked) {
        if (it.kind == Asked::Kind::want) wants_.push_back(it);
    }
    wire::Diagnostics error;
    error.message = why;
    for (auto* waiting : {&catching_up_, &catching_up_next_}) {
        for (const Asked& it : std::exchange(*waiting, {}))
            tell(it.session, {Kind::answered, it.request, {}, {}, error});
    }
    tell_all({Kind::lost, 0, {}, {}, {}});
    back_off_ = shortest_back_off;
    retry_at_ = wire::Clock::now() + back_off_;
}

void Hub::close() noexcept {
    if (backend_) {
        backend_->transport().on_readable({});
        backend_->transport().on_writable({});
        backend_->close();
    }
    ear_.reset();
    backend_.reset();
    permit_ = {};
    out_.clear();
    asked_.clear();
    probing_ = false;
    since_ = {};
    state_ = State::closed;
}

}  // namespace leasehold::daemon
