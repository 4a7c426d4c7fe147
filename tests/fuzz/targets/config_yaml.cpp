// SPDX-License-Identifier: Apache-2.0
// A configuration file's text: a configuration or errors, each with its place; secrets are looked up, never shown.
#include "config/load.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

constexpr std::string_view secret = "hunter2hunter2";

const Registered registered("config_yaml", [](Bytes data) {
    const std::string text(wire::as_text(data));
    const auto answer = [](const std::string& name) -> std::optional<std::string> {
        return name.empty() ? std::nullopt : std::optional<std::string>(secret);
    };
    const config::Loaded loaded = config::load_text(text, "fuzz.yaml", {answer, answer, answer});
    const int lines =
        static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }));
    std::size_t errors = 0;
    for (const config::Problem& problem : loaded.problems) {
        if (problem.severity == config::Problem::Severity::error) ++errors;
        require(problem.line >= 0 && problem.line <= lines + 2, "a problem is where there is a line");
        if (problem.render().find(secret) != std::string::npos && text.find("hunter") == text.npos) {
            violated("a secret is not shown", problem.render());
        }
    }
    require(loaded.config.has_value() == (errors == 0), "a configuration or errors");
});

}  // namespace
}  // namespace leasehold::fuzz
