// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/round.hpp"

namespace leasehold::mysql {
namespace {

using wire::Action;
using wire::errc;

}  // namespace

Round& Round::command(Command command, std::string_view argument, bool keep_first_row) {
    write_command(out_, command, argument);
    asked_.push_back({command == Command::set_option ? Shape::simple : Shape::query, keep_first_row});
    return *this;
}

Action Round::fail(std::error_code error, std::string_view message) {
    finished_ = true;
    diagnostics_.clear();
    diagnostics_.message = message;
    return Action::done(0, error);
}

Action Round::resume(Bytes input, std::error_code ec) {
    if (ec) {
        finished_ = true;
        return Action::done(0, ec);
    }
    if (finished_) return Action::done(0);
    if (!started_) {
        started_ = true;
        return Action::write(0, out_.bytes());
    }
    std::size_t at = 0;
    while (answered_ < asked_.size()) {
        if (!reply_.active()) reply_.start(asked_[answered_].shape, deprecate_eof_, asked_[answered_].keeps, true);
        const Reply::Event event = reply_.advance(input, at);
        if (event == Reply::Event::more) return Action::read(at);
        if (event == Reply::Event::farewell) {
            finished_ = true;
            return Action::done(at, make_error_code(errc::server_unready));
        }
        if (event != Reply::Event::complete)
            return fail(errc::protocol_violation, "the server's reply is not the protocol's");
        if (reply_.has_status()) status_ = reply_.status();
        if (reply_.failed() && failed_at_ == SIZE_MAX) {
            failed_at_ = answered_;
            diagnostics_ = parse_error(wire::as_bytes(reply_.error_packet()));
        }
        if (asked_[answered_].keeps) first_field_ = reply_.first_field();
        ++answered_;
    }
    finished_ = true;
    if (failed_at_ != SIZE_MAX) return Action::done(at, make_error_code(errc::server_error));
    return Action::done(at);
}

}  // namespace leasehold::mysql
