// SPDX-License-Identifier: Apache-2.0
// A client's messages without a backend: what needs none is answered here, what needs one asks for a lease, and what
// comes after a lost transaction is answered as a server with a failed transaction would.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {
namespace {

// So much of a pipeline is collected before a lease is asked for, unless it ends before.
constexpr std::size_t batched = 32 * 1024;

struct ParseFields {
    std::string_view name, sql;
    Bytes tail{};
    bool ok = false;
};
[[nodiscard]] ParseFields parse_fields(Bytes body) noexcept {
    wire::Cursor cursor(body);
    ParseFields fields;
    fields.name = cursor.cstring();
    fields.tail = body.subspan(cursor.position());
    fields.sql = cursor.cstring();
    fields.ok = cursor.ok();
    return fields;
}

[[nodiscard]] std::string_view query_text(Bytes body) noexcept {
    const std::string_view text = wire::as_text(body);
    return text.substr(0, text.find('\0'));
}

}  // namespace

// What a server would have said itself is said as it would.
void Tracker::say(Fault fault, std::string_view detail, wire::Outbox& to_client) const {
    const bool own = scope(fault) == postgres::Scope::ends || fault == Fault::transaction_lost ||
                     fault == Fault::outcome_unknown || fault == Fault::limit_exceeded;
    error_response(to_client.own(), severity(fault), failure(fault, detail),
                   own ? std::string_view(options_.identity) : std::string_view());
}

Tracker::Step Tracker::local_message(const Message& message, Bytes rest, Flow& flow) {
    start_stream(message, Rest::discard);
    switch (message.type) {
        case frontend::terminate: return Step::close;
        case frontend::flush:
        case frontend::copy_data:
        case frontend::copy_done:
        case frontend::copy_fail: return Step::taken;
        default: break;
    }
    if (refused_) return refused_message(message, flow);
    if (message.type == frontend::sync) {
        skipping_ = false;
        if (lost_ != Lost::no && !ends_at_sync_ && lost_ == Lost::unheard) lost_error(false, flow.to_client);
        const bool over = ends_at_sync_ || lost_implicit_;
        ready_for_query(flow.to_client.own(), over ? 'I' : local_status());
        if (over) clear_lost();
        return Step::taken;
    }
    if (skipping_) return Step::taken;
    if (lost_ != Lost::no) return lost_message(message, rest, flow);
    return local_request(message, rest, flow);
}

// The error has been sent: the request that it is about is taken now.
Tracker::Step Tracker::refused_message(const Message& message, Flow& flow) {
    refused_ = false;
    if (message.type == frontend::query || message.type == frontend::function_call || message.type == frontend::sync) {
        ready_after_ = !message.whole();
        if (!ready_after_) ready_for_query(flow.to_client.own(), local_status());
    } else {
        skipping_ = true;
    }
    return Step::taken;
}

Tracker::Step Tracker::local_request(const Message& message, Bytes rest, Flow& flow) {
    if (identity_refused_ && !aside_ && message.whole()) set_identity_aside(message, rest);
    switch (message.type) {
        case frontend::query: {
            if (!message.whole()) return Step::lease;
            if (wire::as_text(message.body()).find('\0') != message.body().size() - 1) return Step::fatal;
            if (refuse_begin(message, flow)) {
                ready_for_query(flow.to_client.own(), 'I');
                return Step::taken;
            }
            const std::string_view sql = query_text(message.body());
            if (!sql.empty() && (sql.front() | 0x20) == 'l') {  // LISTEN
                const ListenOrder order = listen_order(digest(sql), sql);
                if (order.kind == ListenOrder::Kind::listen && must_ask(order)) return Step::errand;
            }
            if (names_.size() > 0 && !sql.empty()) {
                const Digest what = digest(sql);
                Namespace::Named* named = names_.given_up(what);
                if (named == nullptr) return Step::lease;
                names_.remove(*named);
                names_.settle();
                unnamed_.send_drop();
                unnamed_.confirm(0);
                command_complete(flow.to_client.own(), "DEALLOCATE");
                ready_for_query(flow.to_client.own(), 'I');
                return Step::taken;
            }
            return Step::lease;
        }
        case frontend::function_call: return Step::lease;
        case frontend::parse:
            if (message.whole() && !parse_fields(message.body()).ok) return Step::fatal;
            if (message.whole() && refuse_begin(message, flow)) {
                skipping_ = true;
                return Step::taken;
            }
            return batch(rest);
        case frontend::close: {
            wire::Cursor cursor(message.body());
            const std::uint8_t kind = cursor.u8();
            const std::string_view name = cursor.cstring();
            if (!cursor.ok()) return Step::fatal;
            if (kind != 'S') return batch(rest);
            close_locally(name, flow.to_client);
            return Step::taken;
        }
        default: return batch(rest);
    }
}

// Statement mode: whether the message would begin a transaction; it has its error then.
bool Tracker::refuse_begin(const Message& message, Flow& flow) {
    if (options_.mode != wire::LeaseMode::statement) return false;
    const bool parse = message.type == frontend::parse;
    if (!digest(parse ? parse_fields(message.body()).sql : query_text(message.body())).begins) return false;
    say(Fault::begin_refused, {}, flow.to_client);
    return true;
}

// A pipeline is given to a backend in one piece: waits for its Sync or Flush.
Tracker::Step Tracker::batch(Bytes rest) {
    std::size_t at = 0;
    while (at < batched) {
        const std::optional<Header> header = peek(rest.subspan(at));
        if (!header) return Step::hold;
        if (!acceptable(*header, Sender::client, Stage::session)) return Step::fatal;
        switch (header->type) {
            case frontend::sync:
            case frontend::flush:
            case frontend::query:
            case frontend::function_call: return Step::lease;
            case frontend::terminate: return Step::close;
            default: break;
        }
        at += header->size();
        if (at > rest.size()) return at >= batched && rest.size() >= batched ? Step::lease : Step::hold;
    }
    return Step::lease;
}

void Tracker::close_locally(std::string_view name, wire::Outbox& to_client) {
    if (name.empty()) {
        unnamed_.send_drop();
        unnamed_.confirm(0);
    } else if (Namespace::Named* named = names_.find(name)) {
        names_.remove(*named);
        names_.settle();
    }
    close_complete(to_client.own());
}

// --- after a loss ------------------------------------------------------------------------------------------------

void Tracker::clear_lost() noexcept {
    lost_ = Lost::no;
    lost_implicit_ = ends_at_sync_ = false;
    status_ = 'I';
    lost_why_.clear();
}

// What a session without its transaction may still do: roll back; and COMMIT, once it knows, which rolls back.
bool Tracker::lost_accepts(const Digest& digest) const noexcept {
    return digest.rolls_back() || (lost_ == Lost::heard && digest.commits());
}

// `ends`: it was a COMMIT, after which there is no transaction in any case.
void Tracker::lost_error(bool ends, wire::Outbox& to_client) {
    if (lost_ == Lost::unheard) {
        say(Fault::transaction_lost, lost_why_, to_client);
    } else {
        say(Fault::transaction_aborted, {}, to_client);
    }
    lost_ = Lost::heard;
    ends_at_sync_ = ends;
}

Tracker::Step Tracker::lost_message(const Message& message, Bytes rest, Flow& flow) {
    switch (message.type) {
        case frontend::query: return lost_query(message, rest, flow);
        case frontend::function_call:
            lost_error(lost_implicit_, flow.to_client);
            ready_after_ = !message.whole();
            if (!ready_after_) ready_for_query(flow.to_client.own(), local_status());
            if (lost_implicit_) clear_lost();
            return Step::taken;
        default: return lost_extended(message, rest, flow);
    }
}

Tracker::Step Tracker::lost_query(const Message& message, Bytes rest, Flow& flow) {
    const std::string_view sql = query_text(message.body());
    if (message.whole() && wire::as_text(message.body()).find('\0') != message.body().size() - 1) return Step::fatal;
    const Digest what = digest(sql);
    wire::Writer& to = flow.to_client.own();
    if (lost_implicit_) {
        lost_error(true, flow.to_client);
    } else if (message.whole() && lost_accepts(what)) {
        command_complete(to, "ROLLBACK");
        ends_at_sync_ = true;
    } else if (what.discards || (what.first == Kind::rollback && !what.chains)) {
        // It clears the state unheard, and what else it says is a backend's to do.
        clear_lost();
        return local_request(message, rest, flow);
    } else if (lost_ == Lost::heard && message.whole() && what.statements == 0) {
        empty_query_response(to);
    } else {
        // With a COMMIT in front of others nothing of the string is done either.
        lost_error(what.first == Kind::commit && !what.chains, flow.to_client);
    }
    const bool over = ends_at_sync_;
    if (over) clear_lost();
    ready_after_ = !message.whole();
    if (!ready_after_) ready_for_query(flow.to_client.own(), local_status());
    return Step::taken;
}

const Digest* Tracker::statement_digest(std::string_view name) noexcept {
    if (name.empty()) return unnamed_.digest();
    Namespace::Named* named = names_.find(name);
    return named == nullptr ? nullptr : &named->second->digest;
}

void Tracker::parse_locally(const Message& message, std::string_view name, Bytes tail, const Digest& digest) {
    if (name.empty()) {
        unnamed_.confirm(unnamed_.send(digest, message.bytes));
    } else if (TextRef text = cache().intern({wire::as_text(tail), conforming_},
                                             [&digest](PreparedText& made) { made.digest = digest; })) {
        names_.add(name, std::move(text));
    }
}

// What a message of the extended protocol is about: a statement that a lost session may still run, or not.
struct Tracker::LostRequest {
    std::uint8_t kind = 0;         // Describe, Close: 'S' or 'P'
    std::string_view name{};       // of a statement; of a Parse, the new one
    Bytes tail{};                  // Parse: behind the name
    std::optional<Digest> what{};  // of the statement, when it is known
    bool ok = true;
};

Tracker::LostRequest Tracker::lost_request(const Message& message) {
    LostRequest request;
    wire::Cursor cursor(message.body());
    if (message.type == frontend::parse) {
        const ParseFields fields = parse_fields(message.body());
        request.ok = fields.ok || !message.whole();
        request.name = fields.name;
        request.tail = fields.tail;
        request.what = digest(query_text(fields.tail));
        return request;
    }
    if (message.type == frontend::bind) (void)cursor.cstring();
    if (message.type == frontend::describe || message.type == frontend::close) request.kind = cursor.u8();
    if (message.type == frontend::execute) return request;
    request.name = cursor.cstring();
    request.ok = cursor.ok();
    const Digest* known = request.kind == 'P' ? nullptr : statement_digest(request.name);
    if (known != nullptr) request.what = *known;
    return request;
}

Tracker::Step Tracker::lost_extended(const Message& message, Bytes rest, Flow& flow) {
    const LostRequest request = lost_request(message);
    if (!request.ok) return Step::fatal;
    if (message.type == frontend::close) {
        if (request.kind == 'S') {
            close_locally(request.name, flow.to_client);
        } else {
            close_complete(flow.to_client.own());
        }
        return Step::taken;
    }
    if (!lost_implicit_ && request.what && request.what->discards) {
        clear_lost();
        return local_request(message, rest, flow);
    }
    const bool describes = message.type == frontend::describe && request.kind != 'S';
    const bool of_portal = message.type == frontend::execute || describes;
    const bool runs = of_portal ? lost_portal_ : request.what && lost_accepts(*request.what);
    const bool taken = message.type == frontend::parse && !request.name.empty() && names_.find(request.name) != nullptr;
    if (runs && !taken && !lost_implicit_ && message.whole()) {
        accept_lost(message, request, flow.to_client);
        return Step::taken;
    }
    if (lost_ == Lost::heard && message.type == frontend::bind && !request.what) {
        say(Fault::unknown_statement, request.name, flow.to_client);
    } else if (taken && runs) {
        say(Fault::duplicate_statement, request.name, flow.to_client);
    } else {
        lost_error(lost_implicit_ || (request.what && request.what->commits()), flow.to_client);
    }
    lost_portal_ = false;
    skipping_ = true;
    return Step::taken;
}

// A step of a ROLLBACK that no server has to do.
void Tracker::accept_lost(const Message& message, const LostRequest& request, wire::Outbox& to_client) {
    wire::Writer& to = to_client.own();
    switch (message.type) {
        case frontend::parse:
            parse_locally(message, request.name, request.tail, *request.what);
            parse_complete(to);
            break;
        case frontend::bind:
            bind_complete(to);
            lost_portal_ = true;
            break;
        case frontend::describe:
            if (request.kind == 'S') {
                const Framed none(to, backend::parameter_description);
                to.u16be(0);
            }
            no_data(to);
            break;
        default:  // Execute
            command_complete(to, "ROLLBACK");
            lost_portal_ = false;
            clear_lost();
            break;
    }
}

}  // namespace leasehold::postgres
