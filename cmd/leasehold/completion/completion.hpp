// SPDX-License-Identifier: Apache-2.0
// Scripts that let a shell complete leasehold's commands. Made from the parser's own description; names of tables and
// pools are asked of the running daemon when they are wanted.
#pragma once

#include "cmd/leasehold/usage.hpp"

#include <string>

namespace leasehold::cmd {

[[nodiscard]] std::string bash_completion(const Usage& program);
[[nodiscard]] std::string zsh_completion(const Usage& program);
[[nodiscard]] std::string fish_completion(const Usage& program);

// What a value is, by the word that stands for it in the help.
enum class ValueKind : unsigned char { nothing, words, file, tables, pools, commands };
[[nodiscard]] ValueKind kind_of(const std::string& value);
// "a|b" as "a b"; with `commands` the program's.
[[nodiscard]] std::string words_of(const std::string& value, const Usage& program);

}  // namespace leasehold::cmd
