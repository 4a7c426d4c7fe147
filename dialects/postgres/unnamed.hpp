// SPDX-License-Identifier: Apache-2.0
// A session's unnamed statement: its text outlives the lease, so that it can be parsed again on the next backend.
// Two texts are kept, the one that the server confirmed and the one last sent, because a Parse that the server skips
// leaves the older one valid.
#pragma once

#include "dialects/postgres/digest.hpp"
#include "dialects/wire/cursor.hpp"

#include <utility>
#include <vector>

namespace leasehold::postgres {

class Unnamed {
  public:
    // Returns the new statement's serial. `message`: the whole Parse, empty when it is too large to be kept.
    std::uint64_t send(const Digest& digest, wire::Bytes message) {
        sent_ = ++last_;
        pending_.serial = sent_;
        pending_.digest = digest;
        if (pending_.message.capacity() > 16 * 1024 && message.size() < 4 * 1024) pending_.message = {};
        pending_.message.assign(message.begin(), message.end());
        return sent_;
    }
    void send_drop() noexcept { sent_ = 0; }

    void confirm(std::uint64_t serial) {
        confirmed_ = serial;
        if (serial != 0 && pending_.serial == serial) std::swap(kept_, pending_);
    }
    // What was sent and not confirmed was skipped. `later`: what comes still; nothing: the confirmed one stands.
    void revert(bool any_later, std::uint64_t later) noexcept { sent_ = any_later ? later : confirmed_; }

    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }        // 0: there is none
    [[nodiscard]] std::uint64_t confirmed() const noexcept { return confirmed_; }
    [[nodiscard]] const Digest* digest() const noexcept {
        const Text* text = find(sent_);
        return text == nullptr ? nullptr : &text->digest;
    }
    // The Parse message; empty when there is none, or its text is not known any more.
    [[nodiscard]] wire::Bytes message() const noexcept {
        const Text* text = find(sent_);
        return text == nullptr ? wire::Bytes() : wire::Bytes(text->message);
    }
    [[nodiscard]] Digest* sending() noexcept { return pending_.serial == sent_ ? &pending_.digest : nullptr; }

  private:
    struct Text {
        std::uint64_t serial = 0;
        Digest digest;
        std::vector<std::uint8_t> message;
    };
    [[nodiscard]] const Text* find(std::uint64_t serial) const noexcept {
        if (serial == 0) return nullptr;
        if (pending_.serial == serial) return &pending_;
        return kept_.serial == serial ? &kept_ : nullptr;
    }
    std::uint64_t last_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t confirmed_ = 0;
    Text pending_, kept_;
};

}  // namespace leasehold::postgres
