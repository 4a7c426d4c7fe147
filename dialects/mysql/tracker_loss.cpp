// SPDX-License-Identifier: Apache-2.0
// What the tracker tells a client whose backend is lost, refused, or whose session is ended. Nothing is ever written to
// a client that waits for nothing: it would take it for the reply to its next command.
#include "dialects/mysql/tracker.hpp"

namespace leasehold::mysql {

using wire::Aftermath;

// The client waits for a reply and an error may stand where the reply has come to.
bool Tracker::answerable() const noexcept {
    if (!request_.active || lease_ == nullptr) return false;
    const bool in_front = lease_->due.empty() || lease_->due.front().whose != Due::For::client;
    return in_front || !lease_->reply.active() || lease_->reply.untouched() || lease_->reply.error_fits();
}

// The error in place of the reply; behind the request's end if that has not been read yet. To be called attached.
void Tracker::answer_request(const wire::Diagnostics& error, bool then_fatal, wire::Outbox& to_client) {
    if (receiving()) {
        body_.dropped = true;
        answer_then_ = Answer{Answer::Kind::error, error, then_fatal};
        return;
    }
    const bool begun = lease_->reply.active() && !lease_->due.empty() && lease_->due.front().whose == Due::For::client;
    if (begun && conversion_.settle(to_client.own())) reply_sequence_ = conversion_.next_sequence();
    say(error, reply_sequence_, to_client);
}

wire::Diagnostics Tracker::loss_of_request(const wire::Loss& loss, bool was_in_transaction) const {
    const bool prepares = request_.command == Command::stmt_prepare;
    const bool unread = said_before_ && lease_->reply.untouched();
    const bool known = loss.unwritten || prepares || unread || (was_in_transaction && !request_.statement.may_commit) ||
                       (!was_in_transaction && only_begins());
    if (known) {
        std::string detail = loss.reason;
        if (loss.unwritten && !was_in_transaction && !prepares) detail += "; nothing of the statement was sent";
        if (unread && !was_in_transaction) detail += "; the server had not read the statement";
        return failure(Fault::transaction_lost, detail);
    }
    std::string detail = loss.reason;
    const std::string text = mysql::masked(transcript_.last(), false, 80, backslash_escapes());
    if (!text.empty()) (detail += " while running: ") += text;
    return failure(Fault::outcome_unknown, detail);
}

// Preparing a statement leaves nothing behind, nor does BEGIN alone: where nothing of the reply has reached the client it
// need not know.
bool Tracker::may_repeat(const wire::Loss& loss) const noexcept {
    constexpr int at_most = 3;  // each backend of a server that restarts may be dead
    const bool prepares = request_.command == Command::stmt_prepare && preparing_.text;
    const bool begins = request_.command == Command::query && only_begins() && !begin_.empty();
    return loss.kind == wire::Loss::Kind::backend && (prepares || begins) && !receiving() &&
           (!lease_->reply.active() || lease_->reply.untouched()) && repeated_ < at_most;
}

// As the client sent it: what fits into a few bytes, and nothing was taken out of.
void Tracker::keep_begin(const Incoming& packet, const Statement& statement) {
    constexpr std::size_t kept = 256;
    const Bytes bytes = packet.in.subspan(packet.at);
    const std::size_t size = header_size + packet.visible().size();
    if (!begin_.empty() && bytes.data() == begin_.data()) return;  // again, already
    begin_.clear();
    repeated_ = 0;
    if (statement.count != 1 || in_transaction() || packet.plain || !packet.whole() || size > kept) return;
    begin_.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

void Tracker::prepare_again(wire::Outbox& to_backend) {
    preparing_.text = std::move(again_);
    lease_->statements.evict();
    if (!lease_->statements.closing().empty()) write_closes(to_backend);
    lease_->has_warnings = false;
    lease_->warnings_of = number_;
    request_ = {true, Command::stmt_prepare, {}, in_transaction(), 0, pin_.empty(), dirty_, lease_->dirty};
    make_opaque(request_.statement);
    lease_->due.push_back({Shape::prepare, Due::For::client});
    write_command(to_backend.own(), Command::stmt_prepare, preparing_.text->text);
}

Aftermath Tracker::lose(const wire::Loss& loss, wire::Outbox& to_client) {
    if (lease_ == nullptr) return Aftermath::lives;
    const bool waiting = request_.active;
    const bool fits = answerable();
    const bool was_in_transaction = in_transaction() || (waiting && request_.in_transaction) || state_unknown_;
    const std::string_view pinned = state_pin(false);
    const bool pin_is_young = pin_young_ || (waiting && request_.unpinned);
    Aftermath aftermath = Aftermath::lives;
    if (options_.disconnect_on_loss) {
        if (fits) answer_request(failure(Fault::state_lost, loss.reason), true, to_client);
        aftermath = Aftermath::ends;
    } else if (!pinned.empty()) {
        std::string detail = loss.reason;
        ((detail += "; lost with it: ") += pinned);
        const wire::Diagnostics error = failure(Fault::state_lost, detail);
        if (fits) answer_request(error, true, to_client);
        if (waiting) {
            aftermath = Aftermath::ends;
        } else {
            doomed_ = error;
        }
    } else if (waiting && !was_in_transaction && may_repeat(loss)) {
        ++repeated_;
        wants_lease_ = true;
        if (request_.command == Command::stmt_prepare) {
            again_ = std::move(preparing_.text);
        } else {
            begin_again_ = true;
        }
    } else if (waiting) {
        const Statement& running = request_.statement;
        const bool begun = lease_->reply.active() && !lease_->reply.untouched();
        if (was_in_transaction && running.rolls_back && running.ends && !begun && !receiving()) {
            // It has done what it was to do, whoever did it.
            status_ = static_cast<std::uint16_t>(status_ & ~status::in_transaction);
            write({}, reply_sequence_, to_client);
        } else if (fits) {
            answer_request(loss_of_request(loss, was_in_transaction), false, to_client);
        } else {
            aftermath = Aftermath::ends;
        }
    } else if (was_in_transaction) {
        lost_ = loss.reason;
    }
    // A file that nobody waits for is still on its way.
    if (receiving()) body_.dropped = true;
    reframe_.reset();
    statements_lost(loss.reason);
    detach();
    lexer_.reset();
    if (pin_is_young) pin_ = {};
    state_unknown_ = false;
    status_ = static_cast<std::uint16_t>(status_ & ~status::in_transaction);
    return aftermath;
}

Aftermath Tracker::refuse(const wire::Diagnostics& error, wire::Outbox& to_client) {
    wire::Diagnostics said = error;
    if (said.number == 0) said = failure(Fault::pool_timeout, error.message);
    said.message = softened(said.message);
    scanned_.reset();
    wants_lease_ = false;
    if (again_) {
        again_ = {};
        say(said, reply_sequence_, to_client);
    } else if (preparing_.chunk_of != 0) {
        // Nobody waits for a reply to long data.
        if (ClientStatement* named = prepared_.find(preparing_.chunk_of, false)) named->failed = std::move(said);
        preparing_.chunk_of = 0;
        skip_request_ = true;
    } else if (wanted_whole_) {
        say(said, 1, to_client);
        skip_request_ = true;
    } else {
        refusal_ = std::move(said);
    }
    return Aftermath::lives;
}

void Tracker::farewell(const wire::Diagnostics& error, wire::Outbox& to_client) {
    if (preparing_.chunk_of != 0) return;
    if (wants_lease_ || preparing_.held) {
        say(error, 1, to_client);
    } else if (answerable() && !receiving()) {
        answer_request(error, true, to_client);
    }
}

}  // namespace leasehold::mysql
