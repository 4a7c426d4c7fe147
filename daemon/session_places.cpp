// SPDX-License-Identifier: Apache-2.0
// Whether there is a place for one more client: asked twice, before the password for what anybody may be told, and after
// it for what only the user may.
#include "daemon/admission.hpp"
#include "daemon/descriptors.hpp"
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using Failure = dialects::Dialect::Failure;
using Kind = Places::Kind;

constexpr std::string_view all_taken = "sorry, too many clients already";

}  // namespace

Session::TurnedAway Session::drained() const {
    return {Refusal::draining, failure(Failure::starting_drain, "leasehold is shutting down"), {}, {}};
}

// The place among all clients is taken after the password: those who have none cannot take it from those who do. But
// while there is none, nobody's password is worth looking at.
std::optional<Session::TurnedAway> Session::refuse_before_password() {
    if (shared_.draining.load(std::memory_order_relaxed)) return drained();
    const std::shared_ptr<const config::Config> config = shared_.config();
    if (shared_.places.clients() >= clients_at_most(*config, shared_.descriptors)) {
        return TurnedAway{Refusal::max_clients,
                          failure(Failure::too_many_clients, std::string(all_taken) + " (max_clients)"),
                          "limits.max_clients",
                          {}};
    }
    const std::optional<unsigned> uid = client_->is_unix() ? peer_of(client_->descriptor()) : std::nullopt;
    std::string address = uid ? address_key(*uid) : address_key(peer_);
    address_place_ = shared_.places.take(Kind::address, address, config->limits.max_clients_per_address);
    if (address_place_) return std::nullopt;
    TurnedAway refused{
        Refusal::max_clients_per_address,
        failure(Failure::too_many_clients, std::string(all_taken) + " from this address (max_clients_per_address)"),
        "limits.max_clients_per_address", std::move(address)};
    if (!refused.error.hint.empty())
        refused.error.hint = "Close idle clients there, or raise limits.max_clients_per_address.";
    return refused;
}

std::optional<Session::TurnedAway> Session::take_places() {
    if (route_.kind == Route::Kind::console) {
        address_place_ = {};
        user_place_ = {};
        client_place_ = shared_.places.take(Kind::console, {}, places_at_console);
        if (client_place_) return std::nullopt;
        TurnedAway refused{Refusal::console_places,
                           failure(Failure::too_many_clients, std::string(all_taken) + " at the console"),
                           "the console's own",
                           {}};
        if (!refused.error.hint.empty()) refused.error.hint = "Close a session with the console.";
        return refused;
    }
    if (shared_.draining.load(std::memory_order_relaxed)) return drained();
    const std::shared_ptr<const config::Config> config = shared_.config();
    // Who logs in again has places already.
    if (!user_place_) user_place_ = shared_.places.take(Kind::user, user_, config->limits.max_clients_per_user);
    if (!user_place_) {
        return TurnedAway{Refusal::max_clients_per_user, failure(Failure::too_many_clients_of_user, user_),
                          "limits.max_clients_per_user", user_};
    }
    if (!client_place_)
        client_place_ = shared_.places.take(Kind::client, {}, clients_at_most(*config, shared_.descriptors));
    if (client_place_) return std::nullopt;
    return TurnedAway{Refusal::max_clients,
                      failure(Failure::too_many_clients, std::string(all_taken) + " (max_clients)"),
                      "limits.max_clients",
                      {}};
}

wire::awaitable<void> Session::turn_away(TurnedAway refused) {
    shared_.refusals.count(worker_->index(), refused.why);
    const bool draining = refused.why == Refusal::draining;
    std::vector<LogField> fields{
        {"session", id_}, {"client", peer_}, {"user", user_}, {"reason", to_string(refused.why)}};
    if (!draining) {
        fields.push_back({"sqlstate", refused.error.sqlstate});
        fields.push_back({"limit", refused.limit});
        fields.push_back({"who", refused.who.empty() ? std::string_view("all") : std::string_view(refused.who)});
    }
    const std::string kin = std::string(to_string(refused.why)) + '\0' + refused.who;
    log_kin(draining ? LogLevel::info : LogLevel::warn, kin, "client_refused", fields);
    co_await say_refusal(std::move(refused.error));
}

bool Session::silent() const noexcept {
    return client_ && client_->received() == 0 && (!dialect_.greets_first() || client_->sent() > 0);
}

void Session::show_out() {
    shared_.refusals.count(worker_->index(), Refusal::unfinished_login);
    const std::string who(address_key(peer_));
    const LogField fields[] = {{"session", id_},
                               {"client", peer_},
                               {"reason", to_string(Refusal::unfinished_login)},
                               {"who", who},
                               {"hint", "too many connections on which nobody speaks"}};
    log_kin(LogLevel::warn, who, "client_refused", fields);
    client_->close();
}

}  // namespace leasehold::daemon
