// SPDX-License-Identifier: Apache-2.0
// What a text does to settings: a step for each statement; what is carried is set again as exactly that; and comments in
// front change nothing.
#include "dialects/postgres/setting_steps.hpp"
#include "dialects/postgres/settings.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

using postgres::Assignment;
using postgres::SettingStep;

bool reported(const void*, std::string_view name) { return name == "timezone" || name == "datestyle"; }

std::optional<postgres::SettingSteps> read(std::string_view text, bool conforming) {
    return postgres::read_setting_steps(text, conforming, &reported, nullptr);
}

std::string said(const postgres::SettingSteps& steps) {
    std::string all;
    for (const SettingStep& step : steps) {
        ((all += std::to_string(static_cast<int>(step.kind))) += step.tag) += step.savepoint;
        for (const Assignment& each : step.assigns)
            (((all += ' ') += each.name) += each.reset ? '!' : '=') += each.value;
        for (const std::string& name : step.locals) (all += " local ") += name;
        all += ';';
    }
    return all;
}

void check(const Assignment& made, bool conforming) {
    require(postgres::well_formed(made.name), "a name that can be written down");
    if (made.reset || made.reported || made.stuck) return;
    require(!postgres::too_long(made) && postgres::repeatable(made), "what another backend can be given as well");
    for (const char c : made.value) require(c >= ' ' && c <= '~', "a value in ASCII");
    postgres::Settings wanted;
    require(wanted.set(made.name, made.value), "a setting");
    const auto again = read(postgres::diff_sql({}, wanted), conforming);
    require(again && again->size() == 1 && !again->front().assigns.empty(), "what is carried is one call");
    require_same(again->front().assigns.front().value, made.value, "the value that is carried");
    require_same(again->front().assigns.front().name, made.name, "the setting that is carried");
}

const Registered registered("postgres_setting_steps", [](Bytes data) {
    Input input(data);
    const bool conforming = input.u8() % 2 == 0;
    const std::string text(wire::as_text(input.rest()));
    const auto steps = read(text, conforming);
    if (!steps) return;
    std::size_t statements = 0;
    postgres::each_statement(text, conforming, [&statements](const postgres::Statement&) { ++statements; });
    require(steps->size() == statements, "a step for each statement");
    for (const SettingStep& step : *steps) {
        for (const Assignment& each : step.assigns) {
            if (step.kind == SettingStep::Kind::assign) check(each, conforming);
        }
    }
    const auto behind = read("/* a /* b */ */ -- c\n" + text, conforming);
    require(behind.has_value(), "comments change nothing");
    require_same(said(*behind), said(*steps), "behind comments");
});

}  // namespace
}  // namespace leasehold::fuzz
