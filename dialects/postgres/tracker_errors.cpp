// SPDX-License-Identifier: Apache-2.0
// The server's errors: which request they answer, and passing them on under the client's names.
#include "dialects/postgres/tracker.hpp"

#include <cstdlib>

namespace leasehold::postgres {
namespace {

// The severity of an error whose end may be missing.
[[nodiscard]] std::string_view severity_in(Bytes body) noexcept {
    std::string_view severity;
    wire::Cursor cursor(body);
    for (std::uint8_t code = cursor.u8(); code != 0 && cursor.ok(); code = cursor.u8()) {
        const std::string_view text = cursor.cstring();
        if (code == 'V') return text;  // never translated
        if (code == 'S') severity = text;
    }
    return severity;
}

// "cached plan must not change result type": whoever parses the text anew must have it parsed by the server.
[[nodiscard]] bool is_stale_plan(Bytes body) noexcept {
    bool state = false, routine = false;
    wire::Cursor cursor(body);
    for (std::uint8_t code = cursor.u8(); code != 0 && cursor.ok(); code = cursor.u8()) {
        const std::string_view text = cursor.cstring();
        if (code == 'C') state = text == "0A000";
        if (code == 'R') routine = text == "RevalidateCachedQuery";
    }
    return state && routine;
}

// It tells the name of a statement: unknown, taken, its parameters are too many or too few, or a syntax error at its name.
// Elsewhere the same word is the client's own: a column may be called lh_3.
[[nodiscard]] bool tells_statement(Bytes body) noexcept {
    const std::string_view state = sqlstate_in(body);
    return state == "26000" || state == "42P05" || state == "42601" || state == "08P01";
}

}  // namespace

std::string with_name(std::string_view text, std::string_view from, std::string_view name) {
    std::string made;
    for (;;) {
        const std::size_t at = text.find(from);
        if (at == std::string_view::npos) break;
        const std::size_t after = at + from.size();
        const bool longer = after < text.size() && text[after] >= '0' && text[after] <= '9';
        made += text.substr(0, at);
        made += longer ? from : name;
        text.remove_prefix(after);
    }
    return made += text;
}

Tracker::Passing Tracker::on_error(Bytes body, wire::Outbox& to_client) {
    hidden_.undone = true;
    const std::string_view severity = severity_in(body);
    if (severity == "FATAL" || severity == "PANIC") return Passing::lost;
    if (outstanding_.empty()) return Passing::fatal;
    copy_in_ = false;
    if (trail_) trail_->failed();
    if (watching_) watch_error(body);
    Request& request = outstanding_.front();
    if (request.has(Request::listens)) {
        pass_listening_error(body, to_client);
        request.bits |= Request::failed;
        if (!request.readies()) fail_scope();
        return Passing::drop;
    }
    const Effect* effect = outstanding_.of_front();
    if (request.readies()) {
        request.bits |= Request::failed;
        if (request.reply == Request::Reply::poison && effect != nullptr && !cut_) {
            say(effect->fault, effect->text, to_client);
            return Passing::drop;
        }
        return !cut_ && write_own_error(body, to_client) ? Passing::drop : Passing::pass;
    }
    Passing passing = Passing::pass;
    if (in_front()) {
        if (cut_) return Passing::lost;
        end_front(body);
        fail_scope();
        return Passing::drop;
    }
    if (request.reply == Request::Reply::poison && effect != nullptr && !cut_) {
        say(effect->fault, effect->text, to_client);
        passing = Passing::drop;
    } else if (!cut_ && request.reply == Request::Reply::pass && write_own_error(body, to_client)) {
        passing = Passing::drop;
    } else if (cut_) {
        // As it is: what is passed on in pieces is not written anew.
    } else if (effect != nullptr) {
        write_patched_error(body, BackendName(effect->id).view(), effect->text, to_client);
        passing = Passing::drop;
    } else if (request.named != nullptr && request.named->second) {
        if (is_stale_plan(body)) lease_->statements.age(request.named->second->id);
        write_patched_error(body, BackendName(request.named->second->id).view(), request.named->first, to_client);
        passing = Passing::drop;
    }
    fail_scope();
    return passing;
}

void Tracker::write_patched_error(Bytes body, std::string_view from, std::string_view to,
                                  wire::Outbox& to_client) const {
    const Framed framed(to_client.own(), backend::error);
    wire::Writer& out = to_client.own();
    const bool tells = tells_statement(body);
    wire::Cursor cursor(body);
    for (;;) {
        const std::uint8_t code = cursor.u8();
        if (code == 0 || !cursor.ok()) break;
        const std::string_view text = cursor.cstring();
        if (!cursor.ok()) break;
        out.u8(code);
        if (!tells || code == 'S' || code == 'V' || code == 'C') {
            out.cstring(text);
        } else {
            out.cstring(with_name(text, from, to));
        }
    }
    out.u8(0);
}

// The request in front was put in front of a Query, with others.
bool Tracker::in_front() const noexcept {
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        if (outstanding_[i].readies()) return outstanding_[i].reply == Request::Reply::swallow;
    }
    return false;
}

// Something that a Query needs could not be prepared: its own error says so, if it comes to that.
void Tracker::end_front(Bytes body) {
    std::size_t last = 0;
    while (outstanding_[last].type != frontend::sync) ++last;
    if (name_trail_) name_trail_->front_failed(outstanding_.first() + last, body);
}

// An error of a text that was written anew: its names and its place are the client's.
bool Tracker::write_own_error(Bytes body, wire::Outbox& to_client) {
    SentNames* sent = name_trail_ ? name_trail_->find(outstanding_.first()) : nullptr;
    const Rewriting* places = trail_ ? trail_->places(outstanding_.first()) : nullptr;
    if (sent == nullptr && places == nullptr) return false;
    std::vector<std::uint8_t> front;
    const std::string_view state = sqlstate_in(body);
    const bool instead = sent != nullptr && !sent->front_error.empty() && (state == "26000" || state == "25P02");
    if (instead) {
        front = std::move(sent->front_error);
        body = front;
    }
    const bool tells = sent != nullptr && tells_statement(body);
    wire::Writer patched;
    wire::Cursor cursor(body);
    for (std::uint8_t code = cursor.u8(); code != 0 && cursor.ok(); code = cursor.u8()) {
        std::string text(cursor.cstring());
        if (!cursor.ok()) break;
        if (code == 'P' && !instead) {
            auto place = static_cast<std::size_t>(std::strtoul(text.c_str(), nullptr, 10));
            if (sent != nullptr) place = sent->rewriting.back(place);
            text = std::to_string(places != nullptr ? places->back(place) : place);
        } else if (tells && (code == 'M' || code == 'D' || code == 'H' || code == 'W')) {
            for (const auto& [id, name] : sent->renames) text = with_name(text, BackendName(id).view(), name);
        }
        patched.u8(code);
        patched.cstring(text);
    }
    patched.u8(0);
    const Framed framed(to_client.own(), backend::error);
    to_client.own().append(patched.bytes());
    return true;
}

}  // namespace leasehold::postgres
