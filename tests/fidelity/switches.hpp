// SPDX-License-Identifier: Apache-2.0
// Switches of the differential test: included by force into the few files that have one, when they are compiled for
// `leasehold_switched`. No other build defines LEASEHOLD_SWITCHES, so the program that is shipped has none of this.
// The environment variable LEASEHOLD_SWITCHES names those that are on: "move,no_settings". Each breaks a promise on
// purpose, but for `move`, which makes every lease another backend's.
#pragma once

#define LEASEHOLD_SWITCHES 1

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

namespace leasehold::switches {

[[nodiscard]] inline bool on(std::string_view name) {
    static const std::string all = [] {
        const char* value = std::getenv("LEASEHOLD_SWITCHES");
        return "," + std::string(value == nullptr ? "" : value) + ",";
    }();
    return all.find("," + std::string(name) + ",") != std::string::npos;
}

// The entry that each session was given last. A pool's entries belong to one thread.
template <class Entry>
std::map<std::uint64_t, const Entry*>& last_lease() {
    thread_local std::map<std::uint64_t, const Entry*> last;
    return last;
}

// One of the idle entries of the variant that was not the session's last time, chosen by the history of the pool alone,
// so that the same program meets the same backends again. Null: a new one has to be dialled, unless there is no place.
template <class Entries, class Wanted, class Skip>
auto another(const Entries& idle, const Wanted& wanted, bool has_place, Skip skip) -> typename Entries::value_type {
    using Pointer = typename Entries::value_type;
    Entries fitting;
    Pointer same = nullptr;
    std::uint64_t history = 0;
    const auto& last = last_lease<std::remove_pointer_t<Pointer>>();
    const auto mine = last.find(wanted.session);
    for (Pointer entry : idle) {
        if (entry->variant != wanted.variant || skip(*entry)) continue;
        history += entry->leases;
        if (mine != last.end() && mine->second == entry) {
            same = entry;
        } else {
            fitting.push_back(entry);
        }
    }
    if (fitting.empty()) return has_place ? nullptr : same;
    return fitting[(history * 2654435761u >> 7) % fitting.size()];
}

}  // namespace leasehold::switches
