// SPDX-License-Identifier: Apache-2.0
// A session that listens without a backend: what it asks of the hub that hears for its database, and what that tells it.
#include "daemon/hub.hpp"
#include "daemon/session.hpp"
#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using Kind = HubNews::Kind;

// Then the session's backend listens itself.
constexpr auto listen_within = std::chrono::seconds(5);
// Then it is told later what was announced before its transaction ended.
constexpr auto caught_up_within = std::chrono::seconds(2);
constexpr int hubs_at_most = 3;

}  // namespace

struct Session::HubAnswer : Wakeable {
    using Wakeable::Wakeable;
    std::uint64_t request = 0;
    std::string channel;
    bool said = false, moved = false;
    wire::Diagnostics error;
};

// None: it was done.
wire::awaitable<std::optional<wire::Diagnostics>> Session::ask_hub(wire::Errand errand) {
    const bool listens = errand.kind == wire::Errand::Kind::listen;
    const wire::Deadline until =
        wire::Clock::now() + (listens ? listen_within : wire::Clock::duration(caught_up_within));
    wire::Diagnostics error;
    error.message = "nobody listens for this session now";
    for (int attempt = 0; attempt < hubs_at_most; ++attempt) {
        if (!hub_ && !listens) co_return error;
        if (!hub_) hub_ = shared_.hubs.obtain(home_);
        const auto answer = std::make_shared<HubAnswer>(client_->executor(), until);
        answer->request = ++hub_requests_;
        answer->channel = errand.request;
        hub_answer_ = answer;
        if (listens) {
            hub_->want({id_, worker_}, errand.request, answer->request);
        } else {
            hub_->catch_up({id_, worker_}, answer->request);
        }
        // Who drains has been answered but for what was said before.
        const auto goes_on = [this] { return stop_reason_.empty() || (relay_ && relay_->drains()); };
        while (!answer->said && goes_on() && wire::Clock::now() < until) co_await answer->wait();
        hub_answer_.reset();
        if (!answer->moved) {
            if (answer->said && answer->error.message.empty()) co_return std::nullopt;
            if (answer->said) error = answer->error;
            co_return error;
        }
    }
    co_return error;
}

void Session::hub_says(const Hub* hub, const HubNews& news) {
    if (!hub_ || hub != hub_.get() || !tracker_) return;
    HubAnswer* const waiting = hub_answer_ && hub_answer_->request == news.request ? hub_answer_.get() : nullptr;
    wire::Listener* const listener = tracker_->listener();
    switch (news.kind) {
        case Kind::heard:
            if (listener == nullptr) return;
            listener->heard(news.said);
            if (listener->overflowed()) stop_overflowed();
            return;
        case Kind::answered:
            if (waiting == nullptr) return;
            // At once: what is heard next counts.
            if (news.error.message.empty() && !news.mark_channel.empty() && listener != nullptr)
                listener->ready(waiting->channel, news.mark_channel, id_);
            if (listener != nullptr && listener->overflowed()) stop_overflowed();
            waiting->error = news.error;
            waiting->said = true;
            waiting->woken.cancel();
            return;
        case Kind::lost:
            if (listener != nullptr) listener->lost();
            return;
        case Kind::restored:
            if (listener != nullptr) listener->restored(news.mark_channel);
            return;
        case Kind::moved:
            move_to_another_hub();
            if (!hub_answer_) return;
            hub_answer_->said = hub_answer_->moved = true;
            hub_answer_->woken.cancel();
            return;
    }
}

void Session::stop_overflowed() {
    stop("the client does not take the notifications of the channels that it listens to");
}

void Session::move_to_another_hub() {
    leave_hub();
    wire::Listener* const listener = tracker_->listener();
    if (listener == nullptr) return;
    std::vector<std::string> channels = listener->wanted();
    if (channels.empty()) return;
    listener->lost();
    hub_ = shared_.hubs.obtain(home_);
    hub_->adopt({id_, worker_}, std::move(channels));
}

void Session::pass_on_heard() {
    if (!stop_reason_.empty()) {
        if (hub_answer_) hub_answer_->woken.cancel();
    } else if (relay_) {
        relay_->heard();
    }
}

// Channels that nobody listens to any more, as the last transaction left it.
void Session::release_channels() {
    wire::Listener* const listener = tracker_->listener();
    if (listener == nullptr || !hub_) return;
    std::vector<std::string> unwanted = listener->take_unwanted();
    if (!unwanted.empty()) hub_->unwant({id_, worker_}, std::move(unwanted));
}

void Session::leave_hub() {
    if (hub_) hub_->leave({id_, worker_});
    hub_.reset();
}

}  // namespace leasehold::daemon
