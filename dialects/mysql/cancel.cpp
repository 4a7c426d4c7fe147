// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/cancel.hpp"

namespace leasehold::mysql {
namespace {

using wire::Action;

// ER_NO_SUCH_THREAD: the connection is gone, and its statement with it.
constexpr int no_such_thread = 1094;

ServerLoginParams bare(ServerLoginParams login) {
    login.capabilities = 0;
    login.database.clear();
    login.compression = Compression::none;
    return login;
}

}  // namespace

Cancel::Cancel(ServerLoginParams login, std::uint32_t connection) : login_(bare(std::move(login))), kill_(false) {
    kill_.command(Command::query, "KILL QUERY " + std::to_string(connection));
    write_command(out_, Command::quit);
}

Action Cancel::resume(Bytes input, std::error_code ec) {
    std::size_t consumed = 0;
    if (state_ == State::login) {
        const Action action = login_.resume(input, ec);
        if (action.kind != Action::Kind::done) return action;
        if (action.error) {
            diagnostics_ = login_.diagnostics();
            state_ = State::finished;
            return action;
        }
        state_ = State::kill;
        consumed = action.consumed;
        input = input.subspan(consumed);
    }
    if (state_ == State::kill) {
        Action action = kill_.resume(input, ec);
        action.consumed += consumed;
        if (action.kind != Action::Kind::done) return action;
        if (action.error && kill_.diagnostics().number != no_such_thread) {
            diagnostics_ = kill_.diagnostics();
            state_ = State::finished;
            return action;
        }
        state_ = State::goodbye;
        return Action::write(action.consumed, out_.bytes());
    }
    state_ = State::finished;
    return Action::done(0, ec);
}

}  // namespace leasehold::mysql
