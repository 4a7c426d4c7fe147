// SPDX-License-Identifier: Apache-2.0
// Loads texts with secrets that tests choose, and shows the problems as the command line does.
#pragma once

#include "config/load.hpp"

#include <gtest/gtest.h>

#include <map>

namespace leasehold::config {

inline Secrets fake_secrets(std::map<std::string, std::string> values = {}) {
    const auto look_up = [values](const std::string& prefix) {
        return [values, prefix](const std::string& name) -> std::optional<std::string> {
            const auto found = values.find(prefix + name);
            return found == values.end() ? std::nullopt : std::optional(found->second);
        };
    };
    return {look_up("$"), look_up("file:"), look_up("credential:")};
}

inline Loaded load(const std::string& text, std::map<std::string, std::string> secrets = {}) {
    return load_text(text, "f.yaml", fake_secrets(std::move(secrets)));
}

inline std::string rendered(const Loaded& loaded) {
    std::string out;
    for (const Problem& problem : loaded.problems) out += problem.render() + "\n";
    return out;
}

// A file with one listener and one pool; `pool` is put below `    url:`, `rest` at the end.
inline std::string with(const std::string& pool, const std::string& rest = {}) {
    return "listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  orders:\n"
           "    url: postgresql://app:pw@db:5432/orders\n" +
           (pool.empty() ? "" : "    " + pool + "\n") + rest;
}
inline constexpr int line_of_pool_option = 6;

// The single problem of that pool option or of the rest, or all of what was found instead.
inline std::string only_problem(const Loaded& loaded) {
    return loaded.problems.size() == 1 ? loaded.problems.front().render() : "not one problem but:\n" + rendered(loaded);
}

}  // namespace leasehold::config
