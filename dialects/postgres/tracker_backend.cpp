// SPDX-License-Identifier: Apache-2.0
// The server's messages: matched with the requests that they answer. Rows are passed over by their headers alone.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::postgres {
namespace {

// Messages of which only the header matters, however long they are.
[[nodiscard]] bool header_only(std::uint8_t type) noexcept {
    switch (type) {
        case backend::data_row:
        case backend::copy_data:
        case backend::notice:
        case backend::notification:
        case backend::row_description:
        case backend::parameter_description:
        case backend::function_result: return true;
        default: return false;
    }
}

constexpr std::size_t max_parameters = 256;
constexpr std::size_t whole_row = 16 * 1024;  // a shorter one is passed on whole: an error fits where its server dies

// An error is waited for as a whole up to here; of a longer one the beginning is enough.
constexpr std::size_t whole_error = 64 * 1024;

}  // namespace

wire::Verdict Tracker::from_backend(Bytes in, wire::Outbox& to_client, wire::Outbox& to_backend) {
    using What = wire::Verdict::Kind;
    if (parameters_differ_ && reply_left_ == 0) tell_parameters(to_client);
    std::size_t at = 0, run = 0;  // in[run, at) is passed on in one piece
    const auto pass_run = [&] {
        to_client.pass(in.subspan(run, at - run));
        run = at;
    };
    const auto take_turn = [&] {
        if (!has_local_turn()) return;
        pass_run();
        advance(to_client);
    };
    if (reply_left_ > 0) at += stream_reply(in, reply_left_);
    take_turn();
    while (reply_left_ == 0) {
        const Bytes rest = in.subspan(at);
        if (rest.size() < header_size) break;
        const Header header = header_at(rest);
        Passing passing = Passing::pass;
        std::size_t taken = header.size();
        if (!acceptable(header, Sender::server, Stage::session)) {
            passing = Passing::fatal;
        } else if (header_only(header.type) && !own_in_front() && !(header.type == backend::notification && along())) {
            if (header.size() <= whole_row && header.size() > rest.size()) break;
            if (on_header(header.type)) {
                taken = stream_reply(rest, header.size());
            } else {
                passing = Passing::fatal;
            }
        } else {
            const bool long_error = header.type == backend::error && header.size() > whole_error;
            const std::size_t wanted = long_error ? whole_error : header.size();
            if (rest.size() < wanted) break;
            const std::size_t before = at - run;
            // Errors, settings and a tag may be written anew, behind what was passed.
            const bool anew = header.type == backend::error || header.type == backend::parameter_status ||
                              ((discarded_ || replayed_) && header.type == backend::ready_for_query) ||
                              (!outstanding_.empty() && outstanding_.front().has(Request::retagged | Request::listens));
            if (anew && before > 0) pass_run();
            cut_ = long_error;
            passing = on_reply(header.type, rest.subspan(header_size, wanted - header_size), to_client);
            if (long_error && passing == Passing::pass) taken = stream_reply(rest, header.size());
        }
        switch (passing) {
            case Passing::pass: at += taken; break;
            case Passing::drop:
                pass_run();
                at += taken;
                run = at;
                break;
            case Passing::lost: pass_run(); return {What::lost, at};
            case Passing::refused: pass_run(); return {What::refused, at};
            case Passing::fatal:
                pass_run();
                farewell(failure(Fault::protocol_violation, "the server broke the protocol"), to_client);
                return {What::fatal, at};
        }
        take_turn();
    }
    pass_run();
    if (watching_) watch_ends();
    if (unaligned_) restore(to_backend);
    const bool ended = at == in.size() && boundary();
    return {ended ? What::boundary : What::more, at};
}

// How much of a message of `size` bytes is there; the rest is awaited.
std::size_t Tracker::stream_reply(Bytes rest, std::size_t size) noexcept {
    const std::size_t taken = std::min(rest.size(), size);
    reply_left_ = size - taken;
    return taken;
}

bool Tracker::boundary() const noexcept {
    return outstanding_.empty() && status_ == 'I' && !scope_open_ && !skipping_ && !copy_in_ && reply_left_ == 0 &&
           request_left_ == 0 && replay_ != Replay::stands;
}

bool Tracker::has_local_turn() const noexcept {
    if (outstanding_.empty() || reply_left_ > 0) return false;  // not into the middle of a message
    const Request& request = outstanding_[0];
    return request.type == 0 || request.type == frontend::copy_done || request.reply == Request::Reply::synthesise;
}

// Requests whose turn has come and that the server does not answer.
void Tracker::advance(wire::Outbox& to_client) {
    while (has_local_turn()) {
        const Request request = outstanding_.front();
        if (request.reply == Request::Reply::synthesise) {
            if (request.type == frontend::parse) parse_complete(to_client.own());
            if (request.type == frontend::close) close_complete(to_client.own());
        }
        outstanding_.pop();
        if (outstanding_.empty()) all_answered();
    }
}

bool Tracker::on_header(std::uint8_t type) {
    if (type == backend::notice || type == backend::notification) return true;
    if (outstanding_.empty()) return false;
    const Request& request = outstanding_.front();
    switch (type) {
        case backend::row_description:
            if (request.type != frontend::describe) return request.type == frontend::query;
            (void)confirm(frontend::describe);
            return true;
        case backend::parameter_description: return request.type == frontend::describe;
        case backend::function_result: return request.type == frontend::function_call;
        default: return request.type == frontend::query || request.type == frontend::execute;
    }
}

Tracker::Passing Tracker::on_reply(std::uint8_t type, Bytes body, wire::Outbox& to_client) {
    if (replay_ == Replay::sent) return on_replayed(type, body);
    if (restoring()) return on_restoring(type, body, to_client);
    switch (type) {
        case backend::ready_for_query:
            if (replayed_) end_replay(to_client);
            // To the client it has changed, where the server had its own default already.
            if (discarded_) end_discard(to_client);
            return on_ready(body);
        case backend::command_complete:
        case backend::empty_query:
        case backend::portal_suspended: return on_complete(type, body, to_client);
        case backend::parse_complete: return confirm(frontend::parse);
        case backend::bind_complete: return confirm(frontend::bind);
        case backend::close_complete: return confirm(frontend::close);
        case backend::no_data: return confirm(frontend::describe);
        case backend::error: return on_error(body, to_client);
        case backend::parameter_status: return on_parameter(body, to_client);
        case backend::notice: return own_in_front() ? Passing::drop : Passing::pass;
        case backend::copy_in: return on_copy_in();
        case backend::notification: return hears_along(body) ? Passing::drop : Passing::pass;
        case backend::copy_out:
        case backend::copy_done:
        case backend::copy_both: return outstanding_.empty() ? Passing::fatal : Passing::pass;
        default: return Passing::fatal;
    }
}

// The request in front, of this type, has succeeded.
Tracker::Passing Tracker::confirm(std::uint8_t type) {
    if (outstanding_.empty()) return Passing::fatal;
    const Request request = outstanding_.front();
    if (request.type != type || request.reply == Request::Reply::synthesise) return Passing::fatal;
    if (type == frontend::execute) front_ran_ |= request.bits;
    succeeded(request);
    outstanding_.pop();
    return request.reply == Request::Reply::swallow ? Passing::drop : Passing::pass;
}

void Tracker::succeeded(const Request& request) {
    if (request.has(Request::drops)) --dropping_;
    if (request.has(Request::drops_unnamed)) {
        unnamed_.confirm(0);
        lease_->unnamed = {};
    }
    if (!request.has(Request::sets_unnamed)) return;
    if (request.reply == Request::Reply::pass) unnamed_.confirm(request.number);
    lease_->unnamed = {id_, request.number};
}

Tracker::Passing Tracker::on_complete(std::uint8_t type, Bytes body, wire::Outbox& to_client) {
    if (outstanding_.empty()) return Passing::fatal;
    Request& request = outstanding_.front();
    if (request.type != frontend::query && request.type != frontend::execute) return Passing::fatal;
    copy_in_ = false;
    if (outstanding_.first() == clearing_) {
        numbers_cleared();
        return confirm(frontend::execute);
    }
    request.bits |= Request::done;
    if (request.reply == Request::Reply::swallow) {
        own_step_done(body);
        return confirm(frontend::execute);
    }
    if (trail_ && trail_->own(outstanding_.first())) {
        own_step_done(body);
        if (name_trail_) name_done(body);
        return Passing::drop;
    }
    if (watching_) watch_done();
    if (trail_ && type != backend::empty_query) step_done(type, body);
    if (type == backend::command_complete && wire::as_text(body).starts_with("DISCARD S")) sequences_discarded();
    if (listening_) listening_->rolled_back = parse_command_complete(body).value_or(std::string_view()) == "ROLLBACK";
    if (name_trail_ && type == backend::command_complete) name_done(body);
    if (request.has(Request::drops) && type == backend::command_complete) {
        const std::string_view tag = parse_command_complete(body).value_or(std::string_view());
        if (tag == "DISCARD ALL" || tag == "DEALLOCATE ALL") drop_all_statements(tag == "DISCARD ALL");
    }
    if (request.has(Request::listens)) return complete_listening(to_client);
    if (request.type != frontend::execute) return Passing::pass;
    if (!request.has(Request::retagged)) return confirm(frontend::execute);
    command_complete(to_client.own(), "DEALLOCATE");
    (void)confirm(frontend::execute);
    return Passing::drop;
}

Tracker::Passing Tracker::on_parameter(Bytes body, wire::Outbox& to_client) {
    const std::optional<Parameter> said = parse_parameter_status(body);
    if (!said) return Passing::fatal;
    // Some twenty are reported; names without end would be kept for ever.
    if (told_.size() >= max_parameters && !told_.contains(said->name)) return Passing::fatal;
    // What was sent in front is no news for the client.
    const bool known = replayed_ && told_.find(said->name) == said->value;
    if (replayed_) replayed_->unreported.erase(said->name);
    const Passing passing = take_parameter(*said, to_client);
    return known && passing == Passing::pass ? Passing::drop : passing;
}

Tracker::Passing Tracker::take_parameter(const Parameter& said, wire::Outbox& to_client) {
    lease_->report(said.name, said.value);
    if (told_.find(said.name) != said.value && !restoring()) unannounced(said.name);
    const bool discards = !outstanding_.empty() && outstanding_.front().has(Request::discards);
    const auto usual = lease_->defaults.find(said.name);
    // What a pipeline sets behind its DISCARD ALL is told at the same time: once it is restored there, it is as it is said.
    const bool done = (discarded_ && unaligned_) || (discards && !outstanding_.front().has(Request::failed));
    const bool discarding = done && (!usual || *usual == said.value);
    // What the startup packet asked for comes back: to the client that is its value already.
    std::optional<std::string_view> back;
    if (discarding) back = options_.startup.find(said.name);
    if (!back && trail_ && !outstanding_.empty()) back = trail_->restored(outstanding_.first(), said.name);
    if (is_carriable(said.name)) remember(said.name);
    if (back) {
        if (is_carriable(said.name)) (void)settings_.set(said.name, *back);
        if (told_.find(said.name) == back) return Passing::drop;
        parameter_status(to_client.own(), said.name, *back);
        told_.set(said.name, *back);
        note_parameter(said.name, *back);
        return Passing::drop;
    }
    if (is_carriable(said.name)) {
        if (!options_.startup.contains(said.name) && usual && *usual == said.value) {
            settings_.erase(said.name);
        } else if (!discarding) {
            settings_.set(said.name, said.value);
        }
    }
    told_.set(said.name, said.value);
    note_parameter(said.name, said.value);
    return Passing::pass;
}

void Tracker::transaction_over() {
    pins_.settle();
    if (!named_portal_steps_.empty())
        std::erase_if(named_portal_steps_, [this](const auto& each) { return each.second.scope <= scope_done_; });
    before_.clear();
    if (outstanding_.empty() && !scope_open_) reading_local_ = false;
    named_portal_bits_ = 0;
    transaction_over_ = true;
    end_schema_change();
    schema_changing_ = own_schema_changing_ = false;
}

Tracker::Passing Tracker::on_ready(Bytes body) {
    const std::optional<char> status = parse_ready_for_query(body);
    if (!status || outstanding_.empty() || !outstanding_.front().readies()) return Passing::fatal;
    const Request request = outstanding_.front();
    status_ = lease_->status = *status;
    copy_in_ = false;
    if (request.number > scope_done_) scope_done_ = request.number;
    succeeded(request);
    const std::uint64_t answered = outstanding_.first();
    outstanding_.pop();
    if (request.reply == Request::Reply::swallow) return Passing::drop;  // what was put in front of a Query
    if (trail_) settle(answered, request.has(Request::failed));
    if (aside_) take_identity_back(request.has(Request::failed));
    if (listening_) listening_->answered(answered, request.has(Request::failed));
    if (name_trail_) {
        name_trail_->answered(answered);
        if (name_trail_->empty()) name_trail_.reset();
    }
    ++counts_.requests;
    if (status_ == 'I') {
        ++counts_.transactions;
        transaction_over();
        if (listening_) listening_->over(!request.has(Request::failed) && !listening_->rolled_back);
    }
    discarded_ = false;
    front_ran_ = 0;
    if (outstanding_.empty()) all_answered();
    return listening_ && holds_ready() ? Passing::drop : Passing::pass;
}

void Tracker::all_answered() noexcept {
    names_.settle();
    if (!scope_open_) scope_done_ = scope_ - 1;
}

// The server takes CopyData now, and has not looked yet at what was sent behind the COPY.
Tracker::Passing Tracker::on_copy_in() {
    if (outstanding_.empty()) return Passing::fatal;
    const std::uint8_t type = outstanding_.front().type;
    if (type != frontend::query && type != frontend::execute) return Passing::fatal;
    copy_in_ = true;
    for (std::size_t i = 1; i < outstanding_.size() && copy_in_; ++i) {
        Request& next = outstanding_[i];
        if (next.type != frontend::sync) {
            // The copy's end, or a message that breaks it off: either way the server takes it for that alone.
            copy_in_ = false;
            outstanding_.undo_one(i, [this](Effect& effect) { undo(effect); });
            if (next.has(Request::drops)) --dropping_;
        }
        next = Request{};
    }
    if (copy_in_ && type == frontend::execute) scope_open_ = true;  // its Sync was ignored
    if (!copy_in_) resync_unnamed();
    return Passing::pass;
}

void Tracker::undo(Effect& effect) {
    switch (effect.kind) {
        case Effect::Kind::session_add: names_.erase(*effect.named); break;
        case Effect::Kind::session_remove: names_.restore(*effect.named); break;
        case Effect::Kind::backend_add: lease_->statements.remove(effect.id); break;
        case Effect::Kind::backend_remove: lease_->statements.add(effect.id, 0); break;
        case Effect::Kind::rename:
        case Effect::Kind::replace: break;
    }
}

// The request in front failed: the server skips what was sent behind it up to the next Sync.
void Tracker::fail_scope() {
    std::size_t n = 0;
    while (n < outstanding_.size() && outstanding_[n].type != frontend::sync) ++n;
    const bool synced = n < outstanding_.size();
    unaligned_ |= discarded_;  // what was restored behind it is undone
    outstanding_.undo(n, [this](Effect& effect) { undo(effect); });
    if (outstanding_.front().has(Request::sets_unnamed)) {
        // A Parse that fails has dropped the unnamed statement before.
        if (outstanding_.front().reply == Request::Reply::pass) unnamed_.confirm(0);
        lease_->unnamed = {};
    }
    for (std::size_t i = 0; i < n; ++i) {
        if (outstanding_.front().has(Request::drops)) --dropping_;
        outstanding_.pop();
    }
    resync_unnamed();
    if (synced) {
        outstanding_.front().bits |= Request::failed;
    } else {
        skipping_ = true;
    }
}

// What was sent about the unnamed statement was skipped: it is what comes still, or else what was confirmed last.
void Tracker::resync_unnamed() {
    for (std::size_t i = outstanding_.size(); i-- > 0;) {
        const Request& request = outstanding_[i];
        if (request.has(Request::sets_unnamed) || request.has(Request::drops_unnamed)) {
            unnamed_.revert(true, request.has(Request::sets_unnamed) ? request.number : 0);
            in_sync_ = true;
            return;
        }
    }
    unnamed_.revert(false, 0);
    in_sync_ = holds_unnamed();
}

// The backend has this session's unnamed statement, or neither has one.
bool Tracker::holds_unnamed() const noexcept {
    const std::uint64_t mine = unnamed_.confirmed();
    return lease_->unnamed == (mine == 0 ? UnnamedOwner{} : UnnamedOwner{id_, mine});
}

}  // namespace leasehold::postgres
