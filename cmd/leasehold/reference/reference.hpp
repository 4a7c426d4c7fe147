// SPDX-License-Identifier: Apache-2.0
// What leasehold knows of itself (keys, commands, console, metrics), printed for people and for programs. Every text is
// made from the tables that the daemon works with, so that it cannot say anything else.
#pragma once

#include "cmd/leasehold/usage.hpp"

#include <string>

namespace leasehold::cmd {

[[nodiscard]] std::string reference_markdown(const Usage& program);  // docs/reference.md
[[nodiscard]] std::string reference_schema();                        // docs/leasehold.schema.json, JSON schema draft-07
[[nodiscard]] std::string reference_example();                       // systemd/leasehold.yaml
[[nodiscard]] std::string reference_program_manual(const Usage& program);  // leasehold(1)
[[nodiscard]] std::string reference_file_manual();                         // leasehold.yaml(5)

}  // namespace leasehold::cmd
