// SPDX-License-Identifier: Apache-2.0
// A server tells a session that listens already, when it has listened to another channel, also what was said there in its
// transaction before: it has kept its place in the queue. The ear hears that channel only since it was asked. So a backend
// on which such a session begins a transaction listens along: what it says at the end, up to the mark, is what both hear
// and what the ear came too late for, in order.
#include "dialects/postgres/ear.hpp"
#include "dialects/postgres/listening.hpp"

#include <algorithm>

namespace leasehold::postgres {

std::vector<std::string> Listening::begin_along() {
    if (!along_) along_ = std::make_unique<Along>();
    along_->since.clear();
    along_->said.clear();
    along_->nonce.clear();
    along_->bytes = 0;
    along_->apart = false;
    std::vector<std::string> missing;
    for (const auto& [channel, place] : registered_) {
        along_->since.insert(channel);
        if (along_->surely.insert(channel).second) missing.push_back(channel);
    }
    along_->mark_channel = mark_channel_;
    if (along_->surely.insert(mark_channel_).second) missing.push_back(mark_channel_);
    along_->channels.insert(missing.begin(), missing.end());
    return missing;
}

bool Listening::add_along(const std::string& channel) {
    if (!along_ || along_->surely.contains(channel) || along_->channels.size() >= 2 * most_along) return false;
    along_->channels.insert(channel);
    return true;
}

std::vector<std::string> Listening::along_channels() const {
    if (!along_) return {};
    return {along_->channels.begin(), along_->channels.end()};
}

bool Listening::heard_along(wire::Bytes notification, bool idle) {
    if (!along_) return false;
    wire::Cursor cursor(notification);
    wire::Announcement said;
    said.from = cursor.u32be();
    said.channel = cursor.cstring();
    said.payload = cursor.cstring();
    if (!along_->channels.contains(said.channel)) return false;
    if (idle || along_->apart) return true;
    if (said.channel == along_->mark_channel && (!read_mark(said) || said.session != session_)) return true;
    along_->bytes += notification.size() + sizeof said;
    overflowed_ |= along_->bytes > most_waiting;
    if (!overflowed_) along_->said.push_back(std::make_shared<const wire::Announcement>(std::move(said)));
    return true;
}

// A mark has come back through the ear.
void Listening::meet_along(const Mark& mark) {
    along_->apart |= mark.order.kind == ListenOrder::Kind::listen && !mark.along;
    along_->nonce = mark.nonce;
    along_->heard = queue_.size();
}

// In place of what the ear heard up to the mark. Its first is what was said before the transaction began, and came late: it
// counts whatever the transaction gives up.
void Listening::join_along() {
    const std::string nonce = std::exchange(along_->nonce, {});
    const std::vector<wire::AnnouncementPtr> said = std::exchange(along_->said, {});
    along_->bytes = 0;
    const auto mark =
        std::ranges::find_if(said, [&nonce](const auto& it) { return it->session != 0 && it->payload == nonce; });
    if (nonce.empty() || along_->apart || mark == said.end()) return;
    const auto both = [this](const wire::AnnouncementPtr& it) {
        return it && it->session == 0 && along_->since.contains(it->channel);
    };
    const auto joint = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(along_->heard, queue_.size()));
    std::ptrdiff_t late = std::count_if(queue_.begin(), joint, [&both](const Waiting& it) { return both(it.said); }) -
                          std::count_if(said.begin(), mark, both);
    std::deque<Waiting> joined;
    for (auto it = queue_.begin(); it != joint; ++it) {
        const bool before = both(it->said) && late-- > 0;
        if (before || !it->said || (it->certain && !both(it->said)))
            joined.push_back({it->said, before || it->certain});
    }
    for (auto it = said.begin(); it != mark; ++it) {
        if ((*it)->session == 0) joined.push_back({*it, false});
    }
    std::move(joint, queue_.end(), std::back_inserter(joined));
    queue_.clear();
    queued_ = 0;
    for (const Waiting& it : joined) {
        if (it.said) {
            keep(it.said, it.certain);
        } else {
            queue_.push_back(it);
        }
    }
}

}  // namespace leasehold::postgres
