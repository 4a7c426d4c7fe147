// SPDX-License-Identifier: Apache-2.0
// One greeting that is true of several servers: what a client is told before it is known which of them will serve it.
#pragma once

#include "dialects/mysql/messages.hpp"

#include <span>

namespace leasehold::mysql {

// The lowest version, as its server sends it, and its character set, which later ones know too; the capabilities that
// all have. Servers of another family than the first one's are left out: no greeting is true of both. Empty: none.
[[nodiscard]] std::optional<Greeting> common_greeting(std::span<const Greeting> servers);

// Whether `a` is an older version than `b`: "8.0.36" than "8.4.0-commercial", "5.5.5-10.6.1-MariaDB" than "11.4.2-MariaDB".
[[nodiscard]] bool older(std::string_view a, std::string_view b) noexcept;

// "MariaDB" or "MySQL", by the version that a server greets with.
[[nodiscard]] std::string_view family_of(std::string_view version) noexcept;

}  // namespace leasehold::mysql
