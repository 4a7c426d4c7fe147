// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/reference/text.hpp"

#include "config/units.hpp"

#include <cctype>
#include <limits>
#include <utility>

namespace leasehold::cmd {
namespace {

using config::Key;

void add_sections(config::Part part, const std::string& path, const Key* key, std::vector<Section>& out) {
    out.push_back({part, path, key});
    for (const Key& inner : config::keys(part)) {
        if (inner.holds == Key::Holds::value) continue;
        std::string name = path.empty() ? "" : path + ".";
        name += inner.name;
        if (inner.holds == Key::Holds::list) name += "[]";
        if (inner.holds == Key::Holds::named) name += ".NAME";
        add_sections(inner.inner, name, &inner, out);
    }
}

std::string bytes(std::int64_t number) {
    constexpr std::int64_t kib = 1024;
    if (number == 0 || number % kib != 0) return std::to_string(number) + "B";
    if (number % (kib * kib * kib) == 0) return std::to_string(number / (kib * kib * kib)) + "GiB";
    if (number % (kib * kib) == 0) return std::to_string(number / (kib * kib)) + "MiB";
    return std::to_string(number / kib) + "KiB";
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
    std::vector<std::string> out;
    std::string line;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
        if (word.empty()) continue;
        if (!line.empty() && line.size() + 1 + word.size() > width) out.push_back(std::exchange(line, {}));
        if (!line.empty()) line += ' ';
        line += word;
    }
    if (!line.empty()) out.push_back(std::move(line));
    return out;
}

std::string sentence(std::string_view remark) {
    std::string out(remark);
    if (out.empty()) return out;
    out.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(out.front())));
    if (!out.ends_with('.')) out += '.';
    return out;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

std::vector<Section> sections() {
    std::vector<Section> out;
    add_sections(config::Part::top, "", nullptr, out);
    return out;
}

std::string range(const Key& key) {
    const bool open = key.most == std::numeric_limits<std::int64_t>::max();
    if (key.type.starts_with("duration")) {
        return key.least > 0 ? "longer than 0" : "";
    }
    if (key.type == "size") return bytes(key.least) + " to " + bytes(key.most);
    if (key.type.find("count") == std::string_view::npos) return {};
    return open ? "at least " + std::to_string(key.least)
                : std::to_string(key.least) + " to " + std::to_string(key.most);
}

}  // namespace leasehold::cmd
