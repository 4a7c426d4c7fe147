// SPDX-License-Identifier: Apache-2.0
// LISTEN and UNLISTEN without keeping a backend: another connection hears for all sessions, the session's transaction gets a
// mark in place of the statement, and notifications reach the client between its transactions: those said before it ended,
// its own above all, in front of its ReadyForQuery.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace leasehold::postgres {
namespace {

using Order = ListenOrder::Kind;

[[nodiscard]] PinKind first_of(std::uint16_t pins) noexcept {
    return pins == 0 ? PinKind::none : static_cast<PinKind>(std::countr_zero(pins) + 1);
}

// Of a mark that an Execute becomes: a statement and a portal beside the client's own.
constexpr std::string_view mark_name = "lh_m";

}  // namespace

Listening& Tracker::listening() {
    if (!listening_) listening_ = std::make_unique<Listening>();
    return *listening_;
}

void Tracker::ready(const std::string& channel, const std::string& mark_channel, std::uint64_t session) {
    listening_->ready(channel, mark_channel, session);
}

void Tracker::heard(const wire::AnnouncementPtr& said) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_listen") && said->session == 0) return;
#endif
    listening_->heard(said, !listening_->held && between_transactions());
}

// --- statements --------------------------------------------------------------------------------------------------

// None where the backend itself has to listen: a session that keeps it anyway, or whose encoding the server would
// translate what it says to.
ListenOrder Tracker::listen_order(const Digest& what, std::string_view sql) const {
    if (!may_listen(what) || options_.mode == wire::LeaseMode::session) return {};
    if (what.first == Kind::other && !listening_->anything() && !along()) return {};
    ListenOrder order = read_listen(sql);
    if (order.kind == Order::listen && !same_encoding()) return {};
    return order;
}

// The channel has to be heard before its LISTEN can be carried out.
bool Tracker::must_ask(const ListenOrder& order) {
    if (pins_.has(PinKind::listen)) return false;
    Listening& state = listening();
    if (state.hears(order.channel) || !state.has_room() || state.refused == order.channel) return false;
    state.errand = {wire::Errand::Kind::listen, 0, order.channel};
    return true;
}

// False: an errand comes first. `parts` stay empty where the text is the backend's as it is.
bool Tracker::prepare_to_listen(Digest& what, std::string_view sql, std::vector<ListenPart>& parts) {
    if (scope_open_ || options_.mode == wire::LeaseMode::session) return true;
    const bool failed = status_ == 'E';  // it is refused, whatever it is
    const bool pinned = pins_.has(PinKind::listen);
    if (may_listen(what) && what.first == Kind::other) {
        ListenOrder order = listen_order(what, sql);
        if (order && !failed && !pinned) parts.push_back({0, sql.size(), 0, std::move(order)});
        return true;
    }
    std::vector<ListenPart> read = read_listens(sql, conforming_);
    const auto acts = [](const ListenPart& part) { return part.order.kind != Order::channels; };
    const auto first = std::ranges::find_if(read, acts);
    if (first != read.end() && must_catch_up(first->order)) return false;
    bool listens = false, heard = true;
    for (const ListenPart& part : read) {
        if (part.order.kind != Order::listen) continue;
        listens = true;
        if (!same_encoding()) return true;
        if (!failed && must_ask(part.order)) return false;
        heard = heard && listening_ && listening_->hears(part.order.channel);
    }
    if (listening_) listening_->refused.clear();
    if (read.empty() || (listens && !failed && (!heard || pinned))) return true;
    if (listens) {
        what.pins &= static_cast<std::uint16_t>(~bit(PinKind::listen));
        if (what.pin == PinKind::listen) what.pin = first_of(what.pins);
    }
    if (failed || !listening_ || (!listens && pinned)) return true;
    if (!listens && !listening_->anything()) {
        if (!along()) return true;
        std::erase_if(read, acts);  // what it listens to along is not the session's, though nothing else is
    }
    parts = std::move(read);
    return true;
}

// A server has told its client, before UNLISTEN comes, what was said before: so that it is not taken for unwanted.
bool Tracker::must_catch_up(const ListenOrder& order) {
    const bool first = status_ == 'I' && order.kind != Order::listen && order.kind != Order::channels;
    if (!first || !listening_ || !listening_->anything() || listening_->deaf()) return false;
    if (std::exchange(listening_->fresh, false)) return false;
    listening_->errand = {wire::Errand::Kind::catch_up, 0, {}};
    return true;
}

bool Tracker::same_encoding() const noexcept {
    const auto ours = told_.find("client_encoding"), theirs = told_.find("server_encoding");
    return ours && theirs && (same_name(*ours, *theirs) || same_name(*ours, "SQL_ASCII"));
}

// The request has been pushed.
void Tracker::query_listening(std::string_view sql, const std::vector<ListenPart>& parts, Flow& flow) {
    if (asks_alone(parts, sql)) {
        query(flow.to_backend.own(), listening_->channels_query(parts.front().order));
        return;
    }
    const bool utf8 = same_name(told_.find("client_encoding").value_or(std::string_view()), "UTF8");
    query(flow.to_backend.own(), listening_->rewrite(sql, parts, outstanding_.pushed(), utf8));
}

Tracker::Passing Tracker::complete_listening(wire::Outbox& to_client) {
    const std::uint64_t request = outstanding_.first();
    const bool query = outstanding_.front().type == frontend::query;
    const std::string_view tag = listening_->tag(request);
    listening_->statement_done(request);
    if (!tag.empty()) command_complete(to_client.own(), tag);
    const Passing passing = query ? Passing::pass : confirm(frontend::execute);
    return tag.empty() ? passing : Passing::drop;
}

// An error of a text with marks in it: "cannot execute NOTIFY during recovery", and where in the client's own text.
void Tracker::pass_listening_error(Bytes body, wire::Outbox& to_client) {
    const std::string_view tag = listening_->tag(outstanding_.first());
    wire::Writer out;
    wire::Cursor cursor(body);
    for (std::uint8_t code = cursor.u8(); code != 0 && cursor.ok(); code = cursor.u8()) {
        const std::string_view text = cursor.cstring();
        if (!cursor.ok()) break;
        out.u8(code);
        std::size_t position = 0;
        const std::size_t word = code == 'M' && !tag.empty() ? text.find("NOTIFY") : std::string_view::npos;
        if (code == 'P' && std::from_chars(text.data(), text.data() + text.size(), position).ec == std::errc()) {
            out.cstring(std::to_string(listening_->original(outstanding_.first(), position)));
        } else if (word != std::string_view::npos) {
            out.text(text.substr(0, word));
            out.text(tag);
            out.cstring(text.substr(word + 6));
        } else {
            out.cstring(text);
        }
    }
    out.u8(0);
    if (!cut_ && write_own_error(out.bytes(), to_client)) return;
    const Framed framed(to_client.own(), backend::error);
    to_client.own().append(out.bytes());
}

// The request that it is for has been pushed.
std::string Tracker::instead_of(const ListenOrder& order) {
    if (order.kind == Order::channels) return listening_->channels_query(order);
    return listening_->mark(order, outstanding_.pushed());
}

void Tracker::bind_listening(std::string_view portal, Digest& what, std::string_view sql) {
    if (!portal.empty()) return;
    ListenOrder order = listen_order(what, sql);
    if (order.kind == Order::listen) {
        what.pin = PinKind::none;  // unless nobody else can hear it, as its Execute will tell
        what.pins = 0;
    }
    if (order || listening_) listening().portal = std::move(order);
}

// The client's portal stays unexecuted; it has no columns but those of pg_listening_channels().
Tracker::Step Tracker::execute_listening(const Message& message, Flow& flow) {
    const ListenOrder& order = listening_->portal;
    if (must_catch_up(order)) return Step::errand;
    bool ours = listening_->anything() || (order.kind == Order::channels && along());
    if (order.kind == Order::listen) {
        if (must_ask(order)) return Step::errand;
        ours = listening_->hears(order.channel) && !pins_.has(PinKind::listen);
        listening_->refused.clear();
        if (!ours) pin_fresh(PinKind::listen, {});
    }
    begin_scope(flow, false);
    if (ours) listen_along(order, flow);
    const auto what = static_cast<std::uint16_t>(portal_bits_ | Request::executes);
    if (!ours) {
        outstanding_.push({.type = frontend::execute, .bits = what, .text = portal_text_});
        if (watching_) watch_execute({});
        forward(message, flow);
        return Step::taken;
    }
    constexpr Request::Reply unseen = Request::Reply::swallow;
    const bool marks = order.kind != Order::channels;
    for (int i = 0; i < 2; ++i) outstanding_.push({.type = frontend::close, .reply = unseen});
    outstanding_.push({.type = frontend::parse, .reply = unseen});
    outstanding_.push({.type = frontend::bind, .reply = unseen});
    outstanding_.push({.type = frontend::execute,
                       .bits = static_cast<std::uint16_t>(what | (marks ? Request::listens : 0)),
                       .text = portal_text_});
    if (watching_) watch_execute({});
    const std::string sql = instead_of(order);
    for (int i = 0; i < 2; ++i) outstanding_.push({.type = frontend::close, .reply = unseen});
    wire::Writer& to = flow.to_backend.own();
    close(to, 'P', mark_name);  // what a failed pipeline may have left
    close(to, 'S', mark_name);
    parse(to, mark_name, sql);
    bind_message(to, mark_name, mark_name);
    execute(to, mark_name);
    close(to, 'P', mark_name);
    close(to, 'S', mark_name);
    return Step::taken;
}

// --- what was heard ----------------------------------------------------------------------------------------------

const wire::Errand& Tracker::errand() const noexcept {
    return listening_ ? listening_->errand : wire::Tracker::errand();
}

wire::Aftermath Tracker::carried_out(const wire::Diagnostics* error, wire::Outbox& to_client) {
    if (!listening_) return wire::Aftermath::lives;
    if (listening_->errand.kind == wire::Errand::Kind::listen) {
        if (error != nullptr) listening_->refused = listening_->errand.request;
    } else if (listening_->held) {
        if (error == nullptr) listening_->caught_up();
        release_ready(to_client);
    } else {
        listening_->keep_waiting();
        listening_->fresh = true;
    }
    return wire::Aftermath::lives;
}

bool Tracker::resumes() const noexcept {
    return again_.due || (listening_ && (listening_->held || (listening_->waiting() && between_transactions())));
}

bool Tracker::between_transactions() const noexcept {
    return lost_ == Lost::no && !refused_ && outstanding_.empty() && status() == wire::TransactionStatus::idle &&
           !skipping_ && !copy_in_ && reply_left_ == 0 && request_left_ == 0;
}

// A server says what it has heard before it is ready. Here the ear says so first.
bool Tracker::holds_ready() noexcept {
    if (!boundary() || listening_->deaf() || listening_->left) return false;
    if (!listening_->anything()) listening_->release_unused();
    if (!listening_->anything() && !listening_->waiting() && !listening_->has_unwanted()) return false;
    listening_->errand = {wire::Errand::Kind::catch_up, 0, {}};
    return listening_->held = true;
}

void Tracker::release_ready(wire::Outbox& to_client) {
    listening_->held = false;
    listening_->deliver(to_client.own());
    ready_for_query(to_client.own(), 'I');
}

}  // namespace leasehold::postgres
