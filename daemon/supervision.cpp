// SPDX-License-Identifier: Apache-2.0
#include "daemon/supervision.hpp"

#include "daemon/drain.hpp"
#include "daemon/logging.hpp"
#include "daemon/notify.hpp"
#include "daemon/worker.hpp"

#include <algorithm>

namespace leasehold::daemon {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto refresh_every = 2s;
constexpr auto extend_every = 3s;
constexpr auto tell_again_after = 30s;
constexpr auto look_every = 500ms;

}  // namespace

std::string status_line(const Census& census) {
    std::string line = std::to_string(census.pools) + (census.pools == 1 ? " pool" : " pools");
    line += "; clients " + std::to_string(census.clients);
    if (census.waiting > 0) line += " (" + std::to_string(census.waiting) + " waiting)";
    line += "; servers " + std::to_string(census.backends) + " of " + std::to_string(census.capacity);
    return line;
}

bool all_tick(std::span<const Clock::time_point> last_ticks, Clock::time_point now, Clock::duration limit) {
    return std::ranges::all_of(last_ticks, [=](Clock::time_point last) { return now - last <= limit; });
}

Supervision::Supervision(boost::asio::io_context& main, const Shared& shared, const Drain& drain)
    : main_(main), shared_(shared), drain_(drain), timer_(main), watchdog_(notify::watchdog()) {}

void Supervision::start() {
    if (!notify::watched()) return;
    notify::ready("listening");
    wait();
}

void Supervision::wait() {
    const auto period = watchdog_ ? std::clamp<Clock::duration>(*watchdog_ / 4, 10ms, look_every) : look_every;
    timer_.expires_after(period);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (ec) return;
        beat();
        refresh();
        wait();
    });
}

// A worker that hangs stops the beat, and the service manager starts the daemon anew.
void Supervision::beat() {
    if (!watchdog_) return;
    std::vector<Clock::time_point> ticks;
    for (const Worker* worker : shared_.workers) ticks.push_back(worker->last_tick());
    const bool alive = all_tick(ticks, Clock::now(), *watchdog_ / 2);
    if (alive) notify::alive();
    if (stuck_ == !alive) return;
    stuck_ = !alive;
    if (stuck_) {
        log_error("worker_stuck", {{"watchdog_ms", std::chrono::duration_cast<std::chrono::milliseconds>(*watchdog_)},
                                   {"hint", "the watchdog is not fed any more; it ends the daemon"}});
    } else {
        log_warn("worker_goes_on");
    }
}

void Supervision::refresh() {
    const auto now = Clock::now();
    const bool ends = drain_.step() != Drain::Step::none;
    if (ends && now - extended_ >= extend_every) {
        extended_ = now;
        notify::extend(drain_.expected());
    }
    if (asked_ || now - refreshed_ < (ends ? Clock::duration(1s) : Clock::duration(refresh_every))) return;
    refreshed_ = now;
    asked_ = true;
    take_census(shared_.workers, main_, [this](const Census& census) {
        asked_ = false;
        const std::string ending = drain_.status();
        tell(ending.empty() ? status_line(census) : ending + "; " + status_line(census));
    });
}

void Supervision::tell(std::string line) {
    // Not for ever: a reload puts its outcome in the line's place.
    if (line == told_ && refreshed_ - told_at_ < tell_again_after) return;
    told_ = std::move(line);
    told_at_ = refreshed_;
    notify::status(told_);
}

void Supervision::stopping() {
    extended_ = Clock::now();
    told_ = drain_.status();
    notify::stopping(told_);
    notify::extend(drain_.expected());
}

}  // namespace leasehold::daemon
