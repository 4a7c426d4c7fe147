// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/buffer.hpp"

namespace leasehold::wire {

void Outbox::close_own() noexcept {
    if (arena_.size() == own_from_) return;
    segments_.push_back({nullptr, own_from_, arena_.size() - own_from_});
    own_from_ = arena_.size();
}

void Outbox::pass(Bytes input) {
    if (input.empty()) return;
    close_own();
    if (!segments_.empty()) {
        Segment& last = segments_.back();
        if (last.borrowed != nullptr && last.borrowed + last.size == input.data()) {
            last.size += input.size();
            return;
        }
    }
    segments_.push_back({input.data(), 0, input.size()});
}

Writer& Outbox::own() { return arena_; }

bool Outbox::empty() noexcept { return segments_.empty() && arena_.size() == own_from_; }

std::size_t Outbox::size() noexcept {
    std::size_t total = arena_.size() - own_from_;
    for (const Segment& segment : segments_) total += segment.size;
    return total;
}

std::span<const Outbox::Segment> Outbox::segments() noexcept {
    close_own();
    return segments_;
}

Bytes Outbox::bytes(const Segment& segment) const noexcept {
    if (segment.borrowed != nullptr) return {segment.borrowed, segment.size};
    return arena_.bytes().subspan(segment.offset, segment.size);
}

void Outbox::flatten(std::vector<std::uint8_t>& into) {
    for (const Segment& segment : segments()) {
        const Bytes part = bytes(segment);
        into.insert(into.end(), part.begin(), part.end());
    }
}

void Outbox::clear() noexcept {
    segments_.clear();
    arena_.shrink(64 * 1024);
    own_from_ = 0;
}

void Inbox::append(Bytes more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

void Inbox::consume(std::size_t n) noexcept {
    at_ += n;
    if (at_ >= bytes_.size()) {
        bytes_.clear();
        at_ = 0;
    } else if (at_ > 64 * 1024 && at_ > bytes_.size() / 2) {
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ = 0;
    }
}

std::span<std::uint8_t> Inbox::prepare(std::size_t n) {
    const std::size_t from = bytes_.size();
    bytes_.resize(from + n);
    return std::span(bytes_).subspan(from);
}

void Inbox::commit(std::size_t prepared, std::size_t filled) noexcept {
    bytes_.resize(bytes_.size() - prepared + filled);
}

void Inbox::release() noexcept {
    std::vector<std::uint8_t>().swap(bytes_);
    at_ = 0;
}

}  // namespace leasehold::wire
