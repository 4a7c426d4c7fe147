// SPDX-License-Identifier: Apache-2.0
// ${ENV} in the file's values. Private to this folder; where secrets come from is Secrets (load.hpp).
#pragma once

#include "config/load.hpp"

namespace leasehold::config {

struct Expanded {
    std::string text;
    bool secret = false;              // something was put in: the text is not shown to anybody
    std::vector<std::string> errors;  // all of them; they name the variable, never a value
};

// Puts in what the environment has for every ${NAME}; `$${` stands for a literal `${`.
[[nodiscard]] Expanded expand(std::string_view text, const Secrets& secrets);

}  // namespace leasehold::config
