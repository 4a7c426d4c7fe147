// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_folder.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon {
namespace {

constexpr std::size_t max_held = 512;  // distinct lines that repeat at one time; further ones are not folded
constexpr std::size_t max_kin = 64;    // of one event
constexpr std::chrono::seconds shortest_window{1};
constexpr std::chrono::seconds longest_window{60};

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
        count(held->second, std::move(line), now);
        return result;
    }
    // Life-cycle lines are many and seldom equal; they must not take all places from the warnings of the same second.
    const bool grave = line.level == LogLevel::warn || line.level == LogLevel::error;
    if (held_.size() < (grave ? max_held : max_held / 2)) {
        Held& held = held_[std::move(key)];
        held.since = held.seen = now;
        next_scan_ = std::min(next_scan_, held.due());
    }
    result.push_back(std::move(line));
    return result;
}

LogFolder::Time LogFolder::Held::due() const noexcept { return std::min(since + window, seen + shortest_window); }

void LogFolder::count(Held& held, LogLine line, Time now) {
    line.repeated = held.last.repeated + 1;
    held.last = std::move(line);
    held.seen = now;
}

// False: it was counted, and kept if it is the last.
bool LogFolder::shows_kin(LogLine& line, Time now) {
    auto found = crowds_.find(line.event);
    if (found == crowds_.end()) found = crowds_.emplace(line.event, Crowd()).first;
    Crowd& crowd = found->second;
    if (now - crowd.since >= shortest_window) {
        crowd.since = now;
        crowd.shown = 0;
    }
    Held* held = &crowd.others;
    if (const auto known = crowd.kin.find(line.kin); known != crowd.kin.end()) {
        held = &known->second;
    } else if (crowd.kin.size() < max_kin) {
        held = &crowd.kin[line.kin];
    }
    if (held->shown == 0) {
        held->since = held->seen = now;
        next_scan_ = std::min(next_scan_, held->due());
    }
    ++held->shown;
    if (held->shown <= kin_burst && crowd.shown < event_burst) {
        ++crowd.shown;
        return true;
    }
    count(*held, std::move(line), now);
    return false;
}

// Shows what was counted. True: nothing was, and it may be forgotten.
bool LogFolder::collect(Held& held, Time now, std::vector<LogLine>& into) {
    if (held.last.repeated == 0) return true;
    const bool goes_on = now - held.seen < shortest_window;
    into.push_back(held.last);
    held.last.repeated = 0;
    held.since = now;
    held.window = goes_on ? std::min(held.window * 2, longest_window) : shortest_window;
    return !goes_on;
}

std::vector<LogLine> LogFolder::due(Time now) {
    std::vector<LogLine> result;
    if (now < next_scan_) return result;
    next_scan_ = Time::max();
    const auto over = [&](Held& held) {
        if (now >= held.due() && collect(held, now, result)) return true;
        next_scan_ = std::min(next_scan_, held.due());
        return false;
    };
    const auto prune = [&over](std::unordered_map<std::string, Held>& all) {
        for (auto held = all.begin(); held != all.end();) held = over(held->second) ? all.erase(held) : std::next(held);
    };
    prune(held_);
    for (auto& [event, crowd] : crowds_) {
        prune(crowd.kin);
        if (crowd.others.shown > 0 && over(crowd.others)) crowd.others = Held();
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
