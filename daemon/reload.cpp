// SPDX-License-Identifier: Apache-2.0
#include "daemon/reload.hpp"

#include "daemon/capacity.hpp"
#include "daemon/metrics/reloads.hpp"
#include "daemon/notify.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;

constexpr const char* ending = "leasehold is shutting down: nothing is reloaded any more";

// What cannot change while the daemon runs stays as it is, so that it is named again by the next reload.
std::vector<std::string> keep_what_needs_a_restart(const config::Config& before, config::Config& next) {
    std::vector<std::string> keys;
    if (next.workers != before.workers) keys.emplace_back("workers");
    next.workers = before.workers;
    return keys;
}

std::string list_of(const std::vector<std::string>& words) {
    std::string list;
    for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
    return list;
}

}  // namespace

Reload::~Reload() {
    reader_.stop();
    reader_.join();
}

void Reload::request(Done done) {
    asio::post(main_, [this, done = std::move(done)]() mutable {
        waiting_.push_back(std::move(done));
        if (!running_) begin();
    });
}

void Reload::begin() {
    running_ = true;
    ++number_;
    served_ = std::exchange(waiting_, {});
    if (parts_.shared.draining) {
        ReloadReport refused;
        refused.problems.emplace_back(ending);
        finish(std::move(refused));
        return;
    }
    notify::reloading();
    const std::shared_ptr<const config::Config> before = parts_.shared.config();
    log_info("reload_started", {{"reload", number_}, {"file", before->file}});
    asio::post(reader_, [this, before] {
        const std::shared_ptr<Attempt> attempt = read(before);
        asio::post(main_, [this, attempt] { take_up(attempt); });
    });
}

// On a thread of its own: files and secrets may be slow to come.
std::shared_ptr<Reload::Attempt> Reload::read(std::shared_ptr<const config::Config> before) {
    auto attempt = std::make_shared<Attempt>();
    attempt->before = std::move(before);
    try {
        prepare(*attempt);
    } catch (const std::exception& error) {
        attempt->report.problems.push_back(attempt->before->file + ": " + error.what());
    }
    return attempt;
}

void Reload::prepare(Attempt& attempt) {
    ReloadReport& report = attempt.report;
    config::Loaded loaded =
        config::load_file(attempt.before->file, config::Secrets::system(), check_tls_files, check_url_files);
    for (const config::Problem& problem : loaded.problems) {
        const bool error = problem.severity == config::Problem::Severity::error;
        (error ? report.problems : report.warnings).push_back(problem.render());
    }
    if (!loaded.config) return;
    attempt.next = std::make_shared<config::Config>(std::move(*loaded.config));
    report.restart = keep_what_needs_a_restart(*attempt.before, *attempt.next);
    attempt.diff = config::diff(*attempt.before, *attempt.next);
    report.changes = attempt.diff.render();
    attempt.certificates = Certificates::load(*attempt.next);
    for (const Certificates::Reading& reading : attempt.certificates) {
        if (!reading.error.empty()) report.problems.push_back("listen " + reading.address + ": tls: " + reading.error);
    }
    attempt.log.emplace(attempt.next->log);
    if (!attempt.log->problem().empty()) report.problems.push_back("log.target: " + attempt.log->problem());
}

void Reload::take_up(const std::shared_ptr<Attempt>& attempt) {
    ReloadReport& report = attempt->report;
    if (parts_.shared.draining) report.problems = {ending};
    if (!attempt->next || parts_.shared.draining) {
        finish(std::move(report));
        return;
    }
    Listeners::Prepared listeners = parts_.listeners.prepare(*attempt->next);
    web::Prepared web = parts_.web.prepare(*attempt->next);
    report.problems.insert(report.problems.end(), listeners.errors.begin(), listeners.errors.end());
    for (const std::string& error : web.errors) report.problems.push_back("admin: " + error);
    report.warnings.insert(report.warnings.end(), web.warnings.begin(), web.warnings.end());
    if (!report.problems.empty()) {
        finish(std::move(report));
        return;
    }
    commit(attempt, std::move(listeners), std::move(web));
}

// Nothing of this can fail. New pools are there before anybody can be sent to them; then the new generation counts for
// whoever logs in; then each worker brings its pools and its sessions to it.
void Reload::commit(const std::shared_ptr<Attempt>& attempt, Listeners::Prepared listeners, web::Prepared web) {
    Shared& shared = parts_.shared;
    const std::shared_ptr<const config::Config> next = attempt->next;
    attempt->log->commit();
    parts_.capacity.configure(next);
    shared.certificates.use(attempt->certificates);
    for (const Certificates::Reading& reading : attempt->certificates) {
        log_info("certificates_read", {{"listen", reading.address}});
    }
    Homes::Adoption adoption = parts_.homes.adopt(next, shared.workers);
    std::vector<std::string> removed;
    for (const Homes::Step& step : adoption.steps) {
        if (!step.settings && !parts_.homes.bears(step.home->name())) removed.push_back(step.home->name());
    }
    for (const HomePtr& home : adoption.made) home->worker->post([home] { home->worker->add_home(home); });
    shared.publish({next, std::make_shared<const Router>(next, parts_.homes.configured())});
    parts_.listeners.commit(next, std::move(listeners));
    parts_.web.commit(std::move(web));
    attempt->report.applied = true;
    tell_workers(std::move(adoption), [this, attempt, removed = std::move(removed)] {
        for (const std::string& name : removed) parts_.shared.standing.forget(name);
        finish(std::move(attempt->report));
    });
}

void Reload::tell_workers(Homes::Adoption adoption, std::function<void()> then) {
    const auto steps = std::make_shared<const std::vector<Homes::Step>>(std::move(adoption.steps));
    const GenerationPtr generation = parts_.shared.current();
    const auto left = std::make_shared<std::size_t>(parts_.shared.workers.size());  // main thread only
    for (Worker* worker : parts_.shared.workers) {
        worker->post([this, worker, steps, generation, left, then] {
            for (const Homes::Step& step : *steps) {
                if (step.home->worker == worker && step.settings) parts_.homes.apply(step);
            }
            for (const auto& [id, session] : worker->sessions()) session->reconsider(generation);
            for (const Homes::Step& step : *steps) {
                if (step.home->worker != worker || step.settings) continue;
                log_info("pool_removed", {{"pool", step.home->name()}, {"user", step.home->user}});
                worker->retire(step.home);
            }
            asio::post(main_, [left, then] {
                if (--*left == 0) then();
            });
        });
    }
}

void Reload::finish(ReloadReport report) {
    std::string outcome = "reloaded: " + report.changes;
    if (report.applied) {
        log_info("reloaded", {{"reload", number_}, {"changes", report.changes}});
        if (!report.restart.empty()) {
            log_warn("restart_needed", {{"keys", list_of(report.restart)},
                                        {"hint", "these count when leasehold is started the next time"}});
        }
    } else {
        for (std::size_t i = 0; i < report.problems.size(); ++i) {
            log_error("reload_failed", {{"reload", number_},
                                        {"problem", i + 1},
                                        {"of", report.problems.size()},
                                        {"message", report.problems[i]}});
        }
        outcome = "reload failed, nothing changed: " + (report.problems.empty() ? "" : report.problems.front());
        if (report.problems.size() > 1) outcome += " (and " + std::to_string(report.problems.size() - 1) + " more)";
    }
    for (const std::string& warning : report.warnings) log_warn("reload_warning", {{"message", warning}});
    parts_.counted.done(report.applied);
    if (!parts_.shared.draining) notify::ready(outcome);
    for (const Done& done : std::exchange(served_, {})) {
        if (done) done(report);
    }
    running_ = false;
    if (!waiting_.empty()) begin();
}

}  // namespace leasehold::daemon
