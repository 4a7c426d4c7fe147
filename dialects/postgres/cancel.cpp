// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/cancel.hpp"

namespace leasehold::postgres {

using wire::Action;
using wire::errc;

Action Cancel::resume(Bytes input, std::error_code ec) {
    if (state_ == State::finished) return Action::done(0);
    if (ec) {
        state_ = State::finished;
        // The end of the stream, once the request was sent, is the answer.
        return ec == errc::closed && sent_ ? Action::done(input.size()) : Action::done(0, ec);
    }
    if (state_ == State::start) {
        state_ = State::written;
        cancel_request(out_, pid_, secret_);
        return Action::write(0, out_.bytes());
    }
    sent_ = true;
    if (!input.empty()) {
        state_ = State::finished;
        diagnostics_ = {"08P01", 0, "the server answered a cancel request", false};
        return Action::done(input.size(), errc::protocol_violation);
    }
    return Action::read(0);
}

}  // namespace leasehold::postgres
