// SPDX-License-Identifier: Apache-2.0
// How long a message may be, by its type, its sender and the stage of the connection, and cutting whole messages off
// the input of an exchange. A live session's messages are streamed by the tracker, which only asks acceptable().
#pragma once

#include "dialects/postgres/messages.hpp"

namespace leasehold::postgres {

enum class Sender : std::uint8_t { client, server };
// login: until the first ReadyForQuery. session: after it.
enum class Stage : std::uint8_t { login, session };

// The greatest length (as in Header::length) of such a message; 0: no such message there.
[[nodiscard]] std::uint32_t max_length(Sender sender, Stage stage, std::uint8_t type) noexcept;
[[nodiscard]] bool acceptable(const Header& header, Sender sender, Stage stage) noexcept;

struct Message {
    enum class Kind : std::uint8_t {
        incomplete,  // more bytes are needed
        whole,       // `body` is all there
        unknown,     // no such message there, or a length below 4
        oversized,   // longer than such a message may be
    };
    Kind kind = Kind::incomplete;
    Header header{};
    Bytes body{};  // into the input

    [[nodiscard]] std::size_t size() const noexcept { return header.size(); }
};

// The first message of `in`. Never waits for the body of a message that is not acceptable.
[[nodiscard]] Message first_message(Bytes in, Sender sender, Stage stage) noexcept;

// The error that an exchange ends with for `unknown` or `oversized`.
[[nodiscard]] std::error_code framing_error(Message::Kind kind) noexcept;

}  // namespace leasehold::postgres
