// SPDX-License-Identifier: Apache-2.0
// What servers said of themselves, kept over a restart: one file in the service's state directory, so that clients who are
// greeted before any server has answered are greeted with the truth. Text and file only; who needs it is greetings' business.
#pragma once

#include "dialects/dialect.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::daemon {

// By the server's name: "mysql db1:3306,db2:3306".
using ServerFactsByName = std::map<std::string, dialects::Facts>;

[[nodiscard]] std::string render_facts(const ServerFactsByName& facts);
// Nothing when the text is not whole, or not ours.
[[nodiscard]] std::optional<ServerFactsByName> parse_facts(std::string_view text);

struct FactsRead {
    ServerFactsByName facts;
    std::string problem;  // why the file is left alone; empty when there is none
};
[[nodiscard]] FactsRead read_facts(const std::string& path);
// The old file or the new one, never half of one. Empty, or what went wrong.
[[nodiscard]] std::string write_facts(const std::string& path, const std::string& text);

// The servers of a URL under the name that they have here.
[[nodiscard]] std::string server_name(const config::Url& url);

// $STATE_DIRECTORY/servers; empty without such a directory.
[[nodiscard]] std::string facts_path();

}  // namespace leasehold::daemon
