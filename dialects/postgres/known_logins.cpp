// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/known_logins.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

constexpr std::string_view application = "application_name";
constexpr std::size_t longest_application_name = 63;  // NAMEDATALEN - 1

}  // namespace

bool is_plain_application_name(std::string_view name) noexcept {
    return name.size() <= longest_application_name &&
           std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string KnownLogins::key(const Settings& settings, std::uint64_t variant) {
    std::string key;
    for (const Settings::Setting& setting : settings) {
        if (same_name(setting.name, application) && is_plain_application_name(setting.value)) continue;
        for (const char c : setting.name) key += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        key += '\0';
        key += setting.value;
        key += '\0';
    }
    if (variant != 0) key += std::to_string(variant);
    return key;
}

const KnownLogins::Parameters* KnownLogins::find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    known_.splice(known_.begin(), known_, found->second);
    return &found->second->parameters;
}

void KnownLogins::remember(const std::string& key, Parameters parameters) {
    std::size_t bytes = 2 * key.size();
    for (const auto& [name, value] : parameters) bytes += name.size() + value.size();
    if (const auto old = by_key_.find(key); old != by_key_.end()) forget(old->second);
    if (bytes > most_bytes / 8) return;
    while (!known_.empty() && (known_.size() >= most || bytes_ + bytes > most_bytes)) forget(std::prev(known_.end()));
    known_.push_front({key, std::move(parameters), bytes});
    by_key_.emplace(key, known_.begin());
    bytes_ += bytes;
}

void KnownLogins::forget(std::list<Known>::iterator at) {
    bytes_ -= at->bytes;
    by_key_.erase(at->key);
    known_.erase(at);
}

void KnownLogins::clear() noexcept {
    known_.clear();
    by_key_.clear();
    bytes_ = 0;
}

}  // namespace leasehold::postgres
