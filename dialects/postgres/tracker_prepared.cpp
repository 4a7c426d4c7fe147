// SPDX-License-Identifier: Apache-2.0
// Prepared statements of a session that changes backends: a client's names become the backend's, what a backend does not
// hold is parsed on it first, and whatever is wrong is left to the server to complain about, in its place.
//
// Nothing here may rest on a reply that could still fail. A statement that an earlier pipeline segment prepares or
// drops is certain only when that segment is answered; a later segment that names one waits until then.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

// A message whose statement name is replaced: header, what stands before the name, the name; the rest follows.
void put_renamed(wire::Writer& to, std::uint8_t type, std::size_t old_size, std::string_view before,
                 std::size_t old_name, std::string_view name) {
    to.u8(type);
    to.u32be(static_cast<std::uint32_t>(old_size - 1 - old_name + name.size()));
    to.text(before);
    to.cstring(name);
}

constexpr std::uint64_t nobody = 0;  // lh_0 is never prepared

// A Parse of the unnamed statement "UNLISTEN lh_0": no row, no effect, refused in a failed transaction and allowed on a
// standby, as is the DEALLOCATE in whose place it stands.
constexpr std::array<std::uint8_t, 22> instead_of_deallocate{'P', 0,   0,   0,   21,  0,   'U', 'N', 'L', 'I', 'S',
                                                             'T', 'E', 'N', ' ', 'l', 'h', '_', '0', 0,   0,   0};

}  // namespace

StatementCache& Tracker::cache() {
    if (!cache_) cache_ = StatementCache::local(options_.max_statement_cache_bytes);
    if (lease_ != nullptr && !lease_->cache) lease_->cache = cache_;
    return *cache_;
}

// The first message of a segment is certain to be looked at by the server: the place to put away another session's
// unnamed statement. A Parse of our own does so by itself.
void Tracker::begin_scope(Flow& flow, bool parses_unnamed) {
    if (scope_open_) return;
    if (replay_ == Replay::due) replay(flow);
    start_record();
    scope_open_ = true;
    if (in_sync_) return;
    if (parses_unnamed) {
        in_sync_ = true;
        return;
    }
    if (lease_->unnamed != UnnamedOwner{}) {
        close(flow.to_backend.own(), 'S', "");
        outstanding_.push({.type = frontend::close, .reply = Request::Reply::swallow});
        lease_->unnamed = {};
    }
    in_sync_ = unnamed_.sent() == 0;
}

void Tracker::inject_close(std::uint64_t id, Flow& flow) {
    close(flow.to_backend.own(), 'S', BackendName(id).view());
    outstanding_.push({.type = frontend::close, .reply = Request::Reply::swallow});
    outstanding_.add({.kind = Effect::Kind::backend_remove, .id = id});
    lease_->statements.remove(id);
    change_scope_ = scope_;
}

void Tracker::make_room(Flow& flow) {
    for (std::uint64_t id = lease_->statements.surplus(); id != 0; id = lease_->statements.surplus()) {
        inject_close(id, flow);
    }
}

// `later`: bytes of the tail that are still to come from the client.
void Tracker::put_parse(std::uint64_t id, Bytes tail, std::size_t later, Flow& flow) const {
    const BackendName name(id);
    wire::Writer& to = flow.to_backend.own();
    to.u8(frontend::parse);
    to.u32be(static_cast<std::uint32_t>(4 + name.view().size() + 1 + tail.size() + later));
    to.cstring(name.view());
    to.append(tail);
}

void Tracker::ensure_held(const PreparedText& text, Flow& flow) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_prepared") || (text.by_sql && switches::on("no_sql_prepared"))) return;
#endif
    if (lease_->statements.touch(text.id) || !text.kept) return;
    make_room(flow);
    if (text.by_sql) {
        run_own("PREPARE " + std::string(BackendName(text.id).view()) + text.tail, flow);
    } else {
        put_parse(text.id, wire::as_bytes(text.tail), 0, flow);
        outstanding_.push({.type = frontend::parse, .reply = Request::Reply::swallow});
    }
    outstanding_.add({.kind = Effect::Kind::backend_add, .id = text.id});
    lease_->statements.add(text.id);
    change_scope_ = scope_;
}

// The settings may have changed since it was prepared. A backend that holds it has the values it was parsed with; another
// one parses it as things stand, which no other session may take for theirs.
void Tracker::ensure_named(Namespace::Named& named, Flow& flow) {
    if (!named.second.source || !resolvable(named) || !ensure_source(named, flow, nullptr)) adopt(named);
    const std::uint64_t id = named.second->id;
    if (named.second->kept && lease_->statements.touch(id) && !lease_->statements.parsed_since(id, named.second.since))
        inject_close(id, flow);
    ensure_held(*named.second, flow);
}

// The session's unnamed statement may have been made on another backend.
void Tracker::ensure_unnamed(Flow& flow) {
    if (unnamed_.message().empty()) return;
    if (unnamed_.digest()->names && unnamed_.digest()->statements == 1 &&
        !std::ranges::equal(unnamed_.message(), instead_of_deallocate))
        return ensure_unnamed_names(flow);
    if (in_sync_) return;
    flow.to_backend.own().append(unnamed_.message());
    note_unnamed_again();
}

// Its Parse has been sent on our account.
void Tracker::note_unnamed_again() {
    outstanding_.push({
        .type = frontend::parse,
        .reply = Request::Reply::swallow,
        .bits = Request::sets_unnamed,
        .number = unnamed_.sent(),
    });
    in_sync_ = true;
    unnamed_scope_ = scope_;
}

Tracker::Step Tracker::on_parse(const Message& message, Flow& flow) {
    wire::Cursor cursor(message.body());
    const std::string_view name = cursor.cstring();
    const Bytes tail = message.body().subspan(cursor.position());
    std::string_view sql = cursor.cstring();
    if (!cursor.ok() && message.whole()) return Step::fatal;
    if (!cursor.ok()) sql = wire::as_text(tail);
    if (watching_) watch_parse(sql, message.whole() ? sql.size() : message.size - header_size - name.size() - 1);
    if (message.whole() && name.empty()) return parse_unnamed(message, sql, flow);
    if (message.whole()) return parse_named(message, name, tail, flow);

    // Too large to be kept: it is streamed, and its session stays where it is.
    start_scan(sql);
    if (streams_reserved()) {
        digester_.reset();
        scanner_.reset();
        start_stream(message, Rest::discard);
        poison(Fault::limit_exceeded, "a reserved name in a text of this length", flow);
        return Step::taken;
    }
    if (cursor.ok()) scanner_.reset();  // only types are left
    if (name.empty()) {
        const Step step = parse_unnamed(message, sql, flow);
        if (step == Step::taken) pin_fresh(PinKind::oversized, {});
        return step;
    }
    return parse_named(message, name, tail, flow);
}

Tracker::Step Tracker::parse_unnamed(const Message& message, std::string_view sql, Flow& flow) {
    const Digest what = message.whole() ? digest(sql) : digester_->digest();
    if (options_.mode == wire::LeaseMode::statement && what.begins) {
        poison(Fault::begin_refused, {}, flow);
        digester_.reset();
        scanner_.reset();
        start_stream(message, Rest::discard);
        return Step::taken;
    }
    if (message.whole() && what.names && what.statements == 1 && names_.given_up(what) == nullptr)
        return parse_unnamed_names(message, sql, what, flow);
    // Executing it gives up a statement that the session knows by a name of its own.
    const bool deallocates = message.whole() && what.only(Kind::deallocate) && names_.size() > 0;
    if (deallocates && uncertain()) return hold(flow);
    if (listening_ && message.whole()) {
        if (const std::optional<Step> step = begin_along(&what, flow)) return *step;
    }
    const bool first = !scope_open_;
    begin_scope(flow, true);
    if (!first && !unnamed_settled()) unnamed_scope_ = scope_;
    in_sync_ = true;
    if (deallocates && names_.given_up(what) != nullptr) {
        const Bytes bytes(instead_of_deallocate);
        const std::uint64_t serial = unnamed_.send(what, bytes);
        outstanding_.push({.type = frontend::parse, .bits = Request::sets_unnamed, .number = serial});
        flow.to_backend.own().append(bytes);
        return Step::taken;
    }
    outstanding_.push({
        .type = frontend::parse,
        .bits = static_cast<std::uint16_t>(Request::sets_unnamed | (message.whole() ? 0 : Request::partial)),
        .number = unnamed_.send(what, message.whole() ? message.bytes : Bytes()),
    });
    forward(message, flow);
    start_stream(message, Rest::forward);
    return Step::taken;
}

Tracker::Step Tracker::parse_named(const Message& message, std::string_view name, Bytes tail, Flow& flow) {
    if (uncertain() || misreadable()) return hold(flow);
    if (names_.find(name) != nullptr) return parse_taken(name, message, tail, flow);
    start_stream(message, Rest::discard);
    if (names_.size() >= options_.prepared_per_client) {
        poison(Fault::limit_exceeded, "too many prepared statements in this session (prepared_per_client)", flow);
        return Step::taken;
    }
    const std::string_view sql = wire::as_text(tail).substr(0, wire::as_text(tail).find('\0'));
    const auto fill = [&](PreparedText& made) { made.digest = digest(sql); };
    TextRef text =
        message.whole() ? cache().intern({wire::as_text(tail), conforming_, reading()}, fill) : cache().unkept(fill);
    if (!text) {
        poison(Fault::limit_exceeded, "no room for another prepared statement (max_statement_cache_bytes)", flow);
        return Step::taken;
    }
    if (options_.mode == wire::LeaseMode::statement && text->digest.begins) {
        poison(Fault::begin_refused, {}, flow);
        return Step::taken;
    }
    if (listening_ && message.whole()) {
        if (const std::optional<Step> step = begin_along(&text->digest, flow)) return *step;
    }
    begin_scope(flow, false);
    const bool refers = message.whole() && text->digest.names && text->digest.statements == 1;
    Namespace::Named& named = names_.add(name, std::move(text));
    SentNames spelling;
    if (refers) {  // to other statements
        named.second.source = named.second.share();
        if (ensure_source(named, flow, &spelling)) tail = wire::as_bytes(named.second->tail);
    }
    const std::uint64_t id = named.second->id;
    const std::uint64_t changed = std::max(SchemaClock::last_change(), own_schema_);
    named.second.since = changed;
    // Known on this backend, and nothing outstanding can make the server refuse it: no need to ask.
    const bool certain = status_ != 'E' && scope_done_ + 1 == scope_;
    const bool held = lease_->statements.touch(id);
    if (held && certain && lease_->statements.parsed_since(id, changed)) {
        outstanding_.push({.type = frontend::parse, .reply = Request::Reply::synthesise});
    } else {
        if (held) inject_close(id, flow);
        make_room(flow);
        put_parse(id, tail, message.size - message.bytes.size(), flow);
        const std::uint16_t partial = message.whole() ? 0 : Request::partial;
        outstanding_.push({.type = frontend::parse, .bits = partial, .named = &named});
        outstanding_.add({.kind = Effect::Kind::backend_add, .id = id});
        lease_->statements.add(id);
        if (refers) follow_names(std::move(spelling), 0);
        start_stream(message, Rest::forward);
        if (!message.whole()) pin_fresh(PinKind::oversized, {});
    }
    outstanding_.add({.kind = Effect::Kind::session_add, .named = &named});
    change_scope_ = scope_;
    return Step::taken;
}

// The server shall say that the name is taken, after whatever else is wrong with the text: it is parsed under a name
// that is taken on every backend.
Tracker::Step Tracker::parse_taken(std::string_view name, const Message& message, Bytes tail, Flow& flow) {
    start_stream(message, Rest::forward);
    begin_scope(flow, false);
    const TextRef empty = cache().intern({std::string_view("\0\0\0", 3)});
    if (!empty) {
        start_stream(message, Rest::discard);
        poison(Fault::duplicate_statement, name, flow);
        return Step::taken;
    }
    ensure_held(*empty, flow);
    put_parse(empty->id, tail, message.size - message.bytes.size(), flow);
    outstanding_.push({.type = frontend::parse});
    outstanding_.add({.kind = Effect::Kind::rename, .id = empty->id, .text = std::string(name)});
    return Step::taken;
}

Tracker::Step Tracker::on_bind(const Message& message, Flow& flow) {
    wire::Cursor cursor(message.body());
    const std::string_view portal = cursor.cstring();
    const std::string_view name = cursor.cstring();
    if (!cursor.ok()) return Step::fatal;
    const std::uint16_t partial = message.whole() ? 0 : Request::partial;
    start_stream(message, Rest::forward);
    if (name.empty()) {
        if (unnamed_uncertain()) return hold(flow);
        if (listening_) {
            if (const std::optional<Step> step = begin_along(unnamed_.digest(), flow)) return *step;
        }
        begin_scope(flow, false);
        ensure_unnamed(flow);
        const Bytes parse = unnamed_.message();
        const std::string_view sql =
            parse.empty() ? std::string_view() : wire::as_text(parse.subspan(header_size + 1)).data();
        if (portal.empty()) portal_names_.reset();
        const Digest* what = unnamed_.digest();
        if (what != nullptr && what->names && what->statements == 1 && !sql.empty() &&
            !std::ranges::equal(parse, instead_of_deallocate)) {
            what = bind_names(portal, sql, flow);
            if (what == nullptr) return refuse_bind(message);
        }
        if (what != nullptr && (what->touches || parse.empty())) {
            if (const auto step = clear_numbers_bound(*what, !parse.empty(), message, flow)) return *step;
        }
        if (what != nullptr && what->lists_prepared) show_own(flow);
        bound(portal, what, sql);
        if (portal.empty() && std::ranges::equal(parse, instead_of_deallocate)) {
            portal_deallocates_ = unnamed_.digest()->variable();
        } else if (portal.empty() && portal_names_) {
            portal_deallocates_ = portal_names_->deallocates;
        }
        outstanding_.push({.type = frontend::bind, .bits = partial});
        forward(message, flow);
        return Step::taken;
    }
    if (uncertain() || misreadable()) return hold(flow);
    Namespace::Named* named = names_.find(name);
    if (listening_ && named != nullptr) {
        if (const std::optional<Step> step = begin_along(&named->second->digest, flow)) return *step;
    }
    begin_scope(flow, false);
    if (named != nullptr) ensure_named(*named, flow);
    if (portal.empty()) portal_names_.reset();
    const Digest* what = named == nullptr ? nullptr : &named->second->digest;
    std::string_view sql = named == nullptr ? std::string_view() : named->second->text();
    if (named != nullptr && named->second.source) {
        sql = named->second.source->text();
        what = bind_names(portal, sql, flow);
        if (what == nullptr) return refuse_bind(message);
    }
    if (what != nullptr && (what->touches || !named->second->kept)) {
        if (const auto step = clear_numbers_bound(*what, named->second->kept, message, flow)) return *step;
    }
    if (what != nullptr && what->lists_prepared) show_own(flow);
    bound(portal, what, sql);
    if (portal_names_ && portal.empty()) portal_deallocates_ = portal_names_->deallocates;
    const BackendName renamed(named == nullptr ? nobody : named->second->id);
    const std::size_t before = portal.size() + 1;
    put_renamed(flow.to_backend.own(), frontend::bind, message.size, {portal.data(), before}, name.size(),
                renamed.view());
    flow.to_backend.pass(message.body().subspan(before + name.size() + 1));
    outstanding_.push({.type = frontend::bind, .bits = partial, .named = named});
    if (named == nullptr) outstanding_.add({.kind = Effect::Kind::rename, .id = nobody, .text = std::string(name)});
    return Step::taken;
}

Tracker::Step Tracker::on_describe(const Message& message, Flow& flow) {
    wire::Cursor cursor(message.body());
    const std::uint8_t kind = cursor.u8();
    const std::string_view name = cursor.cstring();
    if (!cursor.ok()) return Step::fatal;
    const std::uint16_t what = kind == 'S' ? Request::of_statement : 0;
    if (kind != 'S' || name.empty()) {
        if (kind == 'S' && unnamed_uncertain()) return hold(flow);
        begin_scope(flow, false);
        if (kind == 'S') ensure_unnamed(flow);
        outstanding_.push({.type = frontend::describe, .bits = what});
        forward(message, flow);
        return Step::taken;
    }
    if (uncertain() || misreadable()) return hold(flow);
    begin_scope(flow, false);
    Namespace::Named* named = names_.find(name);
    if (named != nullptr) ensure_named(*named, flow);
    describe(flow.to_backend.own(), 'S', BackendName(named == nullptr ? nobody : named->second->id).view());
    outstanding_.push({.type = frontend::describe, .bits = what, .named = named});
    if (named == nullptr) outstanding_.add({.kind = Effect::Kind::rename, .id = nobody, .text = std::string(name)});
    return Step::taken;
}

// A session gives up its name only: the backend keeps the statement for the next.
Tracker::Step Tracker::on_close(const Message& message, Flow& flow) {
    wire::Cursor cursor(message.body());
    const std::uint8_t kind = cursor.u8();
    const std::string_view name = cursor.cstring();
    if (!cursor.ok()) return Step::fatal;
    if (kind == 'S' && !name.empty()) {
        if (uncertain()) return hold(flow);
        begin_scope(flow, false);
        outstanding_.push({.type = frontend::close, .reply = Request::Reply::synthesise});
        if (Namespace::Named* named = names_.find(name)) {
            outstanding_.add({.kind = Effect::Kind::session_remove, .named = named});
            names_.remove(*named);
            change_scope_ = scope_;
        }
        return Step::taken;
    }
    begin_scope(flow, false);
    std::uint16_t what = 0;
    if (kind == 'S') {
        what = Request::drops_unnamed;
        if (!unnamed_settled()) unnamed_scope_ = scope_;
        unnamed_.send_drop();
        in_sync_ = true;
    }
    outstanding_.push({.type = frontend::close, .bits = what});
    forward(message, flow);
    return Step::taken;
}

}  // namespace leasehold::postgres
