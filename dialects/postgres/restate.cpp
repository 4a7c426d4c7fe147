// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/restate.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

// A list of names that the server shows as the client wrote it, and would not if SET were given names of it.
[[nodiscard]] bool quoted_otherwise(std::string_view name, std::string_view value) {
    if (same_name(name, "temp_tablespaces")) return true;
    if (!same_name(name, "search_path")) return false;
    const std::optional<Assignments> read = read_assignment("SET search_path TO " + std::string(value));
    return !read || read->front().reset || read->front().value != value;
}

[[nodiscard]] bool spared(std::string_view name) noexcept {
    return same_name(name, "role") || same_name(name, "session_authorization");
}

[[nodiscard]] bool anything(const SettingStep& step, const Settings& start) {
    const auto began = [&start](const std::string& name) { return start.contains(name); };
    if (step.kind == SettingStep::Kind::reset_all && !start.empty()) return true;
    return std::ranges::any_of(step.local_resets, began) ||
           std::ranges::any_of(step.assigns,
                               [&began](const Assignment& each) { return each.reset && began(each.name); });
}

}  // namespace

std::string setting_statement(std::string_view name, std::string_view value, bool local) {
    const std::string literal = quote_literal(value);
    if (quoted_otherwise(name, value) || literal.starts_with("pg_catalog.")) {
        const std::string call = "BEGIN PERFORM pg_catalog.set_config(" + quote_literal(name) + "," + literal + "," +
                                 (local ? "true" : "false") + "); END";
        return "DO LANGUAGE plpgsql " + quote_literal(call);
    }
    const bool list = same_name(name, "search_path");
    return (local ? "SET LOCAL " : "SET ") + quote_setting_name(name) + " TO " + (list ? std::string(value) : literal);
}

std::vector<std::string> restoring_statements(const SettingStep& step, const Settings& start) {
    std::vector<std::string> made;
    const auto add = [&](std::string_view name, bool local) {
        if (const auto began = start.find(name)) made.push_back(setting_statement(name, *began, local));
    };
    if (step.kind == SettingStep::Kind::reset_all) {
        for (const auto& setting : start) {
            if (!spared(setting.name)) add(setting.name, false);
        }
    }
    for (const Assignment& each : step.assigns) {
        if (each.reset) add(each.name, false);
    }
    for (const std::string& name : step.local_resets) add(name, true);
    return made;
}

std::optional<Restated> restate(std::string_view sql, const SettingSteps& steps, const Settings& start) {
    if (std::ranges::none_of(steps, [&](const SettingStep& step) { return anything(step, start); }))
        return std::nullopt;
    Restated made;
    for (const SettingStep& step : steps) {
        made.steps.push_back(step);
        const std::vector<std::string> own = restoring_statements(step, start);
        if (own.empty()) continue;
        // In place of it: outside of a transaction the server warns of it, as long as it stands alone.
        if (!step.local_resets.empty() && own.front().starts_with("SET")) {
            made.places.replace(step.begin, step.end - step.begin, own.front());
            continue;
        }
        std::string behind;
        for (const std::string& each : own) {
            behind += step.last ? "\n;" : "";
            behind += each;
            behind += step.last ? "" : ";";
            made.steps.push_back({.tag = each.starts_with("DO") ? "DO" : "SET", .own = true});
        }
        made.places.replace(step.last ? step.end : step.end + 1, 0, behind);
    }
    made.sql = made.places.apply(sql);
    return made;
}

}  // namespace leasehold::postgres
