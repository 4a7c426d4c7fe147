// SPDX-License-Identifier: Apache-2.0
// The command line as data: what the parser knows of itself, for the manual page, the reference and the shells'
// completion. Read from the parser, never written by hand.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::cmd {

struct Usage {
    struct Option {
        std::vector<std::string> names;  // "-c", "--config"
        std::string value;               // "FILE", "TABLE", "bash|zsh|fish"; empty: a flag
        bool value_optional = false;
        std::string fallback;
        std::string about;
    };
    struct Argument {
        std::string value;  // as for options
        bool required = false;
        std::string about;
    };

    std::string name;
    std::string about;
    std::vector<Option> options;
    std::vector<Argument> arguments;
    std::vector<Usage> commands;
};

// What no parser knows: a row of the manual page's other sections.
struct Remark {
    std::string_view name;
    std::string_view about;
};
[[nodiscard]] std::span<const Remark> exit_codes();
[[nodiscard]] std::span<const Remark> signals();      // of the daemon
[[nodiscard]] std::span<const Remark> environment();  // variables
[[nodiscard]] std::span<const Remark> files();

}  // namespace leasehold::cmd
