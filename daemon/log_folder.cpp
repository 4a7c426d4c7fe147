// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_folder.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon {
namespace {

constexpr std::size_t max_held = 512;  // distinct lines that repeat at one time; further ones are not folded
constexpr std::size_t max_kin = 64;    // of one event
constexpr std::chrono::seconds fold_window{1};

// What makes two lines the same.
std::string identity(const LogLine& line) {
    const bool numbers_count = line.level != LogLevel::warn && line.level != LogLevel::error;
    std::string key(1, static_cast<char>('0' + static_cast<int>(line.level)));
    key += line.event;
    for (const LogLine::Field& field : line.fields) {
        key += '\0';
        key += field.key;
        if (!field.text && !numbers_count) continue;
        key += '\0';
        key += field.value;
    }
    return key;
}

}  // namespace

std::vector<LogLine> LogFolder::take(LogLine line, Time now) {
    std::vector<LogLine> result = due(now);
    if (line.fold == LogLine::Fold::never) {
        result.push_back(std::move(line));
        return result;
    }
    if (line.fold == LogLine::Fold::kin) {
        if (shows_kin(line, now)) result.push_back(std::move(line));
        return result;
    }
    std::string key = identity(line);
    if (const auto held = held_.find(key); held != held_.end()) {
        line.repeated = held->second.last.repeated + 1;
        held->second.last = std::move(line);
        return result;
    }
    // Life-cycle lines are many and seldom equal; they must not take all places from the warnings of the same second.
    const bool grave = line.level == LogLevel::warn || line.level == LogLevel::error;
    if (held_.size() < (grave ? max_held : max_held / 2)) held_.emplace(std::move(key), Held{now, line, 0});
    result.push_back(std::move(line));
    return result;
}

// False: it was counted, and kept if it is the last.
bool LogFolder::shows_kin(LogLine& line, Time now) {
    auto crowd_of = crowds_.find(line.event);
    if (crowd_of == crowds_.end()) crowd_of = crowds_.emplace(line.event, Crowd{now, 0, {}, {}}).first;
    Crowd& crowd = crowd_of->second;
    Held* held = &crowd.others;
    if (const auto known = crowd.kin.find(line.kin); known != crowd.kin.end()) {
        held = &known->second;
    } else if (crowd.kin.size() < max_kin) {
        held = &crowd.kin.emplace(line.kin, Held{now, {}, 0}).first->second;
    }
    if (held->shown < kin_burst && crowd.shown < event_burst) {
        ++held->shown;
        ++crowd.shown;
        return true;
    }
    ++held->shown;
    line.repeated = held->last.repeated + 1;
    held->last = std::move(line);
    return false;
}

// Its second is over: what was counted is shown.
void LogFolder::collect(Held& held, Time now, std::vector<LogLine>& into) {
    if (held.last.repeated > 0) into.push_back(held.last);
    held.last.repeated = 0;
    held.shown = 0;
    held.since = now;
}

std::vector<LogLine> LogFolder::due(Time now) {
    std::vector<LogLine> result;
    if ((held_.empty() && crowds_.empty()) || now < next_scan_) return result;
    next_scan_ = now + fold_window;
    for (auto held = held_.begin(); held != held_.end();) {
        if (now - held->second.since < fold_window) {
            next_scan_ = std::min(next_scan_, held->second.since + fold_window);
            ++held;
        } else if (held->second.last.repeated == 0) {
            held = held_.erase(held);
        } else {
            collect(held->second, now, result);
            ++held;
        }
    }
    for (auto& [event, crowd] : crowds_) {
        if (now - crowd.since < fold_window) {
            next_scan_ = std::min(next_scan_, crowd.since + fold_window);
            continue;
        }
        for (auto& [kin, held] : crowd.kin) collect(held, now, result);
        collect(crowd.others, now, result);
        crowd.kin.clear();
        crowd.shown = 0;
        crowd.since = now;
    }
    std::ranges::sort(result, {}, &LogLine::at);
    return result;
}

std::vector<LogLine> LogFolder::all() {
    std::vector<LogLine> result;
    const auto take = [&result](Held& held) {
        if (held.last.repeated > 0) result.push_back(std::move(held.last));
    };
    for (auto& [key, held] : held_) take(held);
    for (auto& [event, crowd] : crowds_) {
        for (auto& [kin, held] : crowd.kin) take(held);
        take(crowd.others);
    }
    held_.clear();
    crowds_.clear();
    std::ranges::sort(result, {}, &LogLine::at);
    return result;
}

}  // namespace leasehold::daemon
