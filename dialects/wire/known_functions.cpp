// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/known_functions.hpp"

namespace leasehold::wire {
namespace {

std::atomic<std::uint64_t> replacements{0};

}  // namespace

void KnownFunctions::replaced() noexcept { replacements.fetch_add(1, std::memory_order_relaxed); }

void KnownFunctions::catch_up() {
    const std::uint64_t now = replacements.load(std::memory_order_relaxed);
    if (now == since_) return;
    since_ = now;
    functions_.clear();
}

KnownFunctions::Look KnownFunctions::due(std::string_view name) {
    if (share_ <= 0) return Look::none;
    if (all()) return Look::always;
    catch_up();
    const auto at = functions_.find(name);
    if (at == functions_.end() || at->second.clean < clean_for_trust) return Look::always;
    at->second.passed += share_;
    if (at->second.passed < 1) return Look::none;
    at->second.passed = 0;
    return Look::sample;
}

// What a look at it found while others replaced it tells nothing of what it is now.
void KnownFunctions::judge(std::string_view name, bool clean) {
    catch_up();
    const auto at = functions_.find(name);
    if (!clean) {
        if (at != functions_.end()) functions_.erase(at);
    } else if (at != functions_.end()) {
        if (at->second.clean < clean_for_trust) ++at->second.clean;
    } else {
        make_room();
        functions_.emplace(name, Function{1, 0});
    }
}

// Those that are not trusted yet go first: a text may name anything.
void KnownFunctions::make_room() {
    if (functions_.size() < most) return;
    std::erase_if(functions_, [](const auto& each) { return each.second.clean < clean_for_trust; });
    if (functions_.size() >= most) functions_.clear();
}

}  // namespace leasehold::wire
