// SPDX-License-Identifier: Apache-2.0
// What keeps a session on its backend. A statement that may make state pins until the backend has been asked, at the
// next boundary; so does one that may end it. What a backend cannot tell of pins to the session's end.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {

std::string_view Tracker::pin() const noexcept {
    // Within a transaction a function keeps nothing that the transaction does not.
    const bool suspicion = status_ != 'I' && pins_.kinds() == bit(PinKind::function);
    if (pins_.any() && !suspicion) return pins_.reason();
    if (encoding_pins_) return "client_encoding whose characters the lexer cannot tell apart";
    return session_pinned_ ? std::string_view("session mode") : std::string_view();
}

bool Tracker::dirty() const noexcept {
    return soiled_ || (lease_ != nullptr && lease_->seeded) || (trail_ && !trail_->settled()) || encoding_pins_ ||
           pins_.any();
}

std::string Tracker::pin_statement() const { return mask(pins_.statement(), Transcript::max_bytes, conforming_); }

// Where tables go into pg_temp without being called temporary, what the backend holds now says nothing of what comes.
wire::Tracker::Audit Tracker::audit() const noexcept {
    if (reply_left_ > 0) return Audit::useless;  // in the middle of a notification
    if (!pins_.may_end() || session_pinned_ || encoding_pins_ || temporary_first_) return Audit::useless;
    if (names_pg_temp(settings_.find("search_path").value_or(std::string_view()))) return Audit::useless;
    return pins_.due() ? Audit::due : Audit::possible;
}

void Tracker::audited(const Found* found) {
    // A Query drops the unnamed statement.
    lease_->unnamed = {};
    in_sync_ = holds_unnamed();
    parameters_differ_ = lease_->reported.fingerprint() != told_.fingerprint();
    if (found == nullptr) {
        pins_.unanswered();
    } else {
        take_over(*found);
    }
}

void Tracker::pin_fresh(PinKind kind, std::string_view variable) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_pins") || switches::on("no_pin:" + describe_pin(kind, {}))) return;
#endif
    pins_.add(kind, variable, transcript_.newest());
}

void Tracker::apply_pins(const Digest& digest) {
    if (digest.hint == wire::Hint::unpin) pins_.release(PinKind::by_hand);
    if (digest.hint == wire::Hint::pin) pin_fresh(PinKind::by_hand, {});
    if (digest.pin != PinKind::none) {
        pin_fresh(digest.pin, digest.variable());
        pins_.add_more(digest.pins);
    }
    if (digest.unseen) pin_fresh(PinKind::unseen, {});
    if (digest.ends_state) pins_.doubt();
}

}  // namespace leasehold::postgres
