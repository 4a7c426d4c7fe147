// SPDX-License-Identifier: Apache-2.0
// A session's unnamed statement: its text outlives the lease, so that it can be parsed again on the next backend.
// Beside the one that the server confirmed, those on their way are kept: a Parse that the server skips leaves the older
// one valid.
#pragma once

#include "dialects/postgres/digest.hpp"
#include "dialects/wire/cursor.hpp"

#include <vector>

namespace leasehold::postgres {

class Unnamed {
  public:
    // Returns the new statement's serial. `message`: the whole Parse, empty when it is too large to be kept.
    std::uint64_t send(const Digest& digest, wire::Bytes message);
    void send_drop() noexcept { sent_ = 0; }
    // 0: it was dropped.
    void confirm(std::uint64_t serial) noexcept {
        confirmed_ = serial;
        if (serial != 0) floor_ = serial;
    }
    // What was sent and not confirmed was skipped; unless something is still on its way (`later`, 0 for a drop).
    void revert(bool any_later, std::uint64_t later) noexcept;

    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }  // 0: there is none
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
    // Of the one sent last, whose text was not complete then.
    void complete(const Digest& digest) noexcept;

  private:
    struct Text {
        std::uint64_t serial = 0;
        Digest digest;
        std::vector<std::uint8_t> message;
    };
    [[nodiscard]] const Text* find(std::uint64_t serial) const noexcept;
    [[nodiscard]] Text& room();

    std::uint64_t last_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t confirmed_ = 0;
    std::uint64_t floor_ = 0;  // up to here, only the confirmed one matters
    std::vector<Text> texts_;
};

}  // namespace leasehold::postgres
