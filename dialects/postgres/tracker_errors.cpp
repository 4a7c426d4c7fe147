// SPDX-License-Identifier: Apache-2.0
// The server's errors: which request they answer, and passing them on under the client's names.
#include "dialects/postgres/tracker.hpp"

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

// Replaces a backend's name for a statement by the client's, wherever it stands as a word of its own.
void put_replaced(wire::Writer& to, std::string_view text, std::string_view from, std::string_view name) {
    for (;;) {
        const std::size_t at = text.find(from);
        if (at == std::string_view::npos) break;
        const std::size_t after = at + from.size();
        const bool longer = after < text.size() && text[after] >= '0' && text[after] <= '9';
        to.text(text.substr(0, at));
        to.text(longer ? from : name);
        text.remove_prefix(after);
    }
    to.cstring(text);
}

}  // namespace

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
        if (request.reply != Request::Reply::poison || effect == nullptr) return Passing::pass;
        say(effect->fault, effect->text, to_client);
        return Passing::drop;
    }
    Passing passing = Passing::pass;
    if (request.reply == Request::Reply::poison && effect != nullptr) {
        say(effect->fault, effect->text, to_client);
        passing = Passing::drop;
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
    wire::Cursor cursor(body);
    for (;;) {
        const std::uint8_t code = cursor.u8();
        if (code == 0 || !cursor.ok()) break;
        const std::string_view text = cursor.cstring();
        if (!cursor.ok()) break;
        out.u8(code);
        if (code == 'S' || code == 'V' || code == 'C') {
            out.cstring(text);
        } else {
            put_replaced(out, text, from, to);
        }
    }
    out.u8(0);
}

}  // namespace leasehold::postgres
