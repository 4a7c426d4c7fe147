// SPDX-License-Identifier: Apache-2.0
#include "daemon/drain.hpp"

#include "daemon/logging.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 20ms;
// Who was in the middle of a login is told so within this; Session::drain() ends those who say nothing.
constexpr auto for_logins = 2500ms;
constexpr auto for_the_ladder = 2s;
constexpr auto for_farewells = 1s;
constexpr std::string_view reason = "leasehold is shutting down";

std::string_view to_string(Shutdown how) noexcept {
    switch (how) {
        case Shutdown::drain: return "drain";
        case Shutdown::wait_for_servers: return "wait_for_servers";
        case Shutdown::wait_for_clients: return "wait_for_clients";
        case Shutdown::now: return "now";
    }
    return "drain";
}

std::string counted(std::size_t number, std::string_view one, std::string_view many) {
    return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}

}  // namespace

Drain::Drain(boost::asio::io_context& main, Shared& shared, Actions actions)
    : main_(main), shared_(shared), actions_(std::move(actions)), timer_(main) {}

void Drain::begin(Shutdown how) {
    const bool fresh = step_ == Step::none;
    const auto now = Clock::now();
    const auto limit = now + shared_.config()->drain_timeout;
    switch (how) {
        case Shutdown::wait_for_clients:
            if (step_ >= Step::clients) return;
            break;
        case Shutdown::wait_for_servers:
            if (step_ >= Step::leases) return;
            break;
        case Shutdown::drain:
            if (limited() || step_ > Step::leases) return;
            limit_ = limit;
            break;
        case Shutdown::now:
            if (step_ >= Step::overdue) return;
            break;
    }
    if (fresh) {
        began_ = now;
        shared_.draining.store(true);
        actions_.close_doors();
    }
    // Whoever reads of it finds it so.
    log_info("draining", {{"how", to_string(how)},
                          {"drain_timeout_ms", how == Shutdown::drain ? shared_.config()->drain_timeout : 0ms},
                          {"clients", shared_.places.clients()}});
    switch (how) {
        case Shutdown::wait_for_clients: enter(Step::clients); break;
        case Shutdown::wait_for_servers:
        case Shutdown::drain:
            if (step_ < Step::leases) enter(Step::leases);
            break;
        case Shutdown::now:
            if (step_ < Step::leases) enter(Step::leases);
            enter(Step::overdue);
            break;
    }
    if (fresh) watch();
}

void Drain::enter(Step step) {
    step_ = step;
    entered_ = Clock::now();
    switch (step) {
        case Step::leases: send_away(false); break;
        case Step::overdue: send_away(true); break;
        case Step::farewell:
            actions_.close_all_doors();
            for (Worker* worker : shared_.workers) {
                worker->post([worker] { worker->stop_sessions(std::string(reason)); });
            }
            break;
        case Step::over:
            timer_.cancel();
            actions_.ended();
            break;
        case Step::none:
        case Step::clients: break;
    }
}

void Drain::send_away(bool now) {
    for (Worker* worker : shared_.workers) {
        worker->post([worker, now] {
            if (now) {
                worker->stop_clients(std::string(reason));
            } else {
                worker->drain(std::string(reason));
            }
        });
    }
}

void Drain::watch() {
    timer_.expires_after(look_every);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (ec || step_ == Step::over) return;
        watch();
        // A worker that does not answer must not keep the limit from passing.
        if (step_ == Step::leases && Clock::now() >= limit_) {
            log_warn("drain_limit", {{"clients", shared_.places.clients()},
                                     {"holding", census_.holding},
                                     {"hint", "what still held a lease is ended now; drain_timeout is the limit"}});
            enter(Step::overdue);
        } else if (step_ == Step::overdue && Clock::now() - entered_ >= for_the_ladder) {
            enter(Step::farewell);
        } else if (step_ == Step::farewell && Clock::now() - entered_ >= for_farewells) {
            enter(Step::over);
            return;
        }
        if (std::exchange(asked_, true)) return;
        take_census(shared_.workers, main_, [this](Census census) {
            asked_ = false;
            look(census);
        });
    });
}

void Drain::look(const Census& census) {
    census_ = census;
    const auto now = Clock::now();
    // Those who move between two workers are in neither's census.
    const bool clients_left = census.clients > 0 || shared_.places.clients() > 0;
    const bool logins_left = census.logins > 0 && now - began_ < for_logins;
    switch (step_) {
        case Step::clients:
            if (!clients_left && !logins_left) enter(Step::leases);
            break;
        case Step::leases:
        case Step::overdue:
            if (!clients_left && !logins_left && census.backends == 0) enter(Step::farewell);
            break;
        case Step::farewell:
            if (!clients_left && census.consoles == 0 && census.logins == 0) enter(Step::over);
            break;
        case Step::none:
        case Step::over: break;
    }
}

std::string Drain::status() const {
    if (step_ == Step::none) return {};
    const auto passed = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_).count();
    std::string text = "draining for " + std::to_string(passed) + " s";
    if (limited() && step_ <= Step::leases) {
        const auto left = std::chrono::duration_cast<std::chrono::seconds>(limit_ - Clock::now()).count();
        text += ", " + std::to_string(std::max<std::int64_t>(0, left)) + " s left";
    }
    if (step_ == Step::clients) {
        text += ": waits for " + counted(census_.clients, "client", "clients") + " to leave";
    } else if (census_.holding > 0) {
        text += ": " + counted(census_.holding, "client holds a lease", "clients hold a lease");
    } else if (census_.backends > 0) {
        text += ": " + counted(census_.backends, "backend is being closed", "backends are being closed");
    }
    return text;
}

std::chrono::seconds Drain::expected() const {
    if (step_ == Step::none) return 0s;
    const auto rest = limited() && limit_ > Clock::now()
                          ? std::chrono::duration_cast<std::chrono::seconds>(limit_ - Clock::now())
                          : 0s;
    return rest + 10s;
}

}  // namespace leasehold::daemon
