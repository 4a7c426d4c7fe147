// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/ear.hpp"

#include "dialects/postgres/listening.hpp"
#include "dialects/wire/cursor.hpp"

#include <charconv>

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::string statements(std::string_view verb, const std::vector<std::string>& channels) {
    std::string sql;
    for (const std::string& channel : channels) sql += about_channel(verb, channel) += ';';
    return sql;
}

}  // namespace

bool read_mark(wire::Announcement& said) {
    const std::size_t blank = said.payload.find(' ');
    if (blank == std::string::npos) return false;
    const char* const end = said.payload.data() + blank;
    const auto read = std::from_chars(said.payload.data(), end, said.session);
    if (read.ec != std::errc() || read.ptr != end || said.session == 0) return false;
    said.payload.erase(0, blank + 1);
    return true;
}

Ear::Ear(std::string mark_channel) : mark_channel_(std::move(mark_channel)) {
    if (mark_channel_.empty()) mark_channel_ = "leasehold_" + new_nonce();
}

void Ear::listen(const std::vector<std::string>& channels, wire::Outbox& to_server) {
    query(to_server.own(), statements("LISTEN", channels));
    ++asked_;
}

void Ear::unlisten(const std::vector<std::string>& channels, wire::Outbox& to_server) {
    query(to_server.own(), statements("UNLISTEN", channels));
    ++asked_;
}

// A server says what has come before it answers, whatever it is asked.
void Ear::probe(wire::Outbox& to_server) {
    query(to_server.own(), "");
    ++asked_;
}

wire::Ear::Event Ear::next(wire::Inbox& from_server) {
    for (;;) {
        const wire::Bytes in = from_server.bytes();
        std::size_t at = 0;
        const ReplyReader::Event message = reader_.next(in, at);
        if (message.kind == ReplyReader::Event::Kind::bad) {
            return {Event::Kind::broken, {}, {"08P01", 0, "the server broke the protocol", false}};
        }
        Event event;
        if (message.kind == ReplyReader::Event::Kind::message) event = on_message(message);
        from_server.consume(at);
        if (message.kind == ReplyReader::Event::Kind::more || event.kind != Event::Kind::more) return event;
    }
}

wire::Ear::Event Ear::on_message(const ReplyReader::Event& message) {
    switch (message.type) {
        case backend::notification: {
            wire::Cursor cursor(message.body);
            auto said = std::make_shared<wire::Announcement>();
            said->from = cursor.u32be();
            said->channel = cursor.cstring();
            said->payload = cursor.cstring();
            if (!cursor.ok()) return {Event::Kind::broken, {}, {"08P01", 0, "the server broke the protocol", false}};
            if (said->channel == mark_channel_ && !read_mark(*said)) return {};
            return {Event::Kind::heard, std::move(said), {}};
        }
        case backend::error: {
            std::optional<ServerMessage> said = parse_server_message(message.body);
            error_ = said ? std::move(said->diagnostics) : wire::Diagnostics{"XX000", 0, "an unreadable error", true};
            failed_ = true;
            if (!said || said->severity < Severity::fatal) return {};
            return {Event::Kind::broken, {}, std::move(error_)};
        }
        case backend::ready_for_query: {
            if (asked_ == 0) return {Event::Kind::broken, {}, {"08P01", 0, "the server broke the protocol", false}};
            --asked_;
            if (!std::exchange(failed_, false)) return {Event::Kind::answered, {}, {}};
            return {Event::Kind::refused, {}, std::move(error_)};
        }
        default: return {};
    }
}

}  // namespace leasehold::postgres
