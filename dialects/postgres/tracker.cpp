// SPDX-License-Identifier: Apache-2.0
// The tracker's frame: its state as others see it, settings, pins, and the bytes of messages that are streamed.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace leasehold::postgres {
namespace {

std::atomic<std::uint64_t> last_session{0};

// How much of a client's message is waited for before it is decided about; what is longer is streamed.
constexpr std::size_t waited_for = 64 * 1024;
constexpr std::size_t waited_for_parse = 1024 * 1024;

[[nodiscard]] std::size_t visible(const Header& header) noexcept {
    if (header.type == frontend::copy_data) return header_size;
    return std::min(header.size(), header.type == frontend::parse ? waited_for_parse : waited_for);
}

}  // namespace

Tracker::Tracker(TrackerOptions options) : TrackerState(std::move(options), ++last_session) {
    for (const auto& [name, value] : options_.parameters) {
        told_.set(name, value);
        note_parameter(name, value);
    }
    decltype(options_.parameters)().swap(options_.parameters);  // with its memory: the session may idle for days
    for (const auto& setting : settings_) note_parameter(setting.name, setting.value);
    Settings unreported;
    for (const auto& setting : options_.startup) {
        if (!is_reported(setting.name)) (void)unreported.set(setting.name, setting.value);
    }
    startup_reading_ = unreported.fingerprint();
    superuser_ = told_.find("is_superuser") == "on" && !options_.startup.contains("role");
    temporary_first_ = names_pg_temp(options_.startup.find("search_path").value_or(std::string_view()));
}

void Tracker::attach(wire::LeaseState& backend) {
    lease_ = static_cast<PostgresLease*>(&backend);  // a backend of this dialect has no other
    hidden_.begin();
    soiled_ = false;
    shown_.clear();
    copy_in_ = scope_open_ = skipping_ = discarded_ = unaligned_ = false;
    dropping_ = 0;
    status_ = lease_->status;
    scope_done_ = scope_ - 1;
    in_sync_ = holds_unnamed();
    begin_replay();
    parameters_differ_ = lease_->reported.fingerprint() != told_.fingerprint();
    if (options_.mode == wire::LeaseMode::session) session_pinned_ = true;
    if (temporary_first_) pin_fresh(PinKind::temporary, {});
    if (listening_) listening_->leave_along();
    front_ran_ = 0;
    identity_refused_ = false;
    numbers_touched_ = numbers_drawn_ = false;
    clearing_ = 0;
}

void Tracker::detach() noexcept {
    if (lease_ == nullptr) return;
    if (watching_) watch_loss();
    write_unfinished();
    leave_trail();
    // What was parsed beside temporary objects is nobody else's.
    if (own_since_ != 0) lease_->statements.age_since(std::exchange(own_since_, 0));
    name_trail_.reset();
    portal_names_.reset();
    lease_ = nullptr;
}

void Tracker::farewell(const wire::Diagnostics& error, wire::Outbox& to_client) {
    if (reply_left_ > 0) return;  // in the middle of a message nothing can be said
    if (listening_ && listening_->held) release_ready(to_client);
    error_response(to_client.own(), Severity::fatal, error, options_.identity);
}

wire::Aftermath Tracker::refuse(const wire::Diagnostics& error, wire::Outbox& to_client) {
    error_response(to_client.own(), Severity::error, error);
    refused_ = true;
    identity_refused_ = error.from_server;
    if (aside_) take_identity_back(true);
    return wire::Aftermath::lives;
}

wire::TransactionStatus Tracker::status() const noexcept {
    if (lost_ != Lost::no || status_ == 'E') return wire::TransactionStatus::failed;
    // An unfinished pipeline holds its implicit transaction open.
    const bool active = status_ == 'T' || (lease_ != nullptr && scope_open_);
    return active ? wire::TransactionStatus::active : wire::TransactionStatus::idle;
}

bool Tracker::ends_with_goodbye(Bytes held) const noexcept {
    if (request_left_ >= held.size()) return false;
    std::size_t at = request_left_;
    std::uint8_t last = 0;
    while (at < held.size()) {
        const std::optional<Header> header = peek(held.subspan(at));
        if (!header || !header->valid() || held.size() - at < header->size()) return false;
        last = header->type;
        at += header->size();
    }
    return last == frontend::terminate;
}

bool Tracker::busy() const noexcept { return lease_ != nullptr && (!outstanding_.empty() || request_left_ > 0); }

std::string_view Tracker::application() const noexcept {
    return settings_.find("application_name").value_or(std::string_view());
}

std::vector<std::string> Tracker::transcript(bool literals) const {
    return transcript_.statements(literals, conforming_);
}

// --- settings and pins -------------------------------------------------------------------------------------------

bool Tracker::carried(const void* tracker, std::string_view setting) {
    const auto& self = *static_cast<const Tracker*>(tracker);
    // It decides how the next text is to be read, and a pipeline may carry that text already.
    if (same_name(setting, "standard_conforming_strings")) return false;
    return is_carriable(setting) && self.told_.contains(setting);
}

Digest Tracker::digest(std::string_view sql) const {
    Digester digester(&Tracker::carried, this);
    each_statement(sql, conforming_, [&digester](const Statement& statement) { digester.take(statement); });
    Digest all = digester.digest();
    all.hint = wire::read_hint(sql);
    if (all.calls) read_called(all, sql);
    if (all.routines) all.routines = replaces_functions(sql);
    if (all.unseen) note_sequences_within(sql, all);
    return all;
}

// The backend's parameters are not those of the one before (another server version, a standby, a canonical spelling).
void Tracker::tell_parameters(wire::Outbox& to_client) {
    parameters_differ_ = false;
    for (const auto& setting : lease_->reported) {
        const auto known = told_.find(setting.name);
        if ((known && *known == setting.value) || replays(setting.name)) continue;
        parameter_status(to_client.own(), setting.name, setting.value);
        told_.set(setting.name, setting.value);
        note_parameter(setting.name, setting.value);
    }
}

// DISCARD ALL is done: what the session began with is the client's again.
void Tracker::tell_start(wire::Outbox& to_client) {
    for (const auto& setting : options_.startup) {
        if (!is_carriable(setting.name) || !told_.contains(setting.name)) continue;
        if (told_.find(setting.name) == setting.value) continue;
        parameter_status(to_client.own(), setting.name, setting.value);
        told_.set(setting.name, setting.value);
        note_parameter(setting.name, setting.value);
    }
}

// The request that DISCARD ALL was in is over. What was set behind it, the server may have reported before: it says nothing
// of a value that is the same as at the end of the request before.
void Tracker::end_discard(wire::Outbox& to_client) {
    lease_->recount();
    if (unaligned_) return tell_start(to_client);
    for (const Settings::Setting& each : lease_->reported) {
        if (!is_carriable(each.name)) continue;
        if (!options_.startup.contains(each.name) && lease_->defaults.find(each.name) == each.value) {
            settings_.erase(each.name);
        } else {
            (void)settings_.set(each.name, each.value);
        }
    }
}

void Tracker::apply(const Digest& digest) {
    apply_pins(digest);
    look_for_hidden(digest);
    if (digest.touches) touch_numbers(digest.draws || digest.calls);
    if (digest.seeds || digest.unseen) lease_->seeded = true;
    if (digest.soils) soiled_ = true;
    if (digest.reads) private_reading_ = true;
    note_reading(digest);
    if (digest.rolls_back_to) end_schema_change();
    if (digest.own_schema) own_schema_ = SchemaClock::tick_alone();
    if (digest.own_schema && own_since_ == 0) own_since_ = own_schema_;
    own_schema_changing_ |= digest.own_schema;
    if (digest.schema) {
        SchemaClock::tick();
        schema_changing_ = true;
    }
}

// What its transaction made of names, others see from now on; or it is as before for the session too.
void Tracker::end_schema_change() noexcept {
    if (own_schema_changing_) own_schema_ = SchemaClock::tick_alone();
    if (schema_changing_) SchemaClock::tick();
    if (std::exchange(hidden_.routines, false)) wire::KnownFunctions::replaced();
}

std::uint16_t Tracker::bits(const Digest& digest) noexcept {
    std::uint16_t all = 0;
    if (digest.may_commit) all |= Request::may_commit;
    if (digest.rolls_back()) all |= Request::rolls_back;
    if (digest.commits()) all |= Request::commits;
    if (digest.statements <= 1) all |= Request::single;
    if (digest.drops_statements) all |= Request::drops;
    if (digest.discards) all |= Request::discards;
    if (digest.begins) all |= Request::begins;
    return all;
}

// --- the client's bytes ------------------------------------------------------------------------------------------

wire::Verdict Tracker::die(std::size_t consumed, std::string_view why, wire::Outbox& to_client) {
    farewell(failure(Fault::protocol_violation, why), to_client);
    return {wire::Verdict::Kind::fatal, consumed};
}

wire::Verdict Tracker::from_client(Bytes in, wire::Outbox& to_backend, wire::Outbox& to_client) {
    using What = wire::Verdict::Kind;
    Flow flow{to_backend, to_client};
    if (again_.due) {
        const What sent = send_again(to_backend, to_client);
        if (again_.due || sent != What::more) return {sent, 0};
    }
    if (parameters_differ_ && lease_ != nullptr && reply_left_ == 0) tell_parameters(to_client);
    if (listening_ && listening_->held) return {What::errand, 0};
    std::size_t at = 0;
    for (;;) {
        if (request_left_ > 0) {
            at += stream_rest(in.subspan(at), flow);
            if (streams_reserved()) return die(at, "a reserved name in a text of this length", to_client);
            if (request_left_ > 0) break;
            // The reply was complete before: a COPY that failed while the client sent on.
            if (lease_ != nullptr && boundary()) return {What::boundary, at};
        }
        const Bytes rest = in.subspan(at);
        if (rest.size() < header_size) break;
        const Header header = header_at(rest);
        if (!acceptable(header, Sender::client, Stage::session)) {
            const bool unknown = max_length(Sender::client, Stage::session, header.type) == 0;
            const std::string type = std::to_string(header.type);
            return die(at, unknown ? "invalid frontend message type " + type : "invalid message length", to_client);
        }
        if (rest.size() < visible(header)) break;
        const Message message{header.type, rest.first(std::min(rest.size(), header.size())), header.size()};
        const Step step = lease_ != nullptr ? attached_message(message, flow) : local_message(message, rest, flow);
        switch (step) {
            case Step::hold: return {What::more, at};
            case Step::lease: return {What::lease, at};
            case Step::errand: return {What::errand, at};
            case Step::fatal: return die(at, "malformed message", to_client);
            case Step::close: return {What::close, at + message.bytes.size()};
            case Step::taken: break;
        }
        at += message.bytes.size();
        if (has_local_turn()) advance(to_client);
        if (!message.whole()) request_left_ = message.size - message.bytes.size();
        if (outstanding_.full()) return die(at, "too many requests are waiting for their replies", to_client);
    }
    if (listening_ && listening_->waiting() && between_transactions()) listening_->deliver(to_client.own());
    return {What::more, at};
}

// The beginning of a long message was decided about; `rest` says what becomes of what follows.
void Tracker::start_stream(const Message& message, Rest rest) {
    if (!message.whole()) rest_ = rest;
}

// Reads along, from the beginning of the SQL on, while a long message is streamed.
void Tracker::start_scan(std::string_view sql) {
    scanner_ = std::make_unique<Scanner>(conforming_);
    digester_ = std::make_unique<Digester>(&Tracker::carried, this);
    while (!sql.empty()) {
        sql.remove_prefix(scanner_->feed(sql));
        if (scanner_->ended()) digester_->take(scanner_->statement());
    }
}

std::size_t Tracker::stream_rest(Bytes in, Flow& flow) {
    const Bytes part = in.first(std::min(in.size(), request_left_));
    if (scanner_) {
        std::string_view sql = wire::as_text(part);
        const std::size_t end = sql.find('\0');
        sql = sql.substr(0, end);
        while (!sql.empty()) {
            sql.remove_prefix(scanner_->feed(sql));
            if (scanner_->ended()) digester_->take(scanner_->statement());
        }
        if (end != std::string_view::npos) {
            if (!scanner_->ended()) {
                scanner_->finish();
                digester_->take(scanner_->statement());
            }
            scanner_.reset();
        }
    }
    if (streams_reserved()) return 0;
    if (rest_ == Rest::forward && lease_ != nullptr) flow.to_backend.pass(part);
    request_left_ -= part.size();
    if (request_left_ == 0) end_stream(flow);
    return part.size();
}

// What streams by names a statement of leasehold's own, or asks for all that there are: nobody's business but a server's.
bool Tracker::streams_reserved() const noexcept {
    if (!digester_) return false;
    const Digest& read = digester_->digest();
    const std::uint16_t marks = scanner_ ? scanner_->statement().marks : std::uint16_t{0};
    return read.reserved || read.lists_prepared || (marks & (mark::reserved | mark::lists_prepared)) != 0;
}

void Tracker::end_stream(Flow& flow) {
    scanner_.reset();
    if (digester_) {
        const Digest whole = digester_->digest();
        digester_.reset();
        if (lease_ != nullptr && !outstanding_.empty()) {
            Request& request = outstanding_.back();
            if (request.type == frontend::query) {
                const std::uint16_t added = bits(whole);
                if ((added & Request::drops) != 0) ++dropping_;
                request.bits = static_cast<std::uint16_t>((request.bits & ~Request::single) | added);
                if (whole.touches_settings(false)) distrust(whole);
                apply(whole);
            } else if (request.has(Request::sets_unnamed)) {
                unnamed_.complete(whole);
            }
        }
    }
    if (lease_ != nullptr && rest_ == Rest::forward && !outstanding_.empty()) {
        outstanding_.back().bits = static_cast<std::uint16_t>(outstanding_.back().bits & ~Request::partial);
    }
    if (ready_after_) ready_for_query(flow.to_client.own(), local_status());
    ready_after_ = false;
    rest_ = Rest::forward;
}

std::unique_ptr<wire::Tracker> make_tracker(TrackerOptions options) {
    return std::make_unique<Tracker>(std::move(options));
}

// DEALLOCATE ALL, or DISCARD ALL.
void Tracker::drop_all_statements(bool discard) {
    lease_->statements.clear();
    names_.clear();
    shown_.clear();
    if (!discard) return;
    if (listening_) listening_->forget_all();
    if (trail_) trail_->forget();
    pins_.clear();
    stuck_.clear();
    session_pinned_ = soiled_ = false;
    before_.clear();
    read_anew();
    discarded_ = true;
    lease_->held.clear();
    numbers_cleared();
    lease_->dirty = lease_->along = false;
    // Back to what the client asked for when it came; the next lease sees to it.
    settings_ = options_.startup;
    unaligned_ = true;
}

}  // namespace leasehold::postgres
