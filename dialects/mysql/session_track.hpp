// SPDX-License-Identifier: Apache-2.0
// The server's session tracker: what backends are told to report, and reading the reports in the trailers of OK packets.
// "OK_Packet, Session State Information" of the manual. Which of them a client sees is not decided here.
#pragma once

#include "dialects/wire/cursor.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::mysql {

using wire::Bytes;

// The statement with which leasehold turns it on: after a login, and after each reset, which turns it off. Changes of user
// variables, temporary tables and the like are reported as such ("state"), without a name. Not with '*': MySQL then
// reports a number in every reply. `further`: variables that the session itself wants to be told of.
[[nodiscard]] std::string track_statement(bool mariadb, std::string_view further = {});
// The text of a SET that has session_track_system_variables among its variables (`literal`, as it was read), which now
// names leasehold's variables too: else the server is silent about what else the same SET changes. Nothing: the place is
// not certain, or it needs no change.
[[nodiscard]] std::optional<std::string> with_tracked(std::string_view sql, std::string_view literal, bool mariadb);
// Whether that statement asks for changes of this variable (lower case).
[[nodiscard]] bool is_tracked(std::string_view variable, bool mariadb) noexcept;

struct TrackedChange {
    enum class Kind : std::uint8_t {
        variable = 0,
        schema = 1,
        state = 2,
        gtids = 3,
        characteristics = 4,
        transaction = 5
    };
    Kind kind = Kind::variable;
    std::string_view name;   // of a variable; views are valid as long as the packet
    std::string_view value;  // of a variable, a schema
};

// The entries of one trailer, one after the other.
class Trailer {
  public:
    // `entries`: behind their length in the packet.
    explicit Trailer(Bytes entries) noexcept : rest_(entries) {}
    [[nodiscard]] bool next(TrackedChange& change) noexcept;
    [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
    [[nodiscard]] bool broken() const noexcept { return broken_; }

  private:
    Bytes rest_;
    bool broken_ = false;
};

}  // namespace leasehold::mysql
