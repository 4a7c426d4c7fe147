// SPDX-License-Identifier: Apache-2.0
// Which keys a URL's query may hold, by dialect, and which values they may have. Private to this folder.
#pragma once

#include "config/url.hpp"

namespace leasehold::config {

// Spelling variants of a key (ssl-mode, sslMode) become one.
[[nodiscard]] std::string canonical_option(std::string_view family, std::string_view key);

// The known keys of a dialect family, host and port included.
[[nodiscard]] std::vector<std::string_view> known_options(std::string_view family);

// What to say of a key that only the other family's URLs have; nothing of others.
[[nodiscard]] std::optional<UrlProblem> foreign_option(std::string_view family, std::string_view key);

// What is wrong with a value of a known key; nothing if it is right. Values are never repeated in the message unless
// they are words of a closed list.
[[nodiscard]] std::optional<UrlProblem> check_option(std::string_view family, std::string_view key,
                                                     std::string_view value);

// What is wrong with the options of a whole URL together: a promise of encryption that could not be kept.
[[nodiscard]] std::vector<UrlProblem> check_together(const Url& url);

[[nodiscard]] std::optional<TlsMode> tls_mode_of(std::string_view value) noexcept;
// By ssl_mode, or by what MySQL's drivers say instead.
[[nodiscard]] std::optional<TlsMode> mysql_tls_mode(const Url& url) noexcept;

}  // namespace leasehold::config
