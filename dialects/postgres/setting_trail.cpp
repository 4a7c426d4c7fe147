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
    sent_.push_back({request, std::move(steps)});
}

void SettingTrail::drop_front() noexcept {
    for (const SettingStep& step : sent_.front().steps) underway_ -= step.assigns.size();
    sent_.pop_front();
}

bool SettingTrail::complete(std::uint64_t request, std::string_view tag) {
    while (!sent_.empty() && sent_.front().request < request) drop_front();
    if (sent_.empty() || sent_.front().request != request) {
        if (tag == "COMMIT") log_.commit();
        if (tag == "ROLLBACK") log_.roll_back();
        return true;
    }
    Sent& front = sent_.front();
    if (front.next >= front.steps.size()) return false;
    const SettingStep& step = front.steps[front.next++];
    if (!step.tag.empty() && tag != step.tag) return false;
    for (const std::string& name : step.locals) {
        hidden_ |= restored_.contains(name);
        restored_.erase(name);
    }
    if (step.kind == Does::other) {
        if (tag != "COMMIT" && tag != "ROLLBACK") return true;
        if (tag == "ROLLBACK") restored_.clear();
        tag == "COMMIT" ? log_.commit() : log_.roll_back();
        return true;
    }
    carry_out(step);
    return !log_.full();
}

void SettingTrail::carry_out(const SettingStep& step) {
    switch (step.kind) {
        case Does::other: break;
        case Does::savepoint: log_.savepoint(step.savepoint); break;
        case Does::release: log_.release(step.savepoint); break;
        case Does::rollback_to:
            log_.rollback_to(step.savepoint);
            restored_.clear();
            break;
        case Does::reset_all:
            log_.reset_all();
            for (const auto& setting : start_) (void)restored_.set(setting.name, setting.value);
            break;
        case Does::assign:
            for (const Assignment& each : step.assigns) {
                log_.assign(each);
                const auto began = start_.find(each.name);
                if (each.reset && began) {
                    (void)restored_.set(each.name, *began);
                } else {
                    restored_.erase(each.name);
                }
            }
            break;
    }
}

void SettingTrail::ready(std::uint64_t request, bool idle, bool failed) {
    while (!sent_.empty() && sent_.front().request <= request) drop_front();
    ready_ = request;
    restored_.clear();
    if (!idle) return;
    failed ? log_.roll_back() : log_.commit();
    blind_ = hidden_ = false;
}

std::optional<std::string_view> SettingTrail::restored(std::uint64_t request, std::string_view name) const noexcept {
    if (const auto value = restored_.find(name)) return value;
    // Servers before 14 report while the statement is carried out.
    if (sent_.empty() || sent_.front().request != request) return std::nullopt;
    const Sent& front = sent_.front();
    if (front.next < front.steps.size() && resets(front.steps[front.next], name)) return start_.find(name);
    return std::nullopt;
}

}  // namespace leasehold::postgres
