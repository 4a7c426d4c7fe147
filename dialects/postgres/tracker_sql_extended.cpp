// SPDX-License-Identifier: Apache-2.0
// PREPARE, EXECUTE and DEALLOCATE as texts of the extended protocol. Their names are resolved whenever the statement is
// parsed, described or bound: what they stand for may have changed since, and so may the backend.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

constexpr std::string_view does_nothing = "UNLISTEN lh_0";  // instead of a DEALLOCATE; see tracker_prepared

void put_unnamed_parse(wire::Writer& to, std::string_view sql, Bytes types) {
    to.u8(frontend::parse);
    to.u32be(static_cast<std::uint32_t>(4 + 1 + sql.size() + 1 + types.size()));
    to.u8(0);
    to.cstring(sql);
    to.append(types);
}

struct Text {
    std::string_view sql;
    Bytes types{};
};
// Of a Parse behind the name.
[[nodiscard]] Text text_in(Bytes tail) noexcept {
    wire::Cursor cursor(tail);
    Text text{cursor.cstring()};
    text.types = cursor.rest();
    return text;
}

}  // namespace

Tracker::Step Tracker::parse_unnamed_names(const Message& message, std::string_view sql, const Digest& what,
                                           Flow& flow) {
    if (uncertain()) return hold(flow);
    const bool first = !scope_open_;
    begin_scope(flow, false);
    ResolvedNames names = resolve(sql, true);
    if (!names.refusal.empty()) {
        poison(Fault::limit_exceeded, names.refusal, flow);
        return Step::taken;
    }
    names.closes.clear();  // when it is executed
    put_in_front(names, flow);
    if (!first && !unnamed_settled()) unnamed_scope_ = scope_;
    in_sync_ = true;
    outstanding_.push(
        {.type = frontend::parse, .bits = Request::sets_unnamed, .number = unnamed_.send(what, message.bytes)});
    put_unnamed_parse(flow.to_backend.own(), names.deallocates.empty() ? std::string_view(names.sql) : does_nothing,
                      text_in(message.body().subspan(1)).types);
    unnamed_written_ = {unnamed_.sent(), names.deallocates.empty() ? std::move(names.sql) : std::string(does_nothing)};
    follow_names(names.sent.spelling(), 0);
    return Step::taken;
}

void Tracker::ensure_unnamed_names(Flow& flow) {
    const std::vector<std::uint8_t> kept(unnamed_.message().begin(), unnamed_.message().end());
    const Text text = text_in(Bytes(kept).subspan(header_size + 1));
    ResolvedNames names = resolve(text.sql, true);
    names.closes.clear();
    put_in_front(names, flow);
    std::pair<std::uint64_t, std::string> written{unnamed_.sent(), names.sql};
    if (!names.deallocates.empty()) written.second = does_nothing;
    if (in_sync_ && written == unnamed_written_) return;
    put_unnamed_parse(flow.to_backend.own(), written.second, text.types);
    unnamed_written_ = std::move(written);
    note_unnamed_again();
}

// One that names itself, be it by way of others, executes nothing; a server would run out of stack.
bool Tracker::resolvable(const Namespace::Named& named) const noexcept {
    constexpr std::size_t deepest = 8;
    return resolving_.size() < deepest && std::ranges::find(resolving_, &named) == resolving_.end();
}

// What the name stands for on a backend now; of what it names in turn, under which names.
SentNames::Renames Tracker::refresh(Namespace::Named& named) {
    std::optional<ResolvedNames> names;
    if (named.second.source) names = resolve_source(named);
    if (names) return std::move(names->sent.renames);
    adopt(named);
    return {};
}

// A named statement whose text names others: what it is on the backend now. None: there is no room for that.
std::optional<ResolvedNames> Tracker::resolve_source(Namespace::Named& named) {
    const TextRef source = named.second.source.share();
    const Text text = text_in(wire::as_bytes(source->tail));
    resolving_.push_back(&named);
    ResolvedNames names = resolve(text.sql, true);
    resolving_.pop_back();
    std::string tail(names.deallocates.empty() ? std::string_view(names.sql) : does_nothing);
    tail += '\0';
    tail += wire::as_text(text.types);
    TextRef now = names.refusal.empty() ? cache().intern({tail, conforming_, reading()},
                                                         [&](PreparedText& made) {
                                                             made.digest = names.digest;
                                                             made.digest.names = true;
                                                         })
                                        : TextRef();
    if (!now) return std::nullopt;
    static_cast<TextRef&>(named.second) = std::move(now);
    names.closes.clear();
    return names;
}

// With what it names on the backend. False: see above.
bool Tracker::ensure_source(Namespace::Named& named, Flow& flow, SentNames* spelling) {
    std::optional<ResolvedNames> names = resolve_source(named);
    if (!names) return false;
    resolving_.push_back(&named);
    put_in_front(*names, flow);
    resolving_.pop_back();
    if (spelling != nullptr) *spelling = names->sent.spelling();
    return true;
}

// What executing the portal does with names, and to the session.
const Digest* Tracker::bind_names(std::string_view portal, std::string_view sql, Flow& flow) {
    auto names = std::make_unique<ResolvedNames>(resolve(sql, true));
    const bool changes = !names->deallocates.empty() || names->sent.steps.front().kind != NameStep::Kind::none;
    if (!portal.empty() && changes) {
        poison(Fault::limit_exceeded, "PREPARE and DEALLOCATE are not carried out by a portal with a name", flow);
        return nullptr;
    }
    if (names->hidden) distrust(names->digest);
    names->digest.names = false;
    if (portal.empty()) {
        portal_names_ = std::move(names);
        return &portal_names_->digest;
    }
    static thread_local Digest last;  // read before anything else is bound
    last = names->digest;
    return &last;
}

// The statement may be gone by now: the server is made to say so.
Tracker::Step Tracker::execute_deallocate(const Message& message, Flow& flow) {
    if (uncertain()) return hold(flow);
    begin_scope(flow, false);
    Namespace::Named* named = names_.find(portal_deallocates_);
    if (named == nullptr) {
        poison(Fault::unknown_statement, portal_deallocates_, flow);
        return Step::taken;
    }
    constexpr std::uint16_t added = Request::executes | Request::retagged;
    const auto all = static_cast<std::uint16_t>(portal_bits_ | added);
    outstanding_.push({.type = frontend::execute, .bits = all, .text = portal_text_});
    if (watching_) watch_execute({});
    outstanding_.add({.kind = Effect::Kind::session_remove, .named = named});
    names_.remove(*named);
    change_scope_ = scope_;
    forward(message, flow);
    return Step::taken;
}

// Makes the server fail here, and so do to the transaction what an error of its own does.
void Tracker::poison(Fault fault, std::string_view detail, Flow& flow) {
    begin_scope(flow, false);
    bind_message(flow.to_backend.own(), "", BackendName(0).view());
    outstanding_.push({.type = frontend::bind, .reply = Request::Reply::poison});
    outstanding_.add({.kind = Effect::Kind::replace, .fault = fault, .text = std::string(detail)});
}

// The server has been made to fail.
Tracker::Step Tracker::refuse_bind(const Message& message) {
    start_stream(message, Rest::discard);
    return Step::taken;
}

// The unnamed portal is a PREPARE.
Tracker::Step Tracker::execute_prepare(const Message& message, Flow& flow) {
    if (uncertain()) return hold(flow);
    begin_scope(flow, false);
    NameStep& step = portal_names_->sent.steps.front();
    if (names_.find(step.name) != nullptr) {
        poison(Fault::duplicate_statement, step.name, flow);
        return Step::taken;
    }
    if (names_.size() >= options_.prepared_per_client) {
        poison(Fault::limit_exceeded, "too many prepared statements in this session (prepared_per_client)", flow);
        return Step::taken;
    }
    const std::uint64_t id = step.text->id;
    if (lease_->statements.touch(id)) inject_close(id, flow);
    make_room(flow);
    const auto bits = static_cast<std::uint16_t>(portal_bits_ | Request::executes);
    outstanding_.push({.type = frontend::execute, .bits = bits, .text = portal_text_});
    if (watching_) watch_execute({});
    follow_names(std::move(portal_names_->sent), scope_);
    portal_names_.reset();
    forward(message, flow);
    return Step::taken;
}

// What a portal does counts when it is executed; what its statement leaves behind is counted now.
void Tracker::bound(std::string_view portal, const Digest* digest, std::string_view sql) {
    const std::uint16_t what = digest == nullptr ? std::uint16_t{0} : bits(*digest);
    portal_text_ = transcript_.add(sql);
    std::optional<SettingSteps> steps;
    // SET LOCAL x TO DEFAULT is followed for what the session began with alone.
    if (digest != nullptr && digest->touches_settings(trail_ != nullptr || !options_.startup.empty())) {
        if (portal.empty()) steps = read_steps(*digest, sql);
    }
    if (!portal.empty()) bound_settings(portal, digest, sql);
    if (digest != nullptr && may_listen(*digest)) {
        Digest listens = *digest;
        bind_listening(portal, listens, sql);
        apply(listens);
    } else {
        if (listening_ && portal.empty()) listening_->portal = {};
        if (digest != nullptr) apply(*digest);
    }
    if (portal.empty()) {
        portal_steps_.clear();
        if (steps) portal_steps_ = std::move(*steps);
        portal_bits_ = what;
        portal_deallocates_.clear();
    } else {
        named_portal_bits_ |= what;
    }
    if (watching_) watch_bind(portal, sql);
}

}  // namespace leasehold::postgres
