// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/variants.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {

bool is_start_only(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 8> names{
        "ignore_system_indexes", "jit_debugging_support", "jit_profiling_support", "local_preload_libraries",
        "log_connections",       "log_disconnections",    "post_auth_delay",       "session_preload_libraries"};
    return std::any_of(names.begin(), names.end(), [name](std::string_view known) { return same_name(known, name); });
}

Settings take_start_only(Settings& settings) {
    Settings taken;
    for (const Settings::Setting& setting : settings) {
        if (is_start_only(setting.name)) (void)taken.set(setting.name, setting.value);
    }
    for (const Settings::Setting& setting : taken) settings.erase(setting.name);
    return taken;
}

VariantRef Variants::intern(Settings parameters) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, known] : by_id_) {
        if (known->parameters == parameters) return known;
    }
    if (by_id_.size() >= limit_) forget_unused();
    if (by_id_.size() >= limit_) return nullptr;
    auto made = std::make_shared<Variant>(Variant{++last_, std::move(parameters)});
    by_id_.emplace(made->id, made);
    return made;
}

VariantRef Variants::find(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

// Their backends are never asked for again, and make room for others in time.
void Variants::forget_unused() {
    std::erase_if(by_id_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

Variants& variants() {
    static Variants all;
    return all;
}

}  // namespace leasehold::postgres
