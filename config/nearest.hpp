// SPDX-License-Identifier: Apache-2.0
// "Did you mean ...?": the known word nearest to one that is not known. Pure; no file or key is read here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::config {

// The nearest of `known` (edit distance, upper and lower case and - and _ being the same), or empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> known);
[[nodiscard]] std::string_view nearest(std::string_view word, const std::vector<std::string>& known);

// "did you mean pool_size?", or empty.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

// "one of a, b, c"
[[nodiscard]] std::string one_of(std::span<const std::string_view> known);

}  // namespace leasehold::config
