// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/outstanding.hpp"

namespace leasehold::postgres {

void Outstanding::grow() {
    std::vector<Request> larger(ring_.empty() ? 8 : ring_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = (*this)[i];
    ring_ = std::move(larger);
    head_ = 0;
}

void Outstanding::add(Effect effect) {
    effect.request = first_ + count_ - 1;
    effects_.push_back(std::move(effect));
}

const Effect* Outstanding::of_front() const noexcept {
    for (std::size_t i = effects_head_; i < effects_.size() && effects_[i].request <= first_; ++i) {
        const Effect& effect = effects_[i];
        const bool decides = effect.kind == Effect::Kind::rename || effect.kind == Effect::Kind::replace;
        if (effect.request == first_ && decides) return &effect;
    }
    return nullptr;
}

// Effects of requests that succeeded stand.
void Outstanding::settle() noexcept {
    while (effects_head_ < effects_.size() && effects_[effects_head_].request < first_) ++effects_head_;
    if (effects_head_ < effects_.size()) return;
    effects_.clear();
    effects_head_ = 0;
}

void Outstanding::clear() noexcept {
    first_ += count_;
    head_ = 0;
    count_ = 0;
    effects_.clear();
    effects_head_ = 0;
    if (ring_.size() > 1024) std::vector<Request>().swap(ring_);
}

}  // namespace leasehold::postgres
