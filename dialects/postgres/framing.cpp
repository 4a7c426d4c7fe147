// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/framing.hpp"

namespace leasehold::postgres {
namespace {

// PostgreSQL's own limits: MaxAllocSize for what carries data, 10 000 bytes for what does not.
constexpr std::uint32_t large = 0x3FFFFFFF;
constexpr std::uint32_t small = 10'000;
// Texts and lists that may grow with their subject, but not with data: a long search_path, 65535 parameter types.
constexpr std::uint32_t medium = 1u << 20;
// At login nothing is larger than an authentication token.
constexpr std::uint32_t login_limit = 65'535;

[[nodiscard]] std::uint32_t from_client(std::uint8_t type) noexcept {
    switch (type) {
        case frontend::query:
        case frontend::parse:
        case frontend::bind:
        case frontend::function_call:
        case frontend::copy_data: return large;
        case frontend::copy_fail: return medium;
        case frontend::close:
        case frontend::copy_done:
        case frontend::describe:
        case frontend::execute:
        case frontend::flush:
        case frontend::sync:
        case frontend::terminate: return small;
        default: return 0;
    }
}

[[nodiscard]] std::uint32_t from_server(std::uint8_t type) noexcept {
    switch (type) {
        case backend::data_row:
        case backend::copy_data:
        case backend::row_description:
        case backend::function_result:
        case backend::error:
        case backend::notice:
        case backend::notification: return large;
        case backend::parameter_description:
        case backend::parameter_status: return medium;
        case backend::bind_complete:
        case backend::close_complete:
        case backend::command_complete:
        case backend::copy_both:
        case backend::copy_done:
        case backend::copy_in:
        case backend::copy_out:
        case backend::empty_query:
        case backend::no_data:
        case backend::parse_complete:
        case backend::portal_suspended:
        case backend::ready_for_query: return small;
        default: return 0;
    }
}

[[nodiscard]] std::uint32_t from_server_at_login(std::uint8_t type) noexcept {
    switch (type) {
        case backend::authentication:
        case backend::backend_key_data:
        case backend::error:
        case backend::negotiate_version:
        case backend::notice:
        case backend::parameter_status: return login_limit;
        case backend::ready_for_query: return small;
        default: return 0;
    }
}

}  // namespace

std::uint32_t max_length(Sender sender, Stage stage, std::uint8_t type) noexcept {
    if (stage == Stage::session) return sender == Sender::client ? from_client(type) : from_server(type);
    if (sender == Sender::server) return from_server_at_login(type);
    if (type == frontend::password) return login_limit;
    return type == frontend::terminate ? small : 0;
}

bool acceptable(const Header& header, Sender sender, Stage stage) noexcept {
    return header.length >= 4 && header.length <= max_length(sender, stage, header.type);
}

Message first_message(Bytes in, Sender sender, Stage stage) noexcept {
    Message message;
    // A wrong type is known before its length is.
    if (!in.empty() && max_length(sender, stage, in[0]) == 0) {
        message.kind = Message::Kind::unknown;
        return message;
    }
    const std::optional<Header> header = peek(in);
    if (!header) return message;
    message.header = *header;
    if (header->length < 4) {
        message.kind = Message::Kind::unknown;
    } else if (!acceptable(*header, sender, stage)) {
        message.kind = Message::Kind::oversized;
    } else if (in.size() >= header->size()) {
        message.kind = Message::Kind::whole;
        message.body = in.subspan(header_size, header->body());
    }
    return message;
}

std::error_code framing_error(Message::Kind kind) noexcept {
    return kind == Message::Kind::oversized ? make_error_code(wire::errc::message_too_large)
                                            : make_error_code(wire::errc::protocol_violation);
}

}  // namespace leasehold::postgres
