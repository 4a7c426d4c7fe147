// SPDX-License-Identifier: Apache-2.0
// How values read in the console's tables: numbers, times, and NULL where a nought would look like a value. For the files
// of this folder that make rows.
#pragma once

#include "daemon/admin/tables.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace leasehold::daemon::admin {

using Type = dialects::Column::Type;
using Cell = std::optional<std::string>;

template <class Number>
[[nodiscard]] std::string text(Number number) {
    return std::to_string(number);
}

template <class Unit, class Rep, class Period>
[[nodiscard]] std::string whole(std::chrono::duration<Rep, Period> time) {
    return std::to_string(std::chrono::floor<Unit>(time).count());
}

// PgBouncer gives a wait as whole seconds and the microseconds beyond them.
[[nodiscard]] inline std::string beyond_seconds(std::chrono::microseconds time) {
    return text((time % std::chrono::seconds(1)).count());
}

// "31.250"
[[nodiscard]] inline std::string in_seconds(std::chrono::milliseconds time) {
    std::string digits = text((time % std::chrono::seconds(1)).count());
    return whole<std::chrono::seconds>(time) + '.' + std::string(3 - std::min<std::size_t>(digits.size(), 3), '0') +
           digits;
}

// NULL rather than a nought that looks like a value.
[[nodiscard]] inline Cell unless_zero(std::uint64_t number) {
    return number == 0 ? std::nullopt : Cell(std::to_string(number));
}
[[nodiscard]] inline Cell unless_empty(const std::string& value) { return value.empty() ? std::nullopt : Cell(value); }
// The epoch: never.
[[nodiscard]] inline Cell when(SystemTime at) { return at == SystemTime{} ? std::nullopt : Cell(in_utc(at)); }

[[nodiscard]] inline std::string yes(bool truth) { return truth ? "yes" : "no"; }
[[nodiscard]] inline std::string flag(bool truth) { return truth ? "1" : "0"; }

template <class Names>
[[nodiscard]] std::string listed(const Names& names) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    return all;
}

[[nodiscard]] std::string_view transaction_word(wire::TransactionStatus status) noexcept;

}  // namespace leasehold::daemon::admin
