// SPDX-License-Identifier: Apache-2.0
// Numbers of sequences. A session that names nextval(), currval() or lastval() keeps its backend from then on, and finds
// no other session's number there: DISCARD SEQUENCES goes in front, in the same write. Where a transaction may have used
// a sequence before it asks, that must have been done in front of it all: so it is in each transaction, once anybody has
// asked in the pool, and ahead of that for a while. Who asks first later than that is told to begin again.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::postgres {
namespace {

constexpr std::string_view discard = "DISCARD SEQUENCES";
constexpr std::string_view own_name = "lh_sequences";  // of a statement and a portal

constexpr std::uint64_t every_scope = ~std::uint64_t{0};

[[nodiscard]] std::uint32_t function_of(Bytes body) noexcept {
    wire::Cursor cursor(body);
    return cursor.u32be();
}
[[nodiscard]] bool asks_by_number(std::uint32_t function) noexcept { return function == 1575 || function == 2559; }
[[nodiscard]] bool draws_by_number(std::uint32_t function) noexcept {
    return function == 1574 || function == 1576 || function == 1765;  // nextval, setval with two arguments, with three
}

}  // namespace

// Also once a DISCARD of ours is done that is on its way: where it fails nothing behind it is answered, up to the Sync.
bool Tracker::own_numbers() const noexcept {
    return lease_->numbers == NumbersOwner{} || lease_->numbers == NumbersOwner{id_, numbers_} ||
           (clears_numbers() && (clearing_scope_ == every_scope || clearing_scope_ == scope_));
}

// The session may use sequences from here on.
void Tracker::touch_numbers(bool draws) noexcept {
    numbers_drawn_ |= draws;
    if (numbers_touched_ || clears_numbers()) return;
    lease_->numbers = own_numbers() ? NumbersOwner{id_, ++numbers_} : several_owners;
    numbers_touched_ = true;
}

// The request pushed last discards them. Others' they are until it has.
void Tracker::begin_clearing(std::uint64_t scope) noexcept {
    clearing_ = outstanding_.pushed();
    clearing_scope_ = scope;
    if (lease_->asked && !lease_->asked->ever && lease_->asked->ahead > 0) --lease_->asked->ahead;
    lease_->numbers = several_owners;
}

// A DISCARD SEQUENCES has been carried out.
void Tracker::numbers_cleared() noexcept {
    lease_->numbers = {id_, ++numbers_};
    numbers_touched_ = true;
}

// The transaction goes on after this request, or the lease does.
bool Tracker::goes_on(const Digest& digest) const noexcept {
    const bool pins =
        digest.pin != PinKind::none || digest.setting_pin != PinKind::none || digest.unseen || digest.calls;
    if (pins || status_ == 'T' || digest.begins || (front_ran_ & Request::begins) != 0 || !pin().empty()) return true;
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        if (outstanding_[i].has(Request::begins)) return true;
    }
    return false;
}

// What has to be done first about the numbers of others.
Tracker::Numbers Tracker::before_numbers(const Digest& digest, bool whole) noexcept {
    if (digest.names_sequences) {
        const std::uint64_t next = outstanding_.pushed() + (digest.last == Kind::discard_sequences ? 0 : 1);
        numbers_named_ = std::max(numbers_named_, next);
    }
    bool asked = false;
    if (SequencesAsked* pool = lease_->asked.get()) {
        asked = pool->ever || (pool->ahead > 0 && (digest.draws || digest.calls));
        pool->ever |= digest.asks_sequences;
    }
    if (own_numbers()) return Numbers::pass;
    if (clears_numbers()) return digest.names_sequences ? Numbers::wait : Numbers::pass;
    if (digest.asks_sequences && numbers_drawn_) return Numbers::refuse;
    const bool named = digest.names_sequences || !whole;
    return named || session_pinned_ || (asked && goes_on(digest)) ? Numbers::clear : Numbers::pass;
}

// In front of a Query or FunctionCall. Nothing: it may go.
std::optional<Tracker::Step> Tracker::clear_numbers(const Digest& digest, const Message& message, Flow& flow) {
    Numbers what = before_numbers(digest, message.whole());
    if (what == Numbers::pass) return std::nullopt;
    if (scope_open_ && what == Numbers::clear) {
        discard_sequences_extended(flow);
        return std::nullopt;
    }
    if (what == Numbers::wait || !outstanding_.empty() || reply_left_ > 0) {
        digester_.reset();
        scanner_.reset();
        return hold(flow);
    }
    // In a failed transaction nothing can be put in front, and what fails tells nothing; but a ROLLBACK in a string.
    if (status_ == 'E') {
        const bool gets_out = digest.statements > 1 && (digest.ends || digest.rolls_back_to);
        what = gets_out && digest.names_sequences ? Numbers::refuse : Numbers::pass;
    }
    if (what == Numbers::pass) return std::nullopt;
    if (what == Numbers::refuse) return refuse_numbers(message, flow);
    if (replay_ == Replay::due) replay(flow);
    start_record();
    query(flow.to_backend.own(), discard);
    outstanding_.push({.type = frontend::query, .reply = Request::Reply::swallow});
    begin_clearing(every_scope);  // an error of it ends the lease
    lease_->unnamed = {};         // a Query drops it
    in_sync_ = unnamed_.sent() == 0;
    return std::nullopt;
}

// A request that is answered with an error, by which its transaction fails as by any other.
Tracker::Step Tracker::refuse_numbers(const Message& message, Flow& flow) {
    numbers_drawn_ = false;  // asked again, there is nothing to be had here
    if (scope_open_) {
        poison(Fault::numbers_unknown, {}, flow);
        start_stream(message, Rest::discard);
        return Step::taken;
    }
    digester_.reset();
    scanner_.reset();
    start_stream(message, Rest::discard);
    if (status_ != 'T') {
        say(Fault::numbers_unknown, {}, flow.to_client);
        ready_after_ = !message.whole();
        if (!ready_after_) ready_for_query(flow.to_client.own(), status_);
        return Step::taken;
    }
    query(flow.to_backend.own(), "EXECUTE lh_0");  // never prepared
    outstanding_.push({.type = frontend::query,
                       .reply = Request::Reply::poison,
                       .bits = Request::drops_unnamed | Request::single,
                       .number = scope_++});
    outstanding_.add({.kind = Effect::Kind::replace, .fault = Fault::numbers_unknown});
    unnamed_.send_drop();
    in_sync_ = true;
    return Step::taken;
}

// What is outstanding executes a statement.
bool Tracker::runs_something() const noexcept {
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        const std::uint8_t type = outstanding_[i].type;
        if (outstanding_[i].reply == Request::Reply::swallow) continue;  // ours
        if (type == frontend::query || type == frontend::execute) return true;
    }
    return false;
}

bool Tracker::earlier_scopes() const noexcept {
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        if (outstanding_[i].readies()) return true;
    }
    return false;
}

// In front of a Bind, in a scope that is open. Nothing: it may go.
std::optional<Tracker::Step> Tracker::clear_numbers_bound(const Digest& digest, bool kept, const Message& message,
                                                          Flow& flow) {
    // What fails tells nothing: only a ROLLBACK in front of it could get out of a failed transaction.
    if (status_ == 'E' && front_ran_ == 0 && !runs_something()) return std::nullopt;
    switch (before_numbers(digest, kept)) {
        case Numbers::pass: return std::nullopt;
        case Numbers::wait: return hold(flow);
        case Numbers::clear:
            // What is on its way may fail the transaction, and this with it: where a server says something else.
            if (earlier_scopes()) return hold(flow);
            discard_sequences_extended(flow);
            return std::nullopt;
        case Numbers::refuse: break;
    }
    numbers_drawn_ = false;
    poison(Fault::numbers_unknown, {}, flow);
    start_stream(message, Rest::discard);
    return Step::taken;
}

// An error of it makes the server skip what stands behind it.
void Tracker::discard_sequences_extended(Flow& flow) {
    wire::Writer& to = flow.to_backend.own();
    const auto pushed = [this](std::uint8_t type) {
        outstanding_.push({.type = type, .reply = Request::Reply::swallow});
    };
    const bool apart = status_ == 'I' && front_ran_ == 0 && !runs_something();
    parse(to, own_name, discard);
    pushed(frontend::parse);
    bind_message(to, own_name, own_name);
    pushed(frontend::bind);
    execute(to, own_name);
    pushed(frontend::execute);
    begin_clearing(scope_);
    close(to, 'P', own_name);
    pushed(frontend::close);
    close(to, 'S', own_name);
    pushed(frontend::close);
    // From PostgreSQL 18 on what follows in the pipeline would be in a transaction block with it, where no CALL may commit
    // and no VACUUM run: it is committed by itself, unless something of the client's would be with it.
    if (apart) run_own("COMMIT", flow);
}

// FunctionCall knows functions by their numbers.
Digest Tracker::called(Bytes body) noexcept {
    Digest digest;
    const std::uint32_t function = function_of(body);
    digest.statements = 1;
    digest.touches = true;
    digest.asks_sequences = asks_by_number(function);
    digest.names_sequences = digest.asks_sequences || draws_by_number(function);
    return digest;
}

// The reply to a DISCARD SEQUENCES of the session's own.
void Tracker::sequences_discarded() {
    numbers_cleared();
    // What was named behind it is on its way already.
    if (numbers_named_ < outstanding_.first()) pins_.release(PinKind::last_value);
}

// The reply to ours, in front of a Query.
Tracker::Passing Tracker::on_clearing(std::uint8_t type, Bytes body, wire::Outbox& to_client) {
    switch (type) {
        case backend::command_complete: numbers_cleared(); return Passing::drop;
        case backend::notice: return Passing::drop;
        case backend::notification: return Passing::pass;
        case backend::parameter_status: return on_parameter(body, to_client);
        case backend::ready_for_query: break;
        default: return Passing::lost;
    }
    if (parse_ready_for_query(body) != status_) return Passing::lost;
    outstanding_.pop();
    return Passing::drop;
}

}  // namespace leasehold::postgres
