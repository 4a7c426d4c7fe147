// SPDX-License-Identifier: Apache-2.0
#include "config/pending.hpp"

#include <array>
#include <span>

namespace leasehold::config {
namespace {

// One row a kind. `uses`: does this element ask for what is not there yet?
template <class T>
struct Row {
    std::string_view key;  // within the element
    bool (*uses)(const T&);
    std::string_view message;
};

constexpr std::array pool_rows{
    Row<Pool>{"soft_hold", [](const Pool& p) { return p.soft_hold.count() > 0; },
              "holding softly comes with a later version"},
};

// The first element that uses it is named, the others are counted. A default that the file does not name is no use.
template <class T, class KeyOf>
void report(const Row<T>& row, std::span<const T> elements, KeyOf key_of, Findings& findings) {
    std::string first;
    std::size_t more = 0;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        std::string key = key_of(i);
        if (!row.key.empty()) key += (key.empty() ? "" : ".") + std::string(row.key);
        if (!findings.has(key) || !row.uses(elements[i])) continue;
        if (first.empty()) {
            first = key;
        } else {
            ++more;
        }
    }
    if (first.empty()) return;
    std::string message(row.message);
    if (more > 0) message += " (and " + std::to_string(more) + " more like it)";
    findings.warning(first, std::move(message));
}

}  // namespace

void report_pending(const Config& config, Findings& findings) {
    for (const auto& row : pool_rows) {
        report(
            row, std::span(config.pools), [&](std::size_t i) { return "pools." + printable(config.pools[i].name); },
            findings);
    }
}

}  // namespace leasehold::config
