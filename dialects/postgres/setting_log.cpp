// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_log.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::optional<std::string> copy(std::optional<std::string_view> value) {
    if (!value) return std::nullopt;
    return std::string(*value);
}

void put(Settings& settings, std::string_view name, const std::optional<std::string>& value) {
    if (value) {
        (void)settings.set(name, *value);
    } else {
        settings.erase(name);
    }
}

[[nodiscard]] bool spared(std::string_view name) noexcept {
    return same_name(name, "role") || same_name(name, "session_authorization");
}

}  // namespace

bool SettingLog::record(std::string_view name) {
    const std::size_t since = savepoints_.empty() ? 0 : savepoints_.back().changes;
    const auto begin = changes_.begin() + static_cast<std::ptrdiff_t>(since);
    if (std::any_of(begin, changes_.end(), [name](const Change& change) { return same_name(change.name, name); }))
        return true;
    if (changes_.size() >= most_changes) {
        full_ = true;
        return false;
    }
    changes_.push_back(
        {std::string(name), copy(session_.find(name)), copy(backend_.find(name)), copy(stuck_.find(name))});
    return true;
}

void SettingLog::assign(const Assignment& assignment) {
    const bool tells = reported(assignment.name) && !assignment.stuck;
    if (tells && !stuck_.contains(assignment.name)) return;
    if (!record(assignment.name)) return;
    if (assignment.stuck) {
        (void)stuck_.set(assignment.name, {});
        return;
    }
    stuck_.erase(assignment.name);
    if (tells) return;
    if (assignment.reset) {
        // The backend is told at once: restate.hpp.
        const std::optional<std::string> began = copy(start_.find(assignment.name));
        put(session_, assignment.name, began);
        put(backend_, assignment.name, began);
    } else {
        (void)session_.set(assignment.name, assignment.value);
        (void)backend_.set(assignment.name, assignment.value);
    }
}

void SettingLog::reset_all() {
    std::vector<std::string> names;
    for (const Settings* settings :
         {&std::as_const(session_), &std::as_const(backend_), &start_, &std::as_const(stuck_)}) {
        for (const auto& setting : *settings) {
            if (!spared(setting.name)) names.push_back(setting.name);
        }
    }
    for (const std::string& name : names) assign({.reset = true, .name = name});
}

void SettingLog::align() {
    for (const auto& setting : std::as_const(session_)) {
        const auto now = backend_.find(setting.name);
        if (now && *now == setting.value) continue;
        if (reported(setting.name) || record(setting.name)) (void)backend_.set(setting.name, setting.value);
    }
}

void SettingLog::savepoint(std::string_view name) {
    if (savepoints_.size() >= most_savepoints) {
        full_ = true;
        return;
    }
    savepoints_.push_back({std::string(name), changes_.size()});
}

void SettingLog::release(std::string_view name) { savepoints_.erase(latest(savepoints_, name), savepoints_.end()); }

// The savepoint itself stays.
void SettingLog::rollback_to(std::string_view name) {
    const auto at = latest(savepoints_, name);
    if (at == savepoints_.end()) return;
    undo(at->changes);
    savepoints_.erase(std::next(at), savepoints_.end());
}

void SettingLog::undo(std::size_t down_to) {
    while (changes_.size() > down_to) {
        const Change& last = changes_.back();
        if (!reported(last.name)) put(session_, last.name, last.session);
        if (!reported(last.name)) put(backend_, last.name, last.backend);
        put(stuck_, last.name, last.stuck);
        changes_.pop_back();
    }
}

void SettingLog::commit() noexcept {
    changes_.clear();
    savepoints_.clear();
}

void SettingLog::roll_back() {
    undo(0);
    savepoints_.clear();
}

}  // namespace leasehold::postgres
