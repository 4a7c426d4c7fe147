// SPDX-License-Identifier: Apache-2.0
// Our own login to a server: the second half of handshake.hpp.
#include "dialects/postgres/handshake.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using wire::Action;
using wire::errc;

// What a server may say before it is ready: some twenty parameters, and notices.
constexpr std::size_t max_login_bytes = 1u << 20;
constexpr std::size_t max_parameters = 256;
constexpr std::size_t longest_error = 1024;

[[nodiscard]] errc error_of(std::string_view sqlstate) noexcept {
    if (sqlstate == "53300") return errc::server_saturated;
    const std::string_view of_class = sqlstate.substr(0, 2);
    if (of_class == "28") return errc::authentication_failed;
    // It starts, stops, recovers, or lacks means now: none of it says that this login is a wrong one. 58P01 may: a
    // setting that names a file.
    for (const std::string_view passing : {"57P01", "57P02", "57P03", "53000", "53100", "53200", "58000", "58030"}) {
        if (sqlstate == passing) return errc::server_unready;
    }
    return errc::server_error;
}

}  // namespace

ServerLogin::ServerLogin(ServerLoginParams params, ScramKeyCache& cache)
    : user_(params.credential.user), params_(std::move(params)),
      challenge_(std::move(params_.credential), cache, std::move(params_.channel)) {}

Action ServerLogin::resume(Bytes input, std::error_code ec) {
    if (ec) {
        version_refused_ = params_.minor_version > 0 && state_ == State::authenticating && received_ == 0 &&
                           (ec == errc::closed || ec == std::errc::connection_reset);
        state_ = State::finished;
        return Action::done(0, ec);
    }
    if (state_ == State::finished) return Action::done(0);
    if (state_ == State::start) {
        Parameters all{{"user", user_}, {"database", params_.database}};
        if (params_.database.empty()) all.pop_back();
        all.insert(all.end(), params_.parameters.begin(), params_.parameters.end());
        startup_message(out_, all, version_3_0 + params_.minor_version);
        state_ = State::authenticating;
        return Action::write(0, out_.bytes());
    }
    if (state_ == State::deriving) {
        state_ = State::authenticating;
        out_.clear();
        if (auto action = on_challenge(challenge_.proceed(out_), 0)) return *action;
    }
    std::size_t consumed = 0;
    for (;;) {
        const Message message = first_message(input.subspan(consumed), Sender::server, Stage::login);
        if (message.kind == Message::Kind::incomplete) return Action::read(consumed);
        if (message.kind != Message::Kind::whole) {
            return fail(framing_error(message.kind), "the server sent what is no message of a login", consumed);
        }
        consumed += message.size();
        received_ += message.size();
        if (received_ > max_login_bytes) {
            return fail(errc::message_too_large, "the server does not come to an end of its login", consumed);
        }
        if (auto action = on_message(message, consumed)) return *action;
    }
}

std::optional<Action> ServerLogin::on_message(const Message& message, std::size_t consumed) {
    const bool admitted = state_ == State::admitted;
    switch (message.header.type) {
        case backend::error: return on_error(message.body, consumed);
        case backend::notice: return std::nullopt;
        case backend::negotiate_version:
            if (asked_ || !take_version(message.body)) break;
            return std::nullopt;
        case backend::authentication:
            if (admitted) break;
            asked_ = true;
            out_.clear();
            return on_challenge(challenge_.answer(message.body, out_), consumed);
        case backend::parameter_status:
            if (!admitted || !take_parameter(message.body)) break;
            return std::nullopt;
        case backend::backend_key_data:
            if (!admitted || !take_key(message.body)) break;
            return std::nullopt;
        case backend::ready_for_query:
            if (!admitted || parse_ready_for_query(message.body) != 'I') break;
            state_ = State::finished;
            return Action::done(consumed);
        default: break;
    }
    return fail(errc::protocol_violation, "the server broke the protocol at login", consumed);
}

std::optional<Action> ServerLogin::on_challenge(ServerChallenge::Next next, std::size_t consumed) {
    switch (next) {
        case ServerChallenge::Next::reply: return Action::write(consumed, out_.bytes());
        case ServerChallenge::Next::wait: return std::nullopt;
        case ServerChallenge::Next::compute: state_ = State::deriving; return Action::compute(consumed);
        case ServerChallenge::Next::passed: state_ = State::admitted; return std::nullopt;
        case ServerChallenge::Next::failed: break;
    }
    state_ = State::finished;
    diagnostics_ = challenge_.diagnostics();
    return Action::done(consumed, challenge_.error());
}

Action ServerLogin::on_error(Bytes body, std::size_t consumed) {
    std::optional<ServerMessage> message = parse_server_message(body);
    if (!message) return fail(errc::protocol_violation, "the server sent a malformed error at login", consumed);
    state_ = State::finished;
    diagnostics_ = std::move(message->diagnostics);
    // It goes into logs, and to every client that waits.
    for (std::string* text : {&diagnostics_.message, &diagnostics_.detail, &diagnostics_.hint}) {
        if (text->size() > longest_error) text->resize(longest_error);
    }
    const std::string& said = diagnostics_.sqlstate;
    version_refused_ = params_.minor_version > 0 && !asked_ && !negotiated_ &&
                       (said.empty() || said == "0A000" || said == "08P01" || said == "08000" || said == "08004");
    return Action::done(consumed, error_of(diagnostics_.sqlstate));
}

// Answers a version that the server does not know. We ask for no option, so there is none that it could not know.
bool ServerLogin::take_version(Bytes body) {
    wire::Cursor cursor(body);
    const std::uint32_t newest = cursor.u32be();
    const std::uint32_t unknown_options = cursor.u32be();
    if (!cursor.ok() || negotiated_ || unknown_options != 0) return false;
    negotiated_ = true;
    // The whole number, as servers send it, or the minor one, as the manual has it.
    const std::uint32_t minor = newest >= version_3_0 ? newest - version_3_0 : newest;
    return minor <= params_.minor_version;
}

bool ServerLogin::take_key(Bytes body) {
    wire::Cursor cursor(body);
    pid_ = cursor.u32be();
    const Bytes secret = cursor.rest();
    if (!cursor.ok() || secret.size() < shortest_secret || secret.size() > longest_secret) return false;
    secret_.assign(secret.begin(), secret.end());
    return true;
}

bool ServerLogin::take_parameter(Bytes body) {
    const std::optional<Parameter> said = parse_parameter_status(body);
    if (!said) return false;
    const auto at = std::find_if(parameters_.begin(), parameters_.end(),
                                 [&said](const auto& known) { return known.first == said->name; });
    if (at != parameters_.end()) {
        at->second = said->value;
        return true;
    }
    if (parameters_.size() >= max_parameters) return false;
    parameters_.emplace_back(said->name, said->value);
    return true;
}

std::string_view ServerLogin::parameter(std::string_view name) const noexcept {
    const auto at =
        std::find_if(parameters_.begin(), parameters_.end(), [name](const auto& known) { return known.first == name; });
    return at == parameters_.end() ? std::string_view() : std::string_view(at->second);
}

Action ServerLogin::fail(std::error_code error, std::string_view message, std::size_t consumed) {
    state_ = State::finished;
    diagnostics_.sqlstate = "08P01";
    diagnostics_.message = message;
    return Action::done(consumed, error);
}

}  // namespace leasehold::postgres
