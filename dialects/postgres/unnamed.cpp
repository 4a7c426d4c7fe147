// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/unnamed.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

// Of one pipeline: with more on their way the oldest texts are given up.
constexpr std::size_t most = 8;

}  // namespace

Unnamed::Text& Unnamed::room() {
    Text* oldest = nullptr;
    for (Text& text : texts_) {
        if (text.serial <= floor_ && text.serial != confirmed_) return text;
        if (text.serial != confirmed_ && (oldest == nullptr || text.serial < oldest->serial)) oldest = &text;
    }
    if (texts_.size() < most || oldest == nullptr) return texts_.emplace_back();
    return *oldest;
}

std::uint64_t Unnamed::send(const Digest& digest, wire::Bytes message) {
    Text& text = room();
    sent_ = text.serial = ++last_;
    text.digest = digest;
    if (text.message.capacity() > 16 * 1024 && message.size() < 4 * 1024) text.message = {};
    text.message.assign(message.begin(), message.end());
    return sent_;
}

void Unnamed::revert(bool any_later, std::uint64_t later) noexcept {
    sent_ = any_later ? later : confirmed_;
    if (any_later) return;
    floor_ = last_;  // whatever was on its way is gone
    std::erase_if(texts_, [this](const Text& text) { return text.serial != confirmed_; });
}

void Unnamed::complete(const Digest& digest) noexcept {
    for (Text& text : texts_) {
        if (text.serial == sent_) text.digest = digest;
    }
}

const Unnamed::Text* Unnamed::find(std::uint64_t serial) const noexcept {
    if (serial == 0) return nullptr;
    for (const Text& text : texts_) {
        if (text.serial == serial) return &text;
    }
    return nullptr;
}

}  // namespace leasehold::postgres
