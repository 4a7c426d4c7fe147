// SPDX-License-Identifier: Apache-2.0
// Who wants to hear what, and what each is told. The connection itself: hub_connection.cpp.
#include "daemon/hub.hpp"

#include "daemon/worker.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon {
namespace {

using Kind = HubNews::Kind;

}  // namespace

Hub::Hub(Hubs& hubs, HomePtr home, std::string key)
    : hubs_(hubs), home_(std::move(home)), worker_(home_->worker), executor_(worker_->executor()),
      key_(std::move(key)) {}

Hub::~Hub() = default;

// --- from every thread -------------------------------------------------------------------------------------------

void Hub::run(std::function<void(Hub&)> act) {
    if (abandoned_.load(std::memory_order_acquire)) return;
    worker_->post([self = shared_from_this(), act = std::move(act)] {
        act(*self);
        self->flush();
    });
}

void Hub::start() {
    run([](Hub& self) {
        self.wanted_at_ = wire::Clock::now();
        self.timer_ = std::make_unique<Timer>(self.executor_);
        self.tick();
    });
}

void Hub::want(Who who, std::string channel, std::uint64_t request) {
    run([who, channel = std::move(channel), request](Hub& self) mutable {
        self.members_[who.session].worker = who.worker;
        if (self.moved_) return self.tell(who.session, {Kind::moved, request, {}, {}, {}});
        Asked want{Asked::Kind::want, who.session, request, std::move(channel), wire::Clock::now()};
        if (self.state_ == State::open) {
            self.send_want(std::move(want));
        } else if (!self.refusal_.message.empty() && wire::Clock::now() < self.retry_at_) {
            self.tell(who.session, {Kind::answered, request, {}, {}, self.refusal_});
        } else {
            self.wants_.push_back(std::move(want));
            self.dial_if_wanted();
        }
    });
}

void Hub::adopt(Who who, std::vector<std::string> channels) {
    run([who, channels = std::move(channels)](Hub& self) {
        self.members_[who.session].worker = who.worker;
        if (self.moved_) return self.tell(who.session, {Kind::moved, 0, {}, {}, {}});
        for (const std::string& channel : channels) self.add(who.session, channel);
        if (self.state_ == State::open) {
            self.ear_->listen(channels, self.out_);
            self.ask({Asked::Kind::adopted, who.session, 0, {}, wire::Clock::now()});
            self.ship();
        } else {
            self.dial_if_wanted();  // who is a member then is told
        }
    });
}

void Hub::unwant(Who who, std::vector<std::string> channels) {
    run([who, channels = std::move(channels)](Hub& self) {
        for (const std::string& channel : channels) self.drop(who.session, channel);
        self.ship();
    });
}

void Hub::catch_up(Who who, std::uint64_t request) {
    run([who, request](Hub& self) {
        self.members_[who.session].worker = who.worker;
        if (self.state_ != State::open) {
            wire::Diagnostics error;
            error.message = "nothing is heard for the moment";
            return self.tell(who.session, {Kind::answered, request, {}, {}, std::move(error)});
        }
        self.catching_up_next_.push_back({Asked::Kind::probe, who.session, request, {}, wire::Clock::now()});
        self.probe();
    });
}

void Hub::leave(Who who) {
    run([who](Hub& self) {
        const auto member = self.members_.find(who.session);
        if (member == self.members_.end()) return;
        const std::set<std::string> channels = member->second.channels;
        for (const std::string& channel : channels) self.drop(who.session, channel);
        self.members_.erase(who.session);
        std::erase_if(self.wants_, [&who](const Asked& want) { return want.session == who.session; });
        self.ship();
        // The last one may be gone before the next tick, and takes the hub with it on a thread of its own.
        if (self.moved_ && self.members_.empty()) self.timer_.reset();
    });
}

void Hub::abandon() {
    abandoned_.store(true, std::memory_order_release);
    timer_.reset();
    close();
    home_.reset();
}

// --- on its worker -----------------------------------------------------------------------------------------------

admin::ListenerRow Hub::row() const {
    admin::ListenerRow row;
    row.database = home_->settings()->url.database.empty() ? home_->name() : home_->settings()->url.database;
    row.server = server_.empty() ? config::to_string(home_->settings()->url.hosts.front()) : server_;
    row.state = state_ == State::open ? "listening" : state_ == State::closed ? "closed" : "connecting";
    if (state_ == State::open) row.server_id = backend_->server_id();
    row.channels = channels_.size();
    row.sessions = static_cast<std::size_t>(
        std::ranges::count_if(members_, [](const auto& member) { return !member.second.channels.empty(); }));
    row.delivered = delivered_;
    row.lost = lost_;
    if (state_ != State::open) return row;
    row.connected = std::chrono::duration_cast<std::chrono::milliseconds>(wire::Clock::now() - since_);
    return row;
}

// What was announced before the server has listened is not the session's.
void Hub::send_want(Asked want) {
    ear_->listen({want.channel}, out_);
    want.at = wire::Clock::now();
    ask(std::move(want));
    ship();
}

void Hub::ask(Asked asked) { asked_.push_back(std::move(asked)); }

void Hub::add(std::uint64_t session, const std::string& channel) {
    const auto member = members_.find(session);
    if (member == members_.end()) return;  // it has left
    member->second.channels.insert(channel);
    channels_[channel].insert(session);
}

void Hub::drop(std::uint64_t session, const std::string& channel) {
    if (const auto member = members_.find(session); member != members_.end()) member->second.channels.erase(channel);
    const auto found = channels_.find(channel);
    if (found == channels_.end()) return;
    found->second.erase(session);
    if (!found->second.empty()) return;
    channels_.erase(found);
    wanted_at_ = wire::Clock::now();
    const bool wanted = std::ranges::any_of(
        asked_, [&channel](const Asked& asked) { return asked.kind == Asked::Kind::want && asked.channel == channel; });
    if (state_ != State::open || wanted) return;
    ear_->unlisten({channel}, out_);
    ask({Asked::Kind::other, 0, 0, {}, wire::Clock::now()});
}

// One at a time: those that come while it is on its way share the next.
void Hub::probe() {
    if (probing_ || catching_up_next_.empty() || state_ != State::open) return;
    probing_ = true;
    catching_up_ = std::exchange(catching_up_next_, {});
    ear_->probe(out_);
    ask({Asked::Kind::probe, 0, 0, {}, wire::Clock::now()});
    ship();
}

void Hub::on_heard(const wire::AnnouncementPtr& said) {
    if (said->session != 0) return tell(said->session, {Kind::heard, 0, said, {}, {}});
    const auto channel = channels_.find(said->channel);
    if (channel == channels_.end()) return;
    for (const std::uint64_t session : channel->second) tell(session, {Kind::heard, 0, said, {}, {}});
    delivered_ += channel->second.size();
    hubs_.notifications.add(worker_->index(), channel->second.size());
}

void Hub::on_answer(const wire::Diagnostics* error) {
    if (asked_.empty()) return lose("an answer to no question");
    const Asked asked = std::move(asked_.front());
    asked_.pop_front();
    switch (asked.kind) {
        case Asked::Kind::other: return;
        case Asked::Kind::want: {
            if (error == nullptr) add(asked.session, asked.channel);
            HubNews news{Kind::answered, asked.request, {}, mark_channel_, {}};
            if (error != nullptr) news.error = *error;
            return tell(asked.session, std::move(news));
        }
        case Asked::Kind::adopted:
            if (error != nullptr) return lose(error->message);
            return tell(asked.session, {Kind::restored, 0, {}, mark_channel_, {}});
        case Asked::Kind::prepare:
            if (error != nullptr) return failed(error->message, *error);
            if (std::ranges::none_of(asked_, [](const Asked& it) { return it.kind == Asked::Kind::prepare; }))
                prepared();
            return;
        case Asked::Kind::probe:
            if (asked.session == 0 && probing_) {
                probing_ = false;
                for (const Asked& waiting : std::exchange(catching_up_, {})) {
                    tell(waiting.session, {Kind::answered, waiting.request, {}, {}, {}});
                }
                probe();
            }
            return;
    }
}

void Hub::tell(std::uint64_t session, HubNews news) {
    const auto member = members_.find(session);
    if (member == members_.end()) return;
    news_[member->second.worker].emplace_back(session, std::move(news));
}

void Hub::tell_all(const HubNews& news) {
    for (const auto& [session, member] : members_) {
        if (!member.channels.empty()) news_[member.worker].emplace_back(session, news);
    }
}

// Each worker gets all of it at once: a session that has much to tell its client writes it in one piece.
void Hub::flush() {
    if (abandoned_.load(std::memory_order_relaxed)) return;
    for (auto& [worker, all] : news_) {
        if (all.empty()) continue;
        worker->post([worker = worker, from = weak_from_this(), all = std::exchange(all, {})] {
            const std::shared_ptr<Hub> hub = from.lock();
            for (const auto& [id, news] : all) {
                if (Session* const session = worker->find(id)) session->hub_says(hub.get(), news);
            }
            for (const auto& [id, news] : all) {
                if (Session* const session = worker->find(id)) session->pass_on_heard();
            }
        });
    }
}

}  // namespace leasehold::daemon
