// SPDX-License-Identifier: Apache-2.0
// Which of a URL's servers will do: the role that it asks for, by what servers say of read_only. In which order they are
// tried is wire/hosts' business. No I/O here.
#pragma once

#include <cstdint>
#include <string_view>

namespace leasehold::mysql {

enum class Role : std::uint8_t { any, primary, replica };
[[nodiscard]] Role role_of(std::string_view word) noexcept;  // any, when it is no such word

// `read_only`: the server's global variable, as SELECT @@ returns it.
[[nodiscard]] bool fits_role(Role wanted, std::string_view read_only) noexcept;
// "the server is read-only": why it does not fit.
[[nodiscard]] std::string_view unfit_because(Role wanted) noexcept;

}  // namespace leasehold::mysql
