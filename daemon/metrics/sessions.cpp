// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/sessions.hpp"

#include "daemon/metrics/catalog.hpp"

namespace leasehold::daemon::metrics {
namespace {

constexpr std::string_view other = "other";
constexpr std::array ends{std::string_view("closed"),          std::string_view("client_gone"),
                          std::string_view("protocol_error"),  std::string_view("stopped"),
                          std::string_view("lease_lost"),      std::string_view("refused"),
                          std::string_view("logged_in_again"), other};
// What leasehold's own errors belong to, in either dialect; see the dialects' errors.
constexpr std::array classes{std::string_view("08"), std::string_view("0A"), std::string_view("22"),
                             std::string_view("25"), std::string_view("26"), std::string_view("28"),
                             std::string_view("34"), std::string_view("3D"), std::string_view("40"),
                             std::string_view("42"), std::string_view("53"), std::string_view("54"),
                             std::string_view("55"), std::string_view("57"), std::string_view("70"),
                             std::string_view("HY"), std::string_view("XX"), other};
constexpr std::array losses{std::string_view("backend_lost"),
                            std::string_view("transaction_idle_timeout"),
                            std::string_view("transaction_timeout"),
                            std::string_view("pin_idle_timeout"),
                            std::string_view("killed"),
                            other};

template <class Words>
auto series(Registry& registry, std::string_view name, std::string_view label, const Words& words) {
    std::vector<std::pair<std::string_view, Counter>> result;
    for (const std::string_view word : words) {
        Labels labels{{std::string(label), std::string(word)}};
        result.emplace_back(word, registry.counter(name, find_metric(name)->help, std::move(labels)));
    }
    return result;
}

}  // namespace

Sessions::Sessions(Registry& registry)
    : ends_(series(registry, names::client_ends, "reason", ends)),
      classes_(series(registry, names::client_errors, "class", classes)),
      losses_(series(registry, names::leases_lost, "kind", losses)) {}

void Sessions::ended(int worker, std::string_view reason) const noexcept { count(ends_, worker, reason); }

void Sessions::told(int worker, std::string_view sqlstate) const noexcept {
    count(classes_, worker, sqlstate.substr(0, 2));
}

void Sessions::lost(int worker, std::string_view kind) const noexcept { count(losses_, worker, kind); }

void Sessions::count(const Series& series, int worker, std::string_view word) noexcept {
    for (const auto& [known, counter] : series) {
        if (known == word || known == other) return counter.add(worker);
    }
}

}  // namespace leasehold::daemon::metrics
