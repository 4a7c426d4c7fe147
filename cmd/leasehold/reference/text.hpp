// SPDX-License-Identifier: Apache-2.0
// Pieces of text that several kinds of the reference are made of.
#pragma once

#include "config/keys.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace leasehold::cmd {

// Lines of at most `width` bytes, broken at spaces; a longer word has a line of its own.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);

// "Threads that serve sessions.": a remark as a sentence.
[[nodiscard]] std::string sentence(std::string_view remark);

[[nodiscard]] std::string replaced(std::string text, std::string_view from, std::string_view to);

// A part of the file, where it stands ("pools.NAME", "listen[].tls") and the key that holds it.
struct Section {
    config::Part part;
    std::string path;
    const config::Key* key;  // null: the file itself
};
[[nodiscard]] std::vector<Section> sections();  // in the file's order, a part before those within it

// "0 to 1000000", "at least 1ms"; empty where everything goes.
[[nodiscard]] std::string range(const config::Key& key);

}  // namespace leasehold::cmd
