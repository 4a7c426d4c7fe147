// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/prepared.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>

namespace leasehold::postgres {

Namespace::Named* Namespace::find(std::string_view name) noexcept {
    const auto found = names_.find(cut(name));
    return found == names_.end() ? nullptr : &*found;
}

Namespace::Named& Namespace::add(std::string_view name, TextRef text) {
    return *names_.emplace(std::string(cut(name)), std::move(text)).first;
}

void Namespace::remove(Named& named) {
    const auto found = names_.find(named.first);
    if (found != names_.end() && &*found == &named) removed_.push_back(names_.extract(found));
}

void Namespace::restore(Named& named) {
    const auto node = std::find_if(removed_.begin(), removed_.end(), [&named](const Map::node_type& candidate) {
        return &candidate.mapped() == &named.second;
    });
    if (node == removed_.end()) return;
    names_.insert(std::move(*node));
    removed_.erase(node);
}

void Namespace::clear() {
    while (!names_.empty()) removed_.push_back(names_.extract(names_.begin()));
}

void Namespace::settle() noexcept { removed_.clear(); }

namespace {
std::atomic<std::uint64_t> schema_now{1}, schema_changed{0};
}  // namespace

std::uint64_t SchemaClock::now() noexcept { return schema_now.load(std::memory_order_relaxed); }
std::uint64_t SchemaClock::last_change() noexcept { return schema_changed.load(std::memory_order_relaxed); }
std::uint64_t SchemaClock::tick_alone() noexcept { return schema_now.fetch_add(1, std::memory_order_relaxed) + 1; }

void SchemaClock::tick() noexcept {
    const std::uint64_t time = tick_alone();
    std::uint64_t last = last_change();
    while (last < time && !schema_changed.compare_exchange_weak(last, time, std::memory_order_relaxed)) {
    }
}

bool HeldStatements::touch(std::uint64_t id) {
    const auto found = at_.find(id);
    if (found == at_.end()) return false;
    order_.splice(order_.end(), order_, found->second.at);
    return true;
}

bool HeldStatements::parsed_since(std::uint64_t id, std::uint64_t time) const {
    const auto found = at_.find(id);
    return found != at_.end() && found->second.parsed != 0 && found->second.parsed >= time;
}

void HeldStatements::add(std::uint64_t id, std::uint64_t parsed) {
    if (touch(id)) {
        at_[id].parsed = parsed;
    } else {
        at_[id] = {order_.insert(order_.end(), id), parsed};
    }
}

void HeldStatements::age(std::uint64_t id) {
    const auto found = at_.find(id);
    if (found != at_.end()) found->second.parsed = 0;
}

void HeldStatements::age_since(std::uint64_t time) noexcept {
    for (auto& [id, place] : at_) {
        if (place.parsed >= time) place.parsed = 0;
    }
}

void HeldStatements::remove(std::uint64_t id) {
    const auto found = at_.find(id);
    if (found == at_.end()) return;
    order_.erase(found->second.at);
    at_.erase(found);
}

void HeldStatements::clear() noexcept {
    order_.clear();
    at_.clear();
}

BackendName::BackendName(std::uint64_t id) noexcept {
    constexpr std::string_view prefix = "lh_";
    char* const digits = std::copy(prefix.begin(), prefix.end(), text_.data());
    length_ = static_cast<std::size_t>(std::to_chars(digits, text_.data() + text_.size(), id).ptr - text_.data());
}

}  // namespace leasehold::postgres
