// SPDX-License-Identifier: Apache-2.0
#include "config/findings.hpp"

#include <algorithm>

namespace leasehold::config {

std::string Problem::render() const {
    std::string out = file;
    if (line > 0) out += ":" + std::to_string(line);
    out += ": ";
    if (severity == Severity::warning) out += "warning: ";
    if (!key.empty()) out += key + ": ";
    out += message;
    if (!suggestion.empty()) out += "; " + suggestion;
    return out;
}

void Findings::add(Problem::Severity severity, Place place, std::string key, std::string message,
                   std::string suggestion) {
    if (severity == Problem::Severity::error) failed_ = true;
    problems_.push_back(
        {severity, file_, place.line, place.column, std::move(key), std::move(message), std::move(suggestion)});
}

void Findings::error(Place place, std::string key, std::string message, std::string suggestion) {
    add(Problem::Severity::error, place, std::move(key), std::move(message), std::move(suggestion));
}

void Findings::warning(Place place, std::string key, std::string message, std::string suggestion) {
    add(Problem::Severity::warning, place, std::move(key), std::move(message), std::move(suggestion));
}

void Findings::error(const std::string& key, std::string message, std::string suggestion) {
    error(place(key), key, std::move(message), std::move(suggestion));
}

void Findings::warning(const std::string& key, std::string message, std::string suggestion) {
    warning(place(key), key, std::move(message), std::move(suggestion));
}

void Findings::seen(const std::string& key, Place place) { places_.emplace(key, place); }

bool Findings::has(const std::string& key) const { return places_.contains(key); }

Place Findings::place(std::string key) const {
    while (!key.empty()) {
        const auto found = places_.find(key);
        if (found != places_.end()) return found->second;
        const std::size_t end = key.find_last_of(".[");
        key.resize(end == std::string::npos ? 0 : end);
    }
    return {};
}

std::vector<Problem> Findings::take() {
    std::ranges::stable_sort(problems_, [](const Problem& a, const Problem& b) {
        return a.line != b.line ? a.line < b.line : a.column < b.column;
    });
    return std::move(problems_);
}

std::string printable(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::string out;
    for (const char c : text.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (text.size() > longest) out += "...";
    return out;
}

std::string shown(std::string_view text) { return "\"" + printable(text) + "\""; }

}  // namespace leasehold::config
