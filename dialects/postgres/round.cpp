// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/round.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using wire::Action;
using wire::errc;

// What is looked into; an error or tag that is longer is passed over.
constexpr std::uint32_t longest_read = 64 * 1024;
constexpr std::size_t max_changes = 1000;

[[nodiscard]] bool is_read(std::uint8_t type) noexcept {
    return type == backend::error || type == backend::parameter_status || type == backend::ready_for_query ||
           type == backend::command_complete;
}

}  // namespace

ReplyReader::Event ReplyReader::next(Bytes in, std::size_t& at) noexcept {
    Event event;
    if (body_left_ > 0) {
        const std::uint64_t step = std::min<std::uint64_t>(body_left_, in.size() - at);
        at += static_cast<std::size_t>(step);
        body_left_ -= step;
        if (body_left_ > 0) return event;
    }
    const Message message = first_message(in.subspan(at), Sender::server, Stage::session);
    if (message.kind == Message::Kind::unknown || message.kind == Message::Kind::oversized) {
        event.kind = Event::Kind::bad;
        event.why = message.kind;
        return event;
    }
    if (message.header.length == 0) return event;  // not even the header is there
    event.type = message.header.type;
    const bool other =
        rows_ && (message.header.type == backend::data_row || message.header.type == backend::notification);
    if ((other || is_read(message.header.type)) && message.header.length <= longest_read) {
        if (message.kind == Message::Kind::incomplete) return event;
        event.kind = Event::Kind::message;
        event.body = message.body;
        at += message.size();
        return event;
    }
    event.kind = Event::Kind::message;
    at += header_size;
    body_left_ = message.header.body();
    return event;
}

Action Round::resume(Bytes input, std::error_code ec) {
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    if (state_ == State::finished) return Action::done(0);
    if (state_ == State::start) {
        state_ = State::replying;
        query(out_, sql_);
        return Action::write(0, out_.bytes());
    }
    std::size_t at = 0;
    for (;;) {
        const ReplyReader::Event event = reader_.next(input, at);
        if (event.kind == ReplyReader::Event::Kind::more) return Action::read(at);
        const bool good = event.kind == ReplyReader::Event::Kind::message && on_message(event);
        if (!good) {
            state_ = State::finished;
            diagnostics_ = {"08P01", 0, "the server broke the protocol", false};
            return Action::done(at, event.kind == ReplyReader::Event::Kind::bad
                                        ? framing_error(event.why)
                                        : make_error_code(errc::protocol_violation));
        }
        if (status_ != 0) return conclude(at);
    }
}

bool Round::on_message(const ReplyReader::Event& event) {
    switch (event.type) {
        case backend::parameter_status: {
            const std::optional<Parameter> said = parse_parameter_status(event.body);
            if (!said || changes_.size() >= max_changes) return false;
            changes_.emplace_back(said->name, said->value);
            return true;
        }
        case backend::error: {
            failed_ = true;
            std::optional<ServerMessage> message = parse_server_message(event.body);
            if (message) {
                diagnostics_ = std::move(message->diagnostics);
            } else {
                diagnostics_ = {"XX000", 0, "the server answered with an error that is too long to read", true};
            }
            return true;
        }
        case backend::command_complete: {
            const std::optional<std::string_view> tag = parse_command_complete(event.body);
            if (!tag) return false;
            tag_ = *tag;
            return true;
        }
        case backend::ready_for_query: {
            const std::optional<char> status = parse_ready_for_query(event.body);
            if (!status) return false;
            status_ = *status;
            return true;
        }
        case backend::empty_query: empty_query_ = true; return true;
        // No statement of ours copies: the reply is somebody else's.
        case backend::copy_in:
        case backend::copy_out:
        case backend::copy_both: return false;
        default: return on_other(event.type, event.body);
    }
}

Action Round::conclude(std::size_t consumed) {
    state_ = State::finished;
    if (failed_) return Action::done(consumed, on_error_);
    return Action::done(consumed, judge());
}

std::error_code Round::must_be_idle() {
    if (status_ == 'I') return {};
    diagnostics_ = {"25001", 0, "the backend is in a transaction", false};
    return errc::protocol_violation;
}

}  // namespace leasehold::postgres
