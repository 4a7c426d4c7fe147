// SPDX-License-Identifier: Apache-2.0
// What a client is told when its lease is lost, request by request, and what becomes of its session: the loss table of
// dialects/README.md. The one rule behind it: what may have been committed is said to be unknown, never to have failed.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::string why(const wire::Loss& loss) {
    if (!loss.reason.empty()) return loss.reason;
    if (loss.kind == wire::Loss::Kind::backend) return "the server connection was lost";
    return std::string(to_string(loss.kind));
}

}  // namespace

struct Tracker::Answering {
    wire::Outbox& to_client;
    std::string reason;
    bool unknown = false;
    char status = 'I';      // what the client knows of its transaction: 'T' until it is told
    std::uint16_t ran = 0;  // bits of what the scope in front has executed and answered
    bool commit_told = false;
    const wire::Diagnostics* refusal = nullptr;  // of settings in front of the first scope
};

wire::Aftermath Tracker::lose(const wire::Loss& loss, wire::Outbox& to_client) {
    if (lease_ == nullptr) return wire::Aftermath::lives;
    if (watching_) watch_loss();
    write_unfinished();
    const bool midway = reply_left_ > 0;
    std::string lost = pins_.older() ? std::string(pins_.reason()) : unseen_loss();
    if (lost == describe_pin(PinKind::by_hand, {})) lost = "what it had pinned by hand";
    const bool state = !lost.empty() || (session_pinned_ && soiled_);
    const bool dies = midway || state || options_.disconnect_on_loss || loss.kind == wire::Loss::Kind::killed;
    const bool ends = dies && loss.kind != wire::Loss::Kind::settings;  // nothing of the session's was there yet
    if (ends) {
        const std::string what = lost.empty() ? why(loss) : lost + " was lost: " + why(loss);
        farewell(failure(loss.kind == wire::Loss::Kind::killed ? Fault::killed : Fault::state_lost, what), to_client);
        leave_trail();
        lease_ = nullptr;
        return wire::Aftermath::ends;
    }
    if (replays_alone()) {  // the request waits, and is presented again
        const wire::Diagnostics refused = refusal() != nullptr ? *refusal() : wire::Diagnostics();
        clear_after_loss();
        return refused.sqlstate.empty() ? wire::Aftermath::lives : refuse(refused, to_client);
    }
    if (goes_again(loss)) {
        clear_after_loss();
        ++again_.times;
        again_.due = true;
        return wire::Aftermath::lives;
    }
    answer_outstanding(loss, to_client);
    return wire::Aftermath::lives;
}

void Tracker::answer_outstanding(const wire::Loss& loss, wire::Outbox& to_client) {
    if (restoring()) outstanding_.pop();  // nobody waits for it
    Answering how{to_client, why(loss), unknown_outcome(loss), status_, front_ran_};
    if (loss.kind == wire::Loss::Kind::settings) how.refusal = refusal();
    const bool open = scope_open_, nothing = outstanding_.empty();
    const bool was_skipping = skipping_;
    std::size_t from = 0;
    for (std::size_t to = 1; to <= outstanding_.size(); ++to) {
        if (!outstanding_[to - 1].readies() || outstanding_[to - 1].reply == Request::Reply::swallow) continue;
        answer_scope(how, from, to);
        how.ran = 0;
        from = to;
    }
    // What the server passes over is no request, and the end of a copy is none behind its answer.
    std::size_t end = outstanding_.size();
    while (end > from && (outstanding_[end - 1].type == frontend::copy_done || outstanding_[end - 1].type == 0)) --end;
    const bool tail = from < end;
    if (tail) answer_scope(how, from, end);
    clear_after_loss();
    skipping_ = tail || was_skipping;
    if (how.status != 'I') lost_ = how.status == 'T' ? Lost::unheard : Lost::heard;
    if (how.status == 'I' && nothing && open && !was_skipping) {
        lost_ = Lost::unheard;  // an unfinished pipeline, of which all replies have been given
        lost_implicit_ = true;
    }
    if (how.commit_told && tail) {
        lost_ = Lost::heard;
        ends_at_sync_ = true;
    }
    lost_why_ = how.reason;
}

bool Tracker::unknown_outcome(const wire::Loss& loss) const noexcept {
    if (loss.unwritten || replay_ == Replay::failed) return false;
    // A server that waits for CopyData has not finished what is in front, nor begun what is behind.
    if (copy_in_ && !outstanding_.empty() && !outstanding_[0].has(Request::may_commit)) return false;
    if (status_ == 'I' && !outstanding_.empty() && (front_ran_ & Request::executes) != 0) return true;
    char status = status_;  // as it is before each of them
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        const Request& request = outstanding_[i];
        if (request.has(Request::partial) || request.has(Request::failed)) continue;
        if (request.type == frontend::query && request.has(Request::done) && request.has(Request::single)) continue;
        if (harmless(request, status)) {
            if (request.has(Request::begins)) status = 'T';
            continue;
        }
        const bool runs = request.type == frontend::query || request.type == frontend::function_call ||
                          request.type == frontend::execute;
        if (status == 'E' && runs) {
            // A failed transaction cannot be committed; but what is behind ROLLBACK TO could be.
            status = request.has(Request::commits) ? 'I' : 'T';
            if (status == 'I') continue;
        }
        if (request.has(Request::may_commit)) return true;
        if (request.reply == Request::Reply::swallow) continue;
        if (runs && status == 'I') return true;
    }
    return false;
}

// Requests [from, to): what one ReadyForQuery would have ended, or an unfinished pipeline.
void Tracker::answer_scope(Answering& how, std::size_t from, std::size_t to) {
    const Request& last = outstanding_[to - 1];
    const bool ends = last.readies();
    if (how.refusal != nullptr) {
        error_response(how.to_client.own(), Severity::error, *std::exchange(how.refusal, nullptr));
        if (ends) ready_for_query(how.to_client.own(), how.status);
        return;
    }
    bool failed = false, left = false;
    std::uint16_t every = static_cast<std::uint16_t>(~0), any = how.ran;
    if ((how.ran & Request::executes) != 0) every = how.ran;
    for (std::size_t i = from; i < to; ++i) {
        const Request& request = outstanding_[i];
        if (request.reply == Request::Reply::swallow) continue;
        failed |= request.has(Request::failed);
        if (request.type != frontend::query && request.type != frontend::execute) continue;
        if (request.reply == Request::Reply::swallow) continue;
        left = true;
        every &= request.bits;
        any |= request.bits | Request::executes;
    }
    const bool executes = (any & Request::executes) != 0;
    const bool rolls_back = executes && (every & Request::rolls_back) != 0;
    const bool commits = executes && (every & Request::commits) != 0;
    const bool complete = last.type == frontend::query && last.has(Request::done) && last.has(Request::single) &&
                          !last.has(Request::begins);
    wire::Writer& out = how.to_client.own();
    if (failed) {
        if (how.status == 'T') how.status = (any & Request::may_commit) != 0 ? 'I' : 'E';
    } else if ((commits && executes && !left) || complete) {
        if (commits || rolls_back) how.status = 'I';  // the client has its CommandComplete
    } else if (how.status != 'I' && rolls_back && !how.unknown) {
        finish_rollback(how, from, to);
        how.status = 'I';
    } else if (how.unknown) {
        say(Fault::outcome_unknown, loss_detail(from, to, how.reason), how.to_client);
        how.status = 'I';
    } else if (how.status == 'T') {
        say(Fault::transaction_lost, how.reason, how.to_client);
        how.commit_told = commits;
        how.status = commits ? 'I' : 'E';
    } else if (how.status == 'E' && commits) {
        finish_rollback(how, from, to);
        how.status = 'I';
    } else if (how.status == 'E') {
        say(Fault::transaction_aborted, {}, how.to_client);
    } else {
        say(Fault::transaction_lost, "not executed: " + how.reason, how.to_client);
    }
    if (ends) ready_for_query(out, how.status);
}

// A ROLLBACK has done what it was to do, whoever did it: the rest of its reply.
void Tracker::finish_rollback(Answering& how, std::size_t from, std::size_t to) {
    wire::Writer& out = how.to_client.own();
    for (std::size_t i = from; i < to; ++i) {
        const Request& request = outstanding_[i];
        if (request.reply == Request::Reply::swallow || request.reply == Request::Reply::poison) continue;
        switch (request.type) {
            case frontend::parse: parse_complete(out); break;
            case frontend::bind: bind_complete(out); break;
            case frontend::close: close_complete(out); break;
            case frontend::describe:
                if (request.has(Request::of_statement)) {
                    const Framed none(out, backend::parameter_description);
                    out.u16be(0);
                }
                no_data(out);
                break;
            case frontend::query:
                if (!request.has(Request::done)) command_complete(out, "ROLLBACK");
                break;
            case frontend::execute: command_complete(out, "ROLLBACK"); break;
            default: break;
        }
    }
}

// Names the request whose outcome is not known.
std::string Tracker::loss_detail(std::size_t from, std::size_t to, std::string_view reason) const {
    std::string detail;
    for (std::size_t i = from; i < to && detail.empty(); ++i) {
        detail = masked(transcript_.find(outstanding_[i].text), 120);
    }
    if (detail.empty()) detail = masked(transcript_.find(portal_text_), 120);
    if (!detail.empty()) detail += ": ";
    return detail += reason;
}

void Tracker::clear_after_loss() {
    outstanding_.undo(outstanding_.size(), [this](Effect& effect) { undo(effect); });
    outstanding_.clear();
    names_.settle();
    unnamed_.revert(false, 0);
    scope_done_ = scope_++;
    scope_open_ = copy_in_ = discarded_ = false;
    dropping_ = 0;
    front_ran_ = 0;
    if (request_left_ > 0) rest_ = Rest::discard;
    scanner_.reset();
    digester_.reset();
    pins_.drop_fresh();
    if (listening_) {
        listening_->answered(outstanding_.pushed(), true);
        listening_->over(false);
        listening_->leave_along();
    }
    leave_trail();
    take_back();
    own_since_ = 0;
    reading_local_ = false;
    name_trail_.reset();
    portal_names_.reset();
    named_portal_bits_ = portal_bits_ = 0;
    status_ = 'I';
    transaction_over_ = true;
    lost_portal_ = false;
    lease_ = nullptr;
}

// For the ladder, and for whoever asks whether the backend may be used again.
void Tracker::write_unfinished() noexcept {
    Unfinished& unfinished = lease_->unfinished;
    unfinished.body_left = reply_left_;
    unfinished.without_sync = scope_open_;
    unfinished.copy_in = copy_in_;
    unfinished.in_front = unanswered_replays();
    // Skipped with them, a Query is not answered before a Sync.
    if (unfinished.in_front > 0 && outstanding_.back().type != frontend::sync) unfinished.without_sync = true;
    unfinished.requests.clear();
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        if (!outstanding_[i].readies()) continue;
        unfinished.requests.push_back(outstanding_[i].type == frontend::sync ? Unfinished::Request::extended
                                                                             : Unfinished::Request::simple);
    }
    lease_->half_sent = rest_ == Rest::forward ? request_left_ : 0;
    lease_->dirty |= dirty();
}

}  // namespace leasehold::postgres
