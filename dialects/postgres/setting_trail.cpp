// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_trail.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using Does = SettingStep::Kind;

}  // namespace

void SettingTrail::send(std::uint64_t request, SettingSteps steps, Rewriting places) {
    for (const SettingStep& step : steps) underway_ += step.assigns.size();
    steps_ += steps.size();
    sent_.push_back({request, std::move(steps), std::move(places)});
}

void SettingTrail::drop_front() noexcept {
    for (const SettingStep& step : sent_.front().steps) underway_ -= step.assigns.size();
    steps_ -= sent_.front().steps.size();
    sent_.pop_front();
}

const SettingTrail::Sent* SettingTrail::find(std::uint64_t request) const noexcept {
    const auto at = std::ranges::find(sent_, request, &Sent::request);
    return at == sent_.end() ? nullptr : &*at;
}

bool SettingTrail::own(std::uint64_t request) const noexcept {
    const Sent* sent = find(request);
    return sent != nullptr && sent->next < sent->steps.size() && sent->steps[sent->next].own;
}

const Rewriting* SettingTrail::places(std::uint64_t request) const noexcept {
    const Sent* sent = find(request);
    return sent == nullptr || sent->places.empty() ? nullptr : &sent->places;
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
    if (step->kind == Does::other && (tag == "COMMIT" || tag == "PREPARE TRANSACTION")) log_.commit();
    if (step->kind == Does::other && tag == "ROLLBACK") log_.roll_back();
    carry_out(*step);
    return !log_.full();
}

void SettingTrail::carry_out(const SettingStep& step) {
    switch (step.kind) {
        case Does::other: break;
        case Does::savepoint: log_.savepoint(step.savepoint); break;
        case Does::release: log_.release(step.savepoint); break;
        case Does::rollback_to: log_.rollback_to(step.savepoint); break;
        case Does::reset_all: log_.reset_all(); break;
        case Does::assign:
            for (const Assignment& each : step.assigns) log_.assign(each);
            break;
    }
}

void SettingTrail::ready(std::uint64_t request, bool idle, bool failed) {
    while (!sent_.empty() && sent_.front().request <= request) drop_front();
    failed_ = false;
    if (!idle) return;
    failed ? log_.roll_back() : log_.commit();
    blind_ = false;
}

std::optional<std::string_view> SettingTrail::restored(std::uint64_t request, std::string_view name) const noexcept {
    const Sent* sent = find(request);
    if (failed_ || sent == nullptr || sent->next >= sent->steps.size()) return std::nullopt;
    const SettingStep& step = sent->steps[sent->next];
    const bool resets = step.kind == Does::reset_all || std::ranges::any_of(step.assigns, [&](const Assignment& each) {
                            return each.reset && same_name(each.name, name);
                        });
    return resets ? start_.find(name) : std::nullopt;
}

}  // namespace leasehold::postgres
