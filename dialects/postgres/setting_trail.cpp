// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_trail.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using Does = SettingStep::Kind;

}  // namespace

// Of what the client asked for when it came; an empty name: of anything.
bool SettingTrail::resets(const SettingStep& step, std::string_view name) const noexcept {
    if (step.kind == Does::reset_all) return name.empty() ? !start_.empty() : start_.contains(name);
    return std::ranges::any_of(step.assigns, [&](const Assignment& each) {
        return each.reset && start_.contains(each.name) && (name.empty() || same_name(each.name, name));
    });
}

void SettingTrail::send(std::uint64_t request, SettingSteps steps) {
    for (const SettingStep& step : steps) {
        underway_ += step.assigns.size();
        if (resets(step, {})) resetting_ = request;
    }
    steps_ += steps.size();
    sent_.push_back({request, std::move(steps)});
}

void SettingTrail::drop_front() noexcept {
    for (const SettingStep& step : sent_.front().steps) underway_ -= step.assigns.size();
    steps_ -= sent_.front().steps.size();
    sent_.pop_front();
}

void SettingTrail::commit() noexcept {
    log_.commit();
    savepoints_.clear();
    hidden_.clear();
    kept_ = reset_;
}

void SettingTrail::undo() {
    log_.roll_back();
    savepoints_.clear();
    hidden_.clear();
    reset_ = kept_;
}

void SettingTrail::failed() {
    failed_ = true;
    reset_ = savepoints_.empty() ? kept_ : savepoints_.back().reset;
    hidden_ = savepoints_.empty() ? Settings() : savepoints_.back().hidden;
}

bool SettingTrail::complete(std::uint64_t request, std::string_view tag) {
    while (!sent_.empty() && sent_.front().request < request) drop_front();
    static const SettingStep unread;
    const SettingStep* step = &unread;
    if (!sent_.empty() && sent_.front().request == request) {
        Sent& front = sent_.front();
        if (front.next >= front.steps.size()) return false;
        step = &front.steps[front.next++];
    }
    if (!step->tag.empty() && tag != step->tag) return false;
    if (step->kind == Does::other && (tag == "COMMIT" || tag == "PREPARE TRANSACTION")) commit();
    if (step->kind == Does::other && tag == "ROLLBACK") undo();
    carry_out(*step);
    return !log_.full();
}

void SettingTrail::carry_out(const SettingStep& step) {
    switch (step.kind) {
        case Does::other: break;
        case Does::savepoint:
            log_.savepoint(step.savepoint);
            if (!log_.full()) savepoints_.push_back({step.savepoint, reset_, hidden_});
            break;
        case Does::release:
            log_.release(step.savepoint);
            savepoints_.erase(latest(savepoints_, step.savepoint), savepoints_.end());
            break;
        case Does::rollback_to:
            log_.rollback_to(step.savepoint);
            if (const auto at = latest(savepoints_, step.savepoint); at != savepoints_.end()) {
                reset_ = at->reset;
                hidden_ = at->hidden;
                savepoints_.erase(std::next(at), savepoints_.end());
            }
            break;
        case Does::reset_all:
            log_.reset_all();
            reset_ = start_;
            hidden_.clear();
            break;
        case Does::assign:
            for (const Assignment& each : step.assigns) {
                log_.assign(each);
                hidden_.erase(each.name);
                const auto began = start_.find(each.name);
                if (each.reset && began) {
                    (void)reset_.set(each.name, *began);
                } else {
                    reset_.erase(each.name);
                }
            }
            break;
    }
    for (const std::string& name : step.locals) {
        if (reset_.contains(name)) (void)hidden_.set(name, {});
    }
}

void SettingTrail::ready(std::uint64_t request, bool idle, bool failed) {
    while (!sent_.empty() && sent_.front().request <= request) drop_front();
    ready_ = request;
    failed_ = false;
    if (!idle) return;
    failed ? undo() : commit();
    reset_.clear();
    kept_.clear();
    blind_ = false;
}

std::optional<std::string_view> SettingTrail::restored(std::uint64_t request, std::string_view name) const noexcept {
    if (blind_ || hidden_.contains(name)) return std::nullopt;
    if (const auto value = reset_.find(name)) return value;
    // Servers before 14 report while the statement is carried out.
    if (failed_ || sent_.empty() || sent_.front().request != request) return std::nullopt;
    const Sent& front = sent_.front();
    if (front.next < front.steps.size() && resets(front.steps[front.next], name)) return start_.find(name);
    return std::nullopt;
}

}  // namespace leasehold::postgres
