// SPDX-License-Identifier: Apache-2.0
// PREPARE, EXECUTE and DEALLOCATE in SQL. A client's names become the backend's, as those of the protocol do, by writing
// the text anew: one namespace for the session, and none of its names on a server. What a text needs is prepared in front
// of it; what it does with names counts statement by statement, when the server says that it is done.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>
#include <unordered_set>

namespace leasehold::postgres {
namespace {

// Statement and portal by which statements in SQL are carried out within a pipeline.
constexpr std::string_view own = "lh_x";
constexpr std::string_view nothing("\0\0\0", 3);  // a Parse of an empty text
constexpr std::string_view no_room = "no room for another prepared statement (max_statement_cache_bytes)";

void add_once(std::vector<std::string>& to, const std::string& name) {
    if (to.size() < Calls::most && std::ranges::find(to, name) == to.end()) to.push_back(name);
}

}  // namespace

// Goes through a text statement by statement, as the server will.
struct Tracker::Resolving {
    Tracker& tracker;
    bool extended;
    ResolvedNames out{};
    Digester digester{&Tracker::carried, &tracker};
    struct Here {
        std::string name;
        TextRef text;  // none: it is gone
    };
    std::vector<Here> here{};  // what the text itself has made of names, up to where it has been read
    std::unordered_set<const Namespace::Named*> seen{};
    bool all_gone = false;
    bool raw = false;  // it may have made names that are on the backend as they are

    struct Known {
        const PreparedText* text = nullptr;
        Namespace::Named* named = nullptr;
    };
    // The server reads it in another encoding than it is written in: perhaps as longer than it keeps names, or as one that
    // was written in other bytes.
    [[nodiscard]] bool foreign(std::string_view name) const noexcept {
        const bool ascii = std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
        return !ascii && tracker.told_.contains("server_encoding") && !tracker.same_encoding();
    }
    [[nodiscard]] Known find(std::string_view name) {
        if (foreign(name)) return {};
        for (auto made = here.rbegin(); made != here.rend(); ++made) {
            if (made->name == name) return {made->text ? &*made->text : nullptr, nullptr};
        }
        Namespace::Named* named = all_gone ? nullptr : tracker.names_.find(name);
        if (named == nullptr || !tracker.resolvable(*named)) return {};
        if (seen.insert(named).second) {
            // What it names in turn may be what its error is about.
            const auto inner = tracker.refresh(*named);
            out.sent.renames.insert(out.sent.renames.end(), inner.begin(), inner.end());
        }
        if (making(named->second->id)) keep_apart(*named);
        return {&*named->second, named};
    }
    // A statement that the text itself prepares.
    [[nodiscard]] bool making(std::uint64_t id) const noexcept {
        return std::ranges::find(out.closes, id) != out.closes.end();
    }
    // The session's own of the same text has to be on the backend before.
    void keep_apart(Namespace::Named& named) {
        const PreparedText& text = *named.second;
        for (std::uint64_t copy = 0;; ++copy) {
            TextRef now = tracker.cache().intern({text.tail, text.conforming, text.reading, copy},
                                                 [&text](PreparedText& made) { made.digest = text.digest; });
            if (now && making(now->id)) continue;
            if (!now) {
                out.refusal = no_room;
            } else {
                static_cast<TextRef&>(named.second) = std::move(now);
            }
            return;
        }
    }
    [[nodiscard]] bool using_held(std::uint64_t id) const noexcept {
        return std::ranges::any_of(out.needs, [id](const auto* named) { return named->second->id == id; });
    }
    void rename(const NamedStatement& found, std::size_t at, std::uint64_t id) {
        out.sent.rewriting.replace(at + found.at, found.length, BackendName(id).view());
        out.sent.renames.emplace_back(id, found.name);
    }
    // The server shall say that there is none, unless it may know one that nobody here has seen.
    void unknown(const NamedStatement& found, std::size_t at) {
        if (found.name.empty()) {
            out.clean = true;
        } else if (found.written > found.name.size() || foreign(found.name)) {
            return;  // which the server says, too
        } else if (is_reserved(found.name) || std::ranges::find(tracker.shown_, found.name) != tracker.shown_.end() ||
                   (!raw && !digester.digest().soils && !tracker.pins_.any())) {
            rename(found, at, 0);
        }
    }
    // A statement of an empty text, which every backend may hold: its name is taken, and may be given up.
    [[nodiscard]] std::uint64_t stand_in(std::uint64_t number) {
        TextRef text = tracker.cache().intern({nothing, true, number});
        if (!text) return 0;
        out.stand_ins.push_back(std::move(text));
        return out.stand_ins.back()->id;
    }
    void take(std::string_view one, std::size_t at, const Statement& statement);
    void execute(std::string_view one, const NamedStatement& found, std::size_t at, const Statement& statement);
    void prepare(std::string_view one, const NamedStatement& found, std::size_t at, const Statement& statement);
    void deallocate(const NamedStatement& found, std::size_t at, const Statement& statement);
    // Functions that the text calls by itself, and by what it executes.
    Calls called{};
    bool calls = false, unknown_calls = false;
    void note(const Calls& found) {
        calls |= !found.functions.empty() || found.more;
        called.more |= found.more;
        for (const std::string& name : found.functions) add_once(called.functions, name);
        for (const std::string& name : found.customs) add_once(called.customs, name);
    }
    void note(std::string_view text, const Statement& statement) {
        const bool unseen =
            statement.kind == Kind::run_do || statement.kind == Kind::call || statement.kind == Kind::execute;
        if (unseen || (statement.marks & mark::calls) != 0) note(read_calls(text, tracker.conforming_));
    }
    [[nodiscard]] TextRef text_of(std::string_view tail, const Statement& statement);
};

void Tracker::Resolving::take(std::string_view one, std::size_t at, const Statement& statement) {
    const NamedStatement found = read_named(one, statement);
    out.sent.steps.emplace_back();
    switch (found.kind) {
        case NamedStatement::Kind::execute: return execute(one, found, at, statement);
        case NamedStatement::Kind::prepare: return prepare(one, found, at, statement);
        case NamedStatement::Kind::deallocate: return deallocate(found, at, statement);
        case NamedStatement::Kind::deallocate_all:
            all_gone = true;
            here.clear();
            break;
        case NamedStatement::Kind::none:
            if ((statement.marks & mark::executes) != 0) out.clean = true;  // perhaps of a name that is not seen
            break;
    }
    note(one, statement);
    digester.take(statement);
}

// It does what the statement of that name does.
void Tracker::Resolving::execute(std::string_view one, const NamedStatement& found, std::size_t at,
                                 const Statement& statement) {
    const Known known = find(found.name);
    if (known.text == nullptr) {
        unknown(found, at);
        note(one, statement);
        return digester.take(statement);
    }
    rename(found, at, known.text->id);
    if (known.named != nullptr && std::ranges::find(out.needs, known.named) == out.needs.end())
        out.needs.push_back(known.named);
    Statement whole = statement;
    if (whole.kind == Kind::execute) whole.kind = Kind::other;
    note(one.substr(found.at + found.length), whole);
    digester.take(whole);
    const Digest& inner = known.text->digest;
    digester.merge(inner);
    if (inner.called) note(*inner.called);
    unknown_calls |= inner.calls && !inner.called;
    out.hidden |= inner.settings || inner.locals || inner.savepoints;
}

TextRef Tracker::Resolving::text_of(std::string_view tail, const Statement& statement) {
    const auto fill = [&](PreparedText& made) {
        Statement inner = statement;
        inner.kind = Kind::other;
        Digester alone(&Tracker::carried, &tracker);
        alone.take(inner);
        made.digest = alone.digest();
        if (made.digest.calls) tracker.read_called(made.digest, tail);
    };
    // Two names for one text in one string are two statements.
    for (std::uint64_t copy = 0;; ++copy) {
        TextRef text = tracker.cache().intern({tail, tracker.conforming_, tracker.reading(), copy}, fill);
        if (!text || (!making(text->id) && !using_held(text->id))) return text;
    }
}

void Tracker::Resolving::prepare(std::string_view one, const NamedStatement& found, std::size_t at,
                                 const Statement& statement) {
    // As the server reads it, where it stays.
    if (found.name.empty() || found.written > found.name.size() || foreign(found.name)) {
        out.clean |= found.name.empty() || is_reserved(found.name);
        raw = true;
        return digester.take(statement);
    }
    Statement plain = statement;
    plain.kind = Kind::other;
    plain.marks = 0;
    digester.take(plain);
    if (const Known known = find(found.name); known.text != nullptr) {
        // One that this text has made is there under its own name.
        const std::uint64_t taken = known.named == nullptr ? known.text->id : stand_in(0);
        if (taken == 0) out.refusal = no_room;
        return rename(found, at, taken);
    }
    if (!extended && tracker.names_.size() + ++out.adds > tracker.options_.prepared_per_client) {
        out.refusal = "too many prepared statements in this session (prepared_per_client)";
        return;
    }
    const std::size_t behind = found.at + found.length;
    NameStep& step = out.sent.steps.back();
    TextRef text = text_of(one.substr(behind, found.end - behind), statement);
    if (!text) {
        out.refusal = no_room;
        return;
    }
    const std::uint64_t id = text->id;
    rename(found, at, id);
    out.closes.push_back(id);
    step.kind = NameStep::Kind::add;
    step.name = found.name;
    step.text = text.share();
    step.since = std::max(SchemaClock::last_change(), tracker.own_schema_);
    here.push_back({found.name, std::move(text)});
}

void Tracker::Resolving::deallocate(const NamedStatement& found, std::size_t at, const Statement& statement) {
    digester.take(statement);
    const Known known = find(found.name);
    if (known.text == nullptr) return unknown(found, at);
    if (extended) {
        out.deallocates = found.name;
        return;
    }
    // The backend keeps the statement for the next session; one that was made by this text goes.
    const std::uint64_t gone = known.named == nullptr ? known.text->id : stand_in(out.stand_ins.size() + 1);
    if (gone == 0) out.refusal = no_room;
    rename(found, at, gone);
    NameStep& step = out.sent.steps.back();
    step.kind = NameStep::Kind::remove;
    step.name = found.name;
    step.gone = gone;
    here.push_back({found.name, {}});
}

ResolvedNames Tracker::resolve(std::string_view sql, bool extended) {
    Resolving resolving{*this, extended};
    Scanner scanner(conforming_);
    for (std::size_t at = 0; at < sql.size();) {
        const std::string_view rest = sql.substr(at);
        const std::string_view one = rest.substr(0, scanner.feed(rest));
        if (!scanner.ended()) scanner.finish();
        if (scanner.statement().kind != Kind::none) resolving.take(one, at, scanner.statement());
        at += one.size();
    }
    ResolvedNames out = std::move(resolving.out);
    out.digest = resolving.digester.digest();
    out.digest.calls = resolving.calls || resolving.unknown_calls;
    out.digest.called.reset();
    if (resolving.calls && !resolving.unknown_calls)
        out.digest.called = std::make_shared<const Calls>(std::move(resolving.called));
    out.sql = out.sent.rewriting.apply(sql);
    return out;
}

// As the settings are read now; see ensure_named().
void Tracker::adopt(Namespace::Named& named) {
    const PreparedText& text = *named.second;
    if (!text.kept || text.reading == reading() || lease_->statements.touch(text.id)) return;
    TextRef now = cache().intern({text.tail, text.conforming, reading(), text.copy},
                                 [&text](PreparedText& made) { made.digest = text.digest; });
    if (now) static_cast<TextRef&>(named.second) = std::move(now);
}

// A statement of our own within a pipeline, which leaves the unnamed statement and portal alone.
void Tracker::run_own(std::string_view sql, Flow& flow) {
    wire::Writer& to = flow.to_backend.own();
    close(to, 'P', own);
    close(to, 'S', own);
    parse(to, own, sql);
    bind_message(to, own, own);
    execute(to, own);
    close(to, 'S', own);
    constexpr std::array types{frontend::close, frontend::close,   frontend::parse,
                               frontend::bind,  frontend::execute, frontend::close};
    for (const std::uint8_t type : types) outstanding_.push({.type = type, .reply = Request::Reply::swallow});
}

// What the text needs, in a segment of its own: if it fails, the text's own reply says so.
void Tracker::put_in_front(ResolvedNames& names, Flow& flow) {
    HeldStatements& held = lease_->statements;
    const auto missing = [&held](std::uint64_t id) { return !held.touch(id); };
    bool needed = (names.clean && held.size() > 0) || names.digest.lists_prepared;
    needed |= std::ranges::any_of(names.closes, [&](std::uint64_t id) { return !missing(id); });
    needed |= std::ranges::any_of(names.stand_ins, [&](const TextRef& text) { return missing(text->id); });
    needed |= std::ranges::any_of(names.needs, [&](const Namespace::Named* named) {
        return missing(named->second->id) || !held.parsed_since(named->second->id, named->second.since);
    });
    needed |= names.adds > 0 && held.surplus() != 0;
    if (!needed) return;
    const bool open = scope_open_;
    begin_scope(flow, false);
    if (names.clean) {
        for (const std::uint64_t id : held.all()) inject_close(id, flow);
    }
    if (names.digest.lists_prepared) show_own(flow);
    for (const std::uint64_t id : names.closes) {
        if (held.touch(id)) inject_close(id, flow);
    }
    if (names.adds > 0) make_room(flow);
    if (status_ != 'E') {
        for (Namespace::Named* named : names.needs) ensure_named(*named, flow);
        for (const TextRef& text : names.stand_ins) ensure_held(*text, flow);
    }
    if (open) return;
    outstanding_.push({.type = frontend::sync, .reply = Request::Reply::swallow, .number = scope_++});
    scope_open_ = false;
    sync(flow.to_backend.own());
}

// Whoever asks which statements the backend holds is shown the session's own by their names, and none of others. In a
// transaction, which must not fail by it, those that there are remain.
void Tracker::show_own(Flow& flow) {
    std::unordered_set<std::uint64_t> mine;
    const bool anew = status_ == 'I';
    for (const auto& [name, text] : names_) {
        if (!anew || !text->kept) mine.insert(text->id);
    }
    for (const std::uint64_t id : lease_->statements.all()) {
        if (!mine.contains(id)) inject_close(id, flow);
    }
    std::erase_if(shown_, [&](const std::string& name) {
        if (!anew && names_.find(name) != nullptr) return false;
        close(flow.to_backend.own(), 'S', name);
        outstanding_.push({.type = frontend::close, .reply = Request::Reply::swallow});
        return true;
    });
    if (!anew) return;
    soiled_ = true;  // names that everybody may use: gone before the next session comes
    for (auto& [name, text] : names_) {
        if (!text->kept || text.source) continue;
        shown_.push_back(name);
        if (text->by_sql) {
            std::string quoted = "PREPARE \"";
            for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
            run_own(quoted + '"' + text->tail, flow);
        } else {
            wire::Writer& to = flow.to_backend.own();
            to.u8(frontend::parse);
            to.u32be(static_cast<std::uint32_t>(4 + name.size() + 1 + text->tail.size()));
            to.cstring(name);
            to.append(wire::as_bytes(text->tail));
            outstanding_.push({.type = frontend::parse, .reply = Request::Reply::swallow});
        }
    }
}

// Nothing of it is carried out, and a transaction fails by it as by any error.
Tracker::Step Tracker::refuse_query(const Message& message, std::string_view why, Flow& flow) {
    poison(Fault::limit_exceeded, why, flow);
    outstanding_.push({.type = frontend::sync, .number = scope_++});
    scope_open_ = false;
    sync(flow.to_backend.own());
    digester_.reset();
    scanner_.reset();
    start_stream(message, Rest::discard);
    return Step::taken;
}

// The request pushed last, whose text was written anew. What comes behind it waits where names may change.
void Tracker::follow_names(SentNames sent, std::uint64_t number) {
    sent.request = outstanding_.pushed();
    if (!name_trail_) name_trail_ = std::make_unique<NameTrail>();
    name_trail_->send(std::move(sent));
    if (name_trail_->pending()) change_scope_ = std::max(change_scope_, number);
}

void Tracker::name_done(Bytes body) {
    SentNames* sent = name_trail_->find(outstanding_.first());
    if (sent == nullptr || sent->next >= sent->steps.size()) return;
    NameStep& step = sent->steps[sent->next++];
    if (step.kind == NameStep::Kind::none) return;
    const std::string_view tag = parse_command_complete(body).value_or(std::string_view());
    if (tag != (step.kind == NameStep::Kind::add ? "PREPARE" : "DEALLOCATE")) {
        pin_fresh(PinKind::oversized, {});  // it is not what was read: nothing is known of its names
        soiled_ = true;
        return;
    }
    Namespace::Named* known = names_.find(step.name);
    if (step.gone != 0) lease_->statements.remove(step.gone);
    if (known != nullptr) names_.remove(*known);
    if (step.kind != NameStep::Kind::add) return;
    lease_->statements.add(step.text->id);
    names_.add(step.name, step.text.share()).second.since = step.since;
}

}  // namespace leasehold::postgres
