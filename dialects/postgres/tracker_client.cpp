// SPDX-License-Identifier: Apache-2.0
// A client's messages while a backend is attached: what is passed on, what is noted about it, what has to wait.
#include "dialects/postgres/tracker.hpp"

#include <utility>

namespace leasehold::postgres {
namespace {

// Texts with names of prepared statements are waited for as a whole up to here.
constexpr std::size_t waited_for_names = 1024 * 1024;

}  // namespace

Tracker::Step Tracker::attached_message(const Message& message, Flow& flow) {
    if (message.type == frontend::terminate) {
        if (listening_) listening_->left = true;
        return Step::close;
    }
    if (replay_ != Replay::none && awaits_replay()) return Step::hold;
    if (copy_in_) return on_copying(message, flow);
    switch (message.type) {
        case frontend::copy_data:
        case frontend::copy_done:
        case frontend::copy_fail: return on_copy_message(message, flow);
        case frontend::sync: return on_sync(message, flow);
        default: break;
    }
    if (skipping_) {  // the server would ignore it too
        start_stream(message, Rest::discard);
        return Step::taken;
    }
    if (message.type == frontend::flush) {
        if (scope_open_ || !outstanding_.empty()) forward(message, flow);
        return Step::taken;
    }
    // DISCARD ALL takes settings and statements with it: what follows begins anew, with another lease if nothing pins.
    if (dropping_ > 0 || ((aside_ || discarded_) && !scope_open_ && !outstanding_.empty())) return hold(flow);
    if (discarded_ && unaligned_ && scope_open_) restore_within(flow);
    if (unaligned_ && outstanding_.empty() && !scope_open_ && status_ == 'I' && pin().empty()) return hold(flow);
    if (names_.crowded() && !outstanding_.empty()) return hold(flow);
    switch (message.type) {
        case frontend::query: return on_query(message, flow);
        case frontend::function_call: return on_function_call(message, flow);
        case frontend::parse: return on_parse(message, flow);
        case frontend::bind: return on_bind(message, flow);
        case frontend::describe: return on_describe(message, flow);
        case frontend::execute: return on_execute(message, flow);
        case frontend::close: return on_close(message, flow);
        default: return Step::fatal;
    }
}

void Tracker::forward(const Message& message, Flow& flow) const { flow.to_backend.pass(message.bytes); }

// The message must wait for replies; makes sure that the server sends them.
Tracker::Step Tracker::hold(Flow& flow) {
    if (scope_open_ && flushed_ != outstanding_.pushed()) {
        flush(flow.to_backend.own());
        flushed_ = outstanding_.pushed();
    }
    return Step::hold;
}

// Called before the first message of a segment: the statements of a transaction that is over need not be kept.
void Tracker::start_record() noexcept {
    if (!transaction_over_ || !outstanding_.empty() || status_ != 'I' || scope_open_) return;
    transcript_.clear();
    transaction_over_ = false;
}

// While the server takes CopyData it ignores Sync and Flush, and anything else ends the copy with an error.
Tracker::Step Tracker::on_copying(const Message& message, Flow& flow) {
    if (message.type == frontend::sync || message.type == frontend::flush) return Step::taken;
    if (message.type != frontend::copy_data) copy_in_ = false;
    forward(message, flow);
    start_stream(message, Rest::forward);
    return Step::taken;
}

// Copy messages outside of a copy are ignored by the server; they may also be ahead of its CopyInResponse.
Tracker::Step Tracker::on_copy_message(const Message& message, Flow& flow) {
    if (skipping_ || outstanding_.empty()) {
        start_stream(message, Rest::discard);
        return Step::taken;
    }
    forward(message, flow);
    start_stream(message, Rest::forward);
    if (message.type != frontend::copy_data) outstanding_.push({.type = frontend::copy_done});
    return Step::taken;
}

Tracker::Step Tracker::on_query(const Message& message, Flow& flow) {
    std::string_view sql = wire::as_text(message.body());
    const std::size_t end = sql.find('\0');
    if (message.whole() && end != sql.size() - 1) return Step::fatal;
    sql = sql.substr(0, end);
    Digest what;
    if (message.whole()) {
        what = digest(sql);
    } else {
        start_scan(sql);
        what = digester_->digest();
        what.hint = wire::read_hint(sql);
        // The statement that goes on behind what is seen.
        const Statement& last = scanner_->statement();
        const bool prepared = last.kind == Kind::prepare || last.kind == Kind::execute;
        what.names |= prepared || last.kind == Kind::deallocate || (last.marks & mark::executes) != 0;
    }
    const bool refused = options_.mode == wire::LeaseMode::statement && what.begins;
    const bool ours = !scope_open_ && message.whole() && status_ != 'E' && names_.given_up(what) != nullptr;
    if (refused || ours) {
        digester_.reset();
        scanner_.reset();
        if (!outstanding_.empty() || reply_left_ > 0) return hold(flow);
        if (refused) say(Fault::begin_refused, {}, flow.to_client);
        if (ours) {
            names_.remove(*names_.given_up(what));
            unnamed_.send_drop();
            unnamed_.confirm(0);
            in_sync_ = lease_->unnamed == UnnamedOwner{};
            command_complete(flow.to_client.own(), "DEALLOCATE");
        }
        start_stream(message, Rest::discard);
        ready_after_ = !message.whole();
        if (!ready_after_) ready_for_query(flow.to_client.own(), status_);
        return Step::taken;
    }
    const std::string_view text_told = sql;
    std::optional<Restated> anew = message.whole() ? restated(what, sql) : std::nullopt;
    if (anew) sql = anew->sql;
    std::optional<ResolvedNames> names;
    const bool streamed = streams_reserved();
    if (what.names || what.lists_prepared || streamed) {
        if (!message.whole() && message.size <= waited_for_names) {
            digester_.reset();
            scanner_.reset();
            return hold(flow);
        }
        // In a failed transaction nothing can be prepared for it; what is on its way may end that.
        if (uncertain() || (status_ == 'E' && !outstanding_.empty())) return hold(flow);
        if (streamed) return refuse_query(message, "a reserved name in a text of this length", flow);
    }
    if (message.whole() && (what.names || what.lists_prepared)) {
        if (replay_ == Replay::due && !scope_open_) return replay_alone(flow);  // what the text needs ends with a Sync
        const wire::Hint hint = what.hint;
        names = resolve(sql, false);
        if (!names->refusal.empty()) return refuse_query(message, names->refusal, flow);
        what = names->digest;
        what.hint = hint;
    }
    if ((what.touches && (what.names_sequences || !own_numbers())) || !message.whole()) {
        if (const std::optional<Step> step = clear_numbers(what, message, flow)) return *step;
    }
    const std::string_view sent = names ? std::string_view(names->sql) : sql;
    std::vector<ListenPart> listens;
    if (listens_somewhere(what) && message.whole() && !prepare_to_listen(what, sent, listens)) return Step::errand;
    if (listening_ && message.whole()) {
        if (const std::optional<Step> step = begin_along(&what, flow)) return *step;
    }
    if (names) put_in_front(*names, flow);
    for (const ListenPart& part : listens) listen_along(part.order, flow);
    std::optional<SettingSteps> steps;
    if (message.whole() && what.touches_settings(trail_ != nullptr)) {
        if ((names && names->hidden) || (anew && (in_the_dark() || !understood(anew->steps)))) {
            distrust(what);
        } else if (!anew) {
            steps = read_steps(what, text_told);
        }
    }
    if (replay_ == Replay::due) replay(flow);
    start_record();
    const std::uint32_t text = transcript_.add(text_told);
    std::uint16_t all = static_cast<std::uint16_t>(bits(what) | Request::drops_unnamed);
    if (!message.whole()) all |= Request::partial;
    if (!listens.empty() && !asks_alone(listens, sent)) all |= Request::listens;
    if (what.drops_statements) ++dropping_;
    const std::uint64_t number = scope_open_ ? scope_ - 1 : scope_++;
    outstanding_.push({.type = frontend::query, .bits = all, .text = text, .number = number});
    if ((all & (Request::begins | Request::commits | Request::rolls_back)) != 0 && message.whole() && !names && !anew)
        keep_harmless(message);
    if (watching_) watch_query(text_told, message.size - header_size - 1);
    if (anew) {
        follow(std::move(anew->steps), std::move(anew->places));
    } else if (steps) {
        follow(std::move(*steps));
    }
    unnamed_.send_drop();
    if (scope_open_ && !unnamed_settled()) unnamed_scope_ = scope_;
    in_sync_ = true;
    apply(what);
    if (listens.empty() && listening_ && listening_->anything()) listening_->note_others(sql, outstanding_.pushed());
    const bool renamed = names && !names->sent.rewriting.empty();
    if (!listens.empty()) {
        query_listening(sent, listens, flow);
    } else if (renamed || anew) {
        query(flow.to_backend.own(), sent);
    } else {
        forward(message, flow);
    }
    if (renamed) follow_names(std::move(names->sent), number);
    start_stream(message, Rest::forward);
    return Step::taken;
}

Tracker::Step Tracker::on_function_call(const Message& message, Flow& flow) {
    const Digest what = called(message.body());
    if (const std::optional<Step> step = clear_numbers(what, message, flow)) return *step;
    if (replay_ == Replay::due) replay(flow);
    start_record();
    const std::uint32_t text = transcript_.add("function call");
    std::uint16_t all = Request::single;
    if (!message.whole()) all |= Request::partial;
    outstanding_.push(
        {.type = frontend::function_call, .bits = all, .text = text, .number = scope_open_ ? scope_ - 1 : scope_++});
    if (watching_) watch_call();
    soiled_ = lease_->seeded = true;  // whatever the function does
    pin_fresh(PinKind::unseen, {});
    if (what.names_sequences) pin_fresh(PinKind::last_value, {});
    touch_numbers(true);
    forward(message, flow);
    start_stream(message, Rest::forward);
    return Step::taken;
}

Tracker::Step Tracker::on_execute(const Message& message, Flow& flow) {
    wire::Cursor cursor(message.body());
    const std::string_view portal = cursor.cstring();
    cursor.skip(4);
    if (!cursor.ok()) return Step::fatal;
    if (portal.empty() && !portal_deallocates_.empty()) return execute_deallocate(message, flow);
    if (listening_ && portal.empty() && listening_->portal) return execute_listening(message, flow);
    if (portal.empty() && portal_names_ && portal_names_->sent.steps.front().kind == NameStep::Kind::add)
        return execute_prepare(message, flow);
    begin_scope(flow, false);
    const std::uint16_t what = portal.empty() ? portal_bits_ : named_portal_bits_;
    if ((what & Request::drops) != 0) ++dropping_;
    outstanding_.push({
        .type = frontend::execute,
        .bits = static_cast<std::uint16_t>(what | Request::executes),
        .text = portal_text_,
    });
    if (portal.empty() && portal_names_) follow_names(portal_names_->sent.spelling(), 0);
    if (watching_) watch_execute(portal);
    forward(message, flow);
    if (portal.empty() && !portal_steps_.empty()) execute_steps(std::exchange(portal_steps_, {}), flow);
    if (const auto named = named_portal_steps_.find(portal); named != named_portal_steps_.end())
        execute_steps(named->second.steps, flow);
    return Step::taken;
}

Tracker::Step Tracker::on_sync(const Message& message, Flow& flow) {
    std::uint16_t all = 0;
    if (skipping_) all |= Request::failed;
    outstanding_.push({.type = frontend::sync, .bits = all, .number = scope_++});
    if (watching_) watch_sync();
    scope_open_ = skipping_ = false;
    forward(message, flow);
    return Step::taken;
}

}  // namespace leasehold::postgres
