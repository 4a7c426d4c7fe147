// SPDX-License-Identifier: Apache-2.0
#include "config/secrets.hpp"

#include "config/findings.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>

namespace leasehold::config {
namespace {

constexpr std::size_t largest_secret = 64 * 1024;

std::optional<std::string> from_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Without the line's end that editors and `echo` leave.
std::optional<std::string> from_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return std::nullopt;
    std::string text(largest_secret + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || in.gcount() > static_cast<std::streamsize>(largest_secret)) return std::nullopt;
    if (in.gcount() == 0 && !in.eof()) return std::nullopt;  // a directory
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

std::optional<std::string> from_credential(const std::string& name) {
    const auto folder = from_environment("CREDENTIALS_DIRECTORY");
    if (!folder || name.find('/') != std::string::npos || name.starts_with('.')) return std::nullopt;
    return from_file(*folder + "/" + name);
}

bool fit_name(std::string_view name) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) return false;
    return std::ranges::all_of(name,
                               [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

}  // namespace

Secrets Secrets::system() { return {from_environment, from_file, from_credential}; }

Expanded expand(std::string_view text, const Secrets& secrets) {
    Expanded out;
    while (!text.empty()) {
        const std::size_t at = text.find("${");
        out.text += text.substr(0, at);
        if (at == std::string_view::npos) break;
        if (at > 0 && text[at - 1] == '$') {
            out.text += '{';  // of the two dollar signs the first is there already
            text.remove_prefix(at + 2);
            continue;
        }
        const std::size_t end = text.find('}', at);
        if (end == std::string_view::npos) {
            out.errors.emplace_back("${ without its }");
            break;
        }
        const std::string name(text.substr(at + 2, end - at - 2));
        if (!fit_name(name)) {
            out.errors.push_back("${" + printable(name) + "} is no name of an environment variable");
        } else if (auto value = secrets.environment ? secrets.environment(name) : std::nullopt) {
            out.text += *value;
        } else {
            out.errors.push_back("the environment variable " + name + " is not set");
        }
        out.secret = true;
        text.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace leasehold::config
