// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/drain.hpp"

namespace leasehold::mysql {

using wire::Action;
using wire::errc;

Action Drain::resume(Bytes input, std::error_code ec) {
    if (ec || finished_) {
        finished_ = true;
        return Action::done(0, ec);
    }
    std::size_t at = 0;
    const auto end = [this, &at](errc error, std::string_view message) {
        finished_ = true;
        diagnostics_.message = message;
        return Action::done(at, make_error_code(error));
    };
    while (!lease_.due.empty()) {
        Reply& reply = lease_.reply;
        if (!reply.active()) reply.start(lease_.due.front().shape, lease_.deprecate_eof());
        reply.stop_at(Reply::Stops::nowhere);
        switch (reply.advance(input, at)) {
            case Reply::Event::packet:
            case Reply::Event::more: return Action::read(at);
            case Reply::Event::infile: return end(errc::unsupported, "the server waits for a file");
            case Reply::Event::farewell: return end(errc::server_unready, "the server ends the connection");
            case Reply::Event::bad: return end(errc::protocol_violation, "the server's reply is not the protocol's");
            case Reply::Event::complete: break;
        }
        // After an error the transaction may be open whatever was said before.
        if (reply.has_status()) lease_.status = reply.status();
        if (reply.failed()) lease_.status |= status::in_transaction;
        lease_.due.pop_front();
    }
    finished_ = true;
    return Action::done(at);
}

}  // namespace leasehold::mysql
