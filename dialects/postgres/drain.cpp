// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/drain.hpp"

#include "dialects/postgres/messages.hpp"
#include "dialects/postgres/prepared.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using wire::Action;
using wire::errc;
using Request = Unfinished::Request;

// Beyond it later ones are forgotten; settings are reset after a drain anyway.
constexpr std::size_t max_changes = 1000;

}  // namespace

Drain::Drain(Unfinished unfinished) : unfinished_(std::move(unfinished)), reader_(unfinished_.body_left) {}

Action Drain::resume(Bytes input, std::error_code ec) {
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    if (state_ == State::finished) return Action::done(0);
    if (state_ == State::start) {
        state_ = State::reading;
        std::vector<Request>& requests = unfinished_.requests;
        if (unfinished_.copy_in) {
            // A Sync sent before the COPY's end is swallowed by it; the one sent here takes its place.
            const bool simple = !requests.empty() && requests.front() == Request::simple;
            if (requests.size() > 1 || (simple && unfinished_.without_sync)) {
                return fail(errc::unsupported, "requests wait behind an open COPY", 0);
            }
            if (requests.empty()) requests.push_back(Request::extended);
            fail_copy(requests.front());
        } else if (unfinished_.without_sync) {
            // A Sync commits what was executed, and nobody asked for that: an error in front of it undoes it.
            bind_message(out_, "", BackendName(0).view());
            undone_ = true;
            sync(out_);
            requests.push_back(Request::extended);
        }
        if (!out_.empty()) return Action::write(0, out_.bytes());
    }
    std::size_t at = 0;
    while (answered_ < unfinished_.requests.size()) {
        const ReplyReader::Event event = reader_.next(input, at);
        if (event.kind == ReplyReader::Event::Kind::more) return Action::read(at);
        if (event.kind == ReplyReader::Event::Kind::bad) {
            return fail(framing_error(event.why), "the server broke the protocol", at);
        }
        if (auto action = on_message(event, at)) return *action;
    }
    state_ = State::finished;
    return Action::done(at);
}

std::optional<Action> Drain::on_message(const ReplyReader::Event& event, std::size_t at) {
    switch (event.type) {
        case backend::parameter_status:
            if (const std::optional<Parameter> said = parse_parameter_status(event.body)) {
                if (changes_.size() < max_changes) changes_.emplace_back(said->name, said->value);
            }
            return std::nullopt;
        case backend::error:
            // Kept for the record: a FATAL explains why the stream ends.
            if (std::optional<ServerMessage> message = parse_server_message(event.body)) {
                diagnostics_ = std::move(message->diagnostics);
            }
            if (unfinished_.in_front > 0) skip_to_sync();
            return std::nullopt;
        case backend::command_complete:
            if (unfinished_.in_front > 0) --unfinished_.in_front;
            return std::nullopt;
        case backend::ready_for_query: {
            const std::optional<char> status = parse_ready_for_query(event.body);
            if (!status) return fail(errc::protocol_violation, "the server broke the protocol", at);
            status_ = *status;
            ++answered_;
            return std::nullopt;
        }
        case backend::copy_in: return on_copy_in(at);
        case backend::copy_both: return fail(errc::unsupported, "a replication stream is open", at);
        default: return std::nullopt;
    }
}

std::optional<Action> Drain::on_copy_in(std::size_t at) {
    const std::vector<Request>& requests = unfinished_.requests;
    if (requests.size() - answered_ > 1) return fail(errc::unsupported, "requests wait behind an open COPY", at);
    if (undone_) return std::nullopt;  // what was sent for that breaks the copy off too
    out_.clear();
    fail_copy(requests[answered_]);
    return Action::write(at, out_.bytes());
}

// Requests in front of the next Sync are not answered.
void Drain::skip_to_sync() {
    std::vector<Request>& requests = unfinished_.requests;
    requests.erase(requests.begin(), std::ranges::find(requests, Request::extended));
    unfinished_.in_front = 0;
}

void Drain::fail_copy(Request request) {
    copy_fail(out_, "the session ended");
    if (request == Request::extended) sync(out_);
}

Action Drain::fail(std::error_code error, std::string_view message, std::size_t at) {
    state_ = State::finished;
    diagnostics_ = {"08P01", 0, std::string(message), false};
    return Action::done(at, error);
}

}  // namespace leasehold::postgres
