// SPDX-License-Identifier: Apache-2.0
// Which lines of the log are repeats of others, and are counted instead of written. Pure: time is given. Not
// thread-safe; daemon/logging has the only one.
#pragma once

#include "daemon/log_line.hpp"

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace leasehold::daemon {

// The first line is shown at once, equal ones within the next second are counted, and the last of them is shown with
// `repeated=n` when the second is over. While they go on, that is said after 2, 4, 8 ... 60 seconds more; a second without
// one ends it. A warning or error is equal to one of the same event and texts, whatever its numbers; other lines only if
// all is equal.
//
// Lines with a `kin` (logins, statements) come in numbers and are never equal: of one event and kin the first
// `kin_burst` of a second are shown, of one event whatever its kin the first `event_burst`; the others are counted in
// the same way. What is held is bounded however many kinds of lines there are.
class LogFolder {
  public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr unsigned kin_burst = 20;
    static constexpr unsigned event_burst = 100;

    // The lines to be written now, in order.
    [[nodiscard]] std::vector<LogLine> take(LogLine line, Time now);
    [[nodiscard]] std::vector<LogLine> due(Time now);
    [[nodiscard]] std::vector<LogLine> all();

  private:
    struct Held {
        Time since{}, seen{};
        std::chrono::seconds window{1};
        LogLine last;
        unsigned shown = 0;  // of a kin, within the first second
        [[nodiscard]] Time due() const noexcept;
    };
    // All lines of one event that have a kin.
    struct Crowd {
        Time since{};
        unsigned shown = 0;  // within the second
        std::unordered_map<std::string, Held> kin;
        Held others;  // those for whose kin there was no place
    };
    [[nodiscard]] bool shows_kin(LogLine& line, Time now);
    static void count(Held& held, LogLine line, Time now);
    [[nodiscard]] static bool collect(Held& held, Time now, std::vector<LogLine>& into);

    std::unordered_map<std::string, Held> held_;
    std::map<std::string, Crowd, std::less<>> crowds_;
    Time next_scan_ = Time::max();
};

}  // namespace leasehold::daemon
