// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/listening.hpp"

#include "dialects/postgres/messages.hpp"
#include "dialects/postgres/settings.hpp"

#include <algorithm>
#include <utility>

#include <openssl/rand.h>

namespace leasehold::postgres {
namespace {

using Kind = ListenOrder::Kind;

// What an announcement costs beside its text.
constexpr std::size_t overhead = 64;

[[nodiscard]] std::size_t weight(const wire::Announcement& said) noexcept {
    return said.channel.size() + said.payload.size() + overhead;
}

}  // namespace

std::string new_nonce() {
    std::array<std::uint8_t, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t byte : bytes) {
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

// --- the ear -----------------------------------------------------------------------------------------------------

void Listening::ready(const std::string& channel, const std::string& mark_channel, std::uint64_t session) {
    mark_channel_ = mark_channel;
    session_ = session;
    wanted_.insert(channel);
}

void Listening::heard(const wire::AnnouncementPtr& said, bool idle) {
    if (said->session != 0) {
        const auto found = std::ranges::find(marks_, said->payload, &Mark::nonce);
        if (found == marks_.end()) return;  // known by other means, or not ours
        const Mark mark = std::move(*found);
        marks_.erase(found);
        apply(mark, said->from);
        return;
    }
    const bool registered = registered_.contains(said->channel);
    const bool asked = std::ranges::any_of(marks_, [&said](const Mark& mark) {
        return mark.order.kind == Kind::listen && mark.order.channel == said->channel;
    });
    if (!registered && !asked) return;
    if (!registered_.empty()) return keep(said, registered && idle);
    early_.push_back(said);
    early_bytes_ += weight(*said);
    overflowed_ |= early_bytes_ > most_waiting;
}

// Who listened to nothing before hears from the mark on, and what the transaction itself said: it came by the same process.
// Who did is at the end of a transaction told all that was said in its time, by what it listens to then: as a server does.
void Listening::apply(const Mark& mark, std::uint32_t from) {
    if (along_) meet_along(mark);
    switch (mark.order.kind) {
        case Kind::listen:
            if (!registered_.try_emplace(mark.order.channel, ++registrations_).second) return;
            for (const wire::AnnouncementPtr& said : early_) {
                if (said->from == from && said->channel == mark.order.channel) keep(said, false);
            }
            std::erase_if(early_, [&mark](const auto& said) { return said->channel == mark.order.channel; });
            return;
        case Kind::unlisten: registered_.erase(mark.order.channel); return;
        default: registered_.clear(); return;
    }
}

void Listening::keep(const wire::AnnouncementPtr& said, bool certain) {
    queue_.push_back({said, certain});
    queued_ += weight(*said);
    overflowed_ |= queued_ > most_waiting;
}

void Listening::keep_waiting() noexcept {
    for (Waiting& waiting : queue_) waiting.certain |= waiting.said && registered_.contains(waiting.said->channel);
}

// Marks on their way may not be heard. Of those whose transaction has been committed it is known what they said.
void Listening::lost() {
    deaf_ = true;
    if (along_) along_->apart = true;
    gap_ |= !registered_.empty();
    for (Mark& mark : marks_) mark.astray = true;
    settle_astray();
}

void Listening::settle_astray() {
    for (Mark& mark : std::exchange(marks_, {})) {
        if (!mark.over || !mark.astray) {
            marks_.push_back(std::move(mark));
        } else if (mark.committed) {
            apply(mark, 0);
            gap_ |= deaf_;
        }
    }
}

void Listening::restored(const std::string& mark_channel) {
    mark_channel_ = mark_channel;
    if (std::exchange(gap_, false)) queue_.push_back({nullptr, true});
    deaf_ = false;
}

// --- the session -------------------------------------------------------------------------------------------------

std::string Listening::mark(const ListenOrder& order, std::uint64_t request, std::size_t statement) {
    Mark mark{.nonce = new_nonce(), .order = order, .request = request};
    mark.along = along_ && along_->channels.contains(order.channel);
    std::string text = "NOTIFY \"" + mark_channel_ + "\", '" + std::to_string(session_) + ' ' + mark.nonce + '\'';
    marks_.push_back(std::move(mark));
    tags_.push_back({request, statement, order.tag()});
    return text;
}

std::string_view Listening::tag(std::uint64_t request) const noexcept {
    const std::size_t statement = running_.first == request ? running_.second : 0;
    for (const Tag& known : tags_) {
        if (known.request == request && known.statement == statement) return known.tag;
    }
    return {};
}

void Listening::statement_done(std::uint64_t request) noexcept {
    if (running_.first != request) running_ = {request, 0};
    ++running_.second;
    std::erase_if(tags_, [request](const Tag& known) { return known.request < request; });
}

std::string Listening::rewrite(std::string_view sql, const std::vector<ListenPart>& parts, std::uint64_t request,
                               bool utf8) {
    const auto characters = [utf8](std::string_view text) {
        const auto counts = [utf8](char c) { return !utf8 || (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
        return static_cast<std::size_t>(std::ranges::count_if(text, counts));
    };
    std::string text;
    std::size_t at = 0, length = 0;
    for (const ListenPart& part : parts) {
        const std::string_view before = sql.substr(at, part.begin - at);
        const bool asks = part.order.kind == Kind::channels;
        if (asks) tags_.push_back({request, part.statement, {}});
        const std::string made = asks ? channels_query(part.order) : mark(part.order, request, part.statement);
        text.append(before).append(made);
        length += characters(before);
        tags_.back().from = length;
        tags_.back().to = length += made.size();
        tags_.back().was = part.end - part.begin;
        at = part.end;
    }
    return text.append(sql.substr(at));
}

std::size_t Listening::original(std::uint64_t request, std::size_t position) const noexcept {
    std::size_t longer = 0;
    for (const Tag& mark : tags_) {
        if (mark.request != request || mark.to == 0 || position <= mark.from) continue;
        if (position <= mark.to) return mark.from - longer + 1;
        longer += mark.to - mark.from - mark.was;
    }
    return position - longer;
}

std::string Listening::channels_query(const ListenOrder& order) const {
    std::vector<std::pair<std::uint64_t, std::string_view>> all;
    for (const auto& [channel, place] : registered_) all.emplace_back(place, channel);
    std::ranges::sort(all);
    std::string text = order.of.empty() ? "" : "SELECT " + std::string(order.of) + " FROM (";
    text += "SELECT pg_catalog.unnest(ARRAY[";
    bool first = true;
    for (const auto& [place, channel] : all) {
        if (!std::exchange(first, false)) text += ',';
        text += '\'';
        for (const char c : channel) text += c == '\'' ? std::string("''") : std::string(1, c);
        text += '\'';
    }
    text += "]::pg_catalog.text[]) AS pg_listening_channels";
    if (!order.of.empty()) text += ") AS pg_listening_channels";
    if (order.sorted) text += " ORDER BY 1";
    return text;
}

void Listening::over(bool committed) {
    for (Mark& mark : marks_) {
        if (mark.over) continue;
        mark.over = true;
        mark.committed = committed;
        mark.astray |= deaf_;
    }
    settle_astray();
    for (const auto& [request, order] : std::exchange(forgetting_, {})) {
        if (committed) forget(order);
    }
}

void Listening::caught_up() {
    if (along_) join_along();
    std::erase_if(marks_, [](const Mark& mark) { return mark.over; });
    if (marks_.empty()) {
        early_.clear();
        early_bytes_ = 0;
    }
    release_unused();
}

void Listening::release_unused() {
    std::erase_if(wanted_, [this](const std::string& channel) {
        const bool used = registered_.contains(channel) || std::ranges::any_of(marks_, [&channel](const Mark& mark) {
                              return mark.order.channel == channel;
                          });
        if (!used) unwanted_.push_back(channel);
        return !used;
    });
}

void Listening::forget_all() {
    registered_.clear();
    marks_.clear();
    early_.clear();
    early_bytes_ = 0;
    gap_ = false;
    along_.reset();
    release_unused();
}

void Listening::forget(const ListenOrder& order) {
    if (order.kind == Kind::unlisten_all) return forget_all();
    registered_.erase(order.channel);
    std::erase_if(marks_, [&order](const Mark& mark) { return mark.order.channel == order.channel; });
    release_unused();
}

// What is not read to its end counts as all: rather deaf than told what nobody wants.
void Listening::note_others(std::string_view sql, std::uint64_t request) {
    constexpr std::string_view verb = "unlisten";
    constexpr std::size_t most = 100;
    for (std::size_t at = 0; at + verb.size() <= sql.size(); ++at) {
        if (!same_name(sql.substr(at, verb.size()), verb)) continue;
        const std::string_view rest = sql.substr(at);
        ListenOrder order = read_listen(rest.substr(0, rest.find(';')));
        if (!order || forgetting_.size() >= most) order = {Kind::unlisten_all, false, {}, {}};
        if (forgetting_.size() < most) forgetting_.emplace_back(request, std::move(order));
        at += verb.size();
    }
}

void Listening::answered(std::uint64_t request, bool failed) {
    if (failed) std::erase_if(forgetting_, [request](const auto& it) { return it.first <= request; });
}

void Listening::deliver(wire::Writer& to_client) {
    for (const Waiting& waiting : queue_) {
        if (!waiting.said) {
            wire::Diagnostics warning;
            warning.sqlstate = "01000";
            warning.message = "notifications may have been missed";
            warning.detail =
                "The connection on which leasehold listens for this session was lost; it listens again now.";
            notice_response(to_client, Severity::warning, warning);
            continue;
        }
        if (!waiting.certain && !registered_.contains(waiting.said->channel)) continue;
        const Framed framed(to_client, backend::notification);
        to_client.u32be(waiting.said->from);
        put_cstring(to_client, waiting.said->channel);
        put_cstring(to_client, waiting.said->payload);
    }
    queue_.clear();
    queued_ = 0;
    if (along_) along_->nonce.clear();
}

}  // namespace leasehold::postgres
