// SPDX-License-Identifier: Apache-2.0
// Follows one PostgreSQL session after its login: which requests are outstanding, where a lease may end, what is carried
// to the next backend, what pins, and what a client is told when its backend is lost. No sockets, no clock.
// Manual: "Message Flow". The calling contract is wire/tracker.hpp.
//
// tracker_state       what all of them know of the session
// tracker_client      a client's messages while a backend is attached
// tracker_prepared    its prepared statements, under whatever names, on whichever backend
// tracker_reading     how its texts are read, and who else reads them so
// tracker_sql_prepared, tracker_sql_extended   PREPARE, EXECUTE and DEALLOCATE in SQL, of the same names
// tracker_local       a client's messages without a backend, lost transactions included
// tracker_backend     the server's messages
// tracker_errors      its errors, under the client's names
// tracker_settings    settings that are carried although the server does not report them
// tracker_replay      settings that the backend lacks, in front of the first request
// tracker_identity    a role that is given up needs not be taken before
// tracker_pins        what keeps it on its backend, and for how long
// tracker_hidden      what functions did to it that no text tells
// tracker_numbers     whose the numbers of sequences are that its backend would tell
// tracker_listen      LISTEN and UNLISTEN, and what it is told between its transactions
// tracker_along       what a transaction's backend hears beside it
// tracker_observed    its statements, for whoever wants to know of each
// tracker_again       requests that execute nothing go to another backend
// tracker_loss        what becomes of outstanding requests when the lease is lost
#pragma once

#include "dialects/postgres/tracker_state.hpp"

namespace leasehold::postgres {

// The header in front of at least header_size bytes; what peek() does, without a question.
[[nodiscard]] inline Header header_at(Bytes in) noexcept {
    const auto byte = [in](std::size_t i) { return std::uint32_t{in[i]}; };
    return {in[0], byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4)};
}

class Tracker final : private TrackerState, public wire::Tracker, private wire::Listener {
  public:
    explicit Tracker(TrackerOptions options);

    [[nodiscard]] wire::Verdict from_client(Bytes in, wire::Outbox& to_backend, wire::Outbox& to_client) override;
    [[nodiscard]] wire::Verdict from_backend(Bytes in, wire::Outbox& to_client, wire::Outbox& to_backend) override;
    [[nodiscard]] bool ends_with_goodbye(Bytes held) const noexcept override;
    void attach(wire::LeaseState& backend) override;
    void detach() noexcept override;
    [[nodiscard]] bool attached() const noexcept override { return lease_ != nullptr; }
    [[nodiscard]] wire::Aftermath lose(const wire::Loss& loss, wire::Outbox& to_client) override;
    [[nodiscard]] wire::Aftermath refuse(const wire::Diagnostics& error, wire::Outbox& to_client) override;
    [[nodiscard]] const wire::Diagnostics* refusal() const noexcept override;
    void farewell(const wire::Diagnostics& error, wire::Outbox& to_client) override;
    [[nodiscard]] std::uint64_t variant() const noexcept override { return options_.variant; }
    [[nodiscard]] std::uint64_t fingerprint() const noexcept override { return settings_.fingerprint(); }
    [[nodiscard]] wire::TransactionStatus status() const noexcept override;
    [[nodiscard]] bool busy() const noexcept override;
    [[nodiscard]] bool cancellable() const noexcept override { return busy() && !restoring(); }
    [[nodiscard]] bool completes() const noexcept override { return !copy_in_ && !scope_open_ && request_left_ == 0; }
    [[nodiscard]] std::string_view pin() const noexcept override;
    [[nodiscard]] bool dirty() const noexcept override;
    [[nodiscard]] Audit audit() const noexcept override;
    [[nodiscard]] std::string pin_statement() const override;
    [[nodiscard]] std::vector<wire::Leak> take_leaks() override { return std::exchange(hidden_.leaks, {}); }
    [[nodiscard]] std::string_view application() const noexcept override;
    [[nodiscard]] std::vector<std::string> transcript(bool literals) const override;

    [[nodiscard]] const wire::Errand& errand() const noexcept override;
    [[nodiscard]] wire::Aftermath carried_out(const wire::Diagnostics* error, wire::Outbox& to_client) override;
    [[nodiscard]] wire::Listener* listener() noexcept override { return listening_ ? this : nullptr; }
    [[nodiscard]] bool resumes() const noexcept override;

    void observe(wire::StatementObserver* observer) override;
    [[nodiscard]] std::string masked(std::string_view statement, std::size_t limit) const override {
        return mask(statement, limit, conforming_);
    }

    // What the backend holds of the session, as it says itself; null: it could not say.
    void audited(const Found* found);
    // Custom settings that its functions may have set: what an audit is to ask for.
    [[nodiscard]] const Hidden::Suspects& suspects() const noexcept { return hidden_.suspects; }
    // What the backend listens to beside the ear, which is not the session's; and what came for it in an audit.
    [[nodiscard]] std::vector<std::string> along_channels() const;
    // Statements that the backend was given under the session's own names, because they were asked for.
    [[nodiscard]] const std::vector<std::string>& shown() const noexcept { return shown_; }
    void pass_notifications(Bytes messages, wire::Outbox& to_client);

    // What a backend must hold before attach(): the startup packet's settings and what the session changed since.
    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

  private:
    enum class Step : std::uint8_t { taken, hold, lease, close, errand, fatal };

    struct Message {
        std::uint8_t type = 0;
        Bytes bytes{};  // with the header; shorter than `size` when the rest is streamed
        std::size_t size = 0;
        [[nodiscard]] Bytes body() const noexcept { return bytes.subspan(header_size); }
        [[nodiscard]] bool whole() const noexcept { return bytes.size() == size; }
    };
    struct Flow {
        wire::Outbox& to_backend;
        wire::Outbox& to_client;
    };
    enum class Passing : std::uint8_t { pass, drop, lost, refused, fatal };

    // tracker.cpp
    [[nodiscard]] static bool carried(const void* tracker, std::string_view setting);
    [[nodiscard]] Digest digest(std::string_view sql) const;
    void tell_parameters(wire::Outbox& to_client);
    void tell_start(wire::Outbox& to_client);
    void end_discard(wire::Outbox& to_client);
    void apply(const Digest& digest);
    [[nodiscard]] static std::uint16_t bits(const Digest& digest) noexcept;
    [[nodiscard]] wire::Verdict die(std::size_t consumed, std::string_view why, wire::Outbox& to_client);
    [[nodiscard]] std::size_t stream_rest(Bytes in, Flow& flow);
    void end_stream(Flow& flow);
    void start_stream(const Message& message, Rest rest);
    void start_scan(std::string_view sql);
    [[nodiscard]] bool streams_reserved() const noexcept;
    [[nodiscard]] char local_status() const noexcept { return lost_ == Lost::no || lost_implicit_ ? 'I' : 'E'; }

    // tracker_reading.cpp
    [[nodiscard]] std::uint64_t reading() const noexcept;
    [[nodiscard]] std::uint64_t reading_of_settings() const noexcept;
    void note_reading(const Digest& digest) noexcept;
    void note_parameter(std::string_view name, std::string_view value);
    void misread(std::string_view by);
    void read_anew() noexcept;
    void remember(std::string_view name);
    void take_back();
    // An earlier segment may change how a text is read that is parsed now.
    [[nodiscard]] bool misreadable() const noexcept { return reading_scope_ > scope_done_ && reading_scope_ != scope_; }

    // tracker_client.cpp
    [[nodiscard]] Step attached_message(const Message& message, Flow& flow);
    [[nodiscard]] Step on_copying(const Message& message, Flow& flow);
    [[nodiscard]] Step on_copy_message(const Message& message, Flow& flow);
    [[nodiscard]] Step on_query(const Message& message, Flow& flow);
    [[nodiscard]] Step on_function_call(const Message& message, Flow& flow);
    [[nodiscard]] Step on_execute(const Message& message, Flow& flow);
    [[nodiscard]] Step on_sync(const Message& message, Flow& flow);
    [[nodiscard]] Step hold(Flow& flow);
    void forward(const Message& message, Flow& flow) const;
    void begin_scope(Flow& flow, bool parses_unnamed);
    void start_record() noexcept;

    // tracker_prepared.cpp
    [[nodiscard]] Step on_parse(const Message& message, Flow& flow);
    [[nodiscard]] Step parse_unnamed(const Message& message, std::string_view sql, Flow& flow);
    [[nodiscard]] Step execute_deallocate(const Message& message, Flow& flow);
    [[nodiscard]] Step parse_named(const Message& message, std::string_view name, Bytes tail, Flow& flow);
    [[nodiscard]] Step parse_taken(std::string_view name, const Message& message, Bytes tail, Flow& flow);
    [[nodiscard]] Step on_bind(const Message& message, Flow& flow);
    [[nodiscard]] Step on_describe(const Message& message, Flow& flow);
    [[nodiscard]] Step on_close(const Message& message, Flow& flow);
    void bound(std::string_view portal, const Digest* digest, std::string_view sql);
    void put_parse(std::uint64_t id, Bytes tail, std::size_t later, Flow& flow) const;
    void ensure_held(const PreparedText& text, Flow& flow);
    void ensure_named(Namespace::Named& named, Flow& flow);
    void ensure_unnamed(Flow& flow);
    void note_unnamed_again();
    void make_room(Flow& flow);
    void inject_close(std::uint64_t id, Flow& flow);
    void poison(Fault fault, std::string_view detail, Flow& flow);
    [[nodiscard]] bool uncertain() const noexcept {
        if (name_trail_ && name_trail_->pending()) return true;
        return change_scope_ > scope_done_ && change_scope_ != scope_;
    }
    [[nodiscard]] bool unnamed_uncertain() const noexcept {
        return unnamed_scope_ > scope_done_ && unnamed_scope_ != scope_;
    }
    // The unnamed statement is the right one also if everything outstanding fails.
    [[nodiscard]] bool unnamed_settled() const noexcept { return in_sync_ && !unnamed_uncertain(); }
    [[nodiscard]] StatementCache& cache();

    // tracker_sql_prepared.cpp
    struct Resolving;
    [[nodiscard]] ResolvedNames resolve(std::string_view sql, bool extended);
    void adopt(Namespace::Named& named);
    void put_in_front(ResolvedNames& names, Flow& flow);
    void show_own(Flow& flow);
    void run_own(std::string_view sql, Flow& flow);
    [[nodiscard]] Step refuse_query(const Message& message, std::string_view why, Flow& flow);
    void follow_names(SentNames sent, std::uint64_t number);
    void name_done(Bytes tag);
    [[nodiscard]] bool write_own_error(Bytes body, wire::Outbox& to_client);
    void end_front(Bytes body);
    [[nodiscard]] bool in_front() const noexcept;

    // tracker_sql_extended.cpp
    [[nodiscard]] Step parse_unnamed_names(const Message& message, std::string_view sql, const Digest& what,
                                           Flow& flow);
    void ensure_unnamed_names(Flow& flow);
    [[nodiscard]] std::optional<ResolvedNames> resolve_source(Namespace::Named& named);
    [[nodiscard]] bool ensure_source(Namespace::Named& named, Flow& flow, SentNames* spelling);
    [[nodiscard]] bool resolvable(const Namespace::Named& named) const noexcept;
    SentNames::Renames refresh(Namespace::Named& named);
    [[nodiscard]] const Digest* bind_names(std::string_view portal, std::string_view sql, Flow& flow);
    [[nodiscard]] Step refuse_bind(const Message& message);
    [[nodiscard]] Step execute_prepare(const Message& message, Flow& flow);

    // tracker_local.cpp
    [[nodiscard]] Step local_message(const Message& message, Bytes rest, Flow& flow);
    [[nodiscard]] Step local_request(const Message& message, Bytes rest, Flow& flow);
    [[nodiscard]] Step refused_message(const Message& message, Flow& flow);
    [[nodiscard]] Step batch(Bytes rest);
    [[nodiscard]] bool refuse_begin(const Message& message, Flow& flow);
    [[nodiscard]] Step lost_message(const Message& message, Bytes rest, Flow& flow);
    [[nodiscard]] Step lost_query(const Message& message, Bytes rest, Flow& flow);
    [[nodiscard]] Step lost_extended(const Message& message, Bytes rest, Flow& flow);
    struct LostRequest;
    [[nodiscard]] LostRequest lost_request(const Message& message);
    void accept_lost(const Message& message, const LostRequest& request, wire::Outbox& to_client);
    [[nodiscard]] bool lost_accepts(const Digest& digest) const noexcept;
    void lost_error(bool ends, wire::Outbox& to_client);
    [[nodiscard]] const Digest* statement_digest(std::string_view name) noexcept;
    void clear_lost() noexcept;
    void close_locally(std::string_view name, wire::Outbox& to_client);
    void parse_locally(const Message& message, std::string_view name, Bytes tail, const Digest& digest);
    void say(Fault fault, std::string_view detail, wire::Outbox& to_client) const;

    // tracker_backend.cpp
    [[nodiscard]] Passing on_reply(std::uint8_t type, Bytes body, wire::Outbox& to_client);
    [[nodiscard]] std::size_t stream_reply(Bytes rest, std::size_t size) noexcept;
    [[nodiscard]] Passing on_error(Bytes body, wire::Outbox& to_client);
    [[nodiscard]] Passing on_parameter(Bytes body, wire::Outbox& to_client);
    [[nodiscard]] Passing take_parameter(const Parameter& said, wire::Outbox& to_client);
    [[nodiscard]] Passing on_ready(Bytes body);
    [[nodiscard]] Passing on_complete(std::uint8_t type, Bytes body, wire::Outbox& to_client);
    [[nodiscard]] Passing on_copy_in();
    [[nodiscard]] bool on_header(std::uint8_t type);
    [[nodiscard]] Passing confirm(std::uint8_t request);
    void succeeded(const Request& request);
    void fail_scope();
    void undo(Effect& effect);
    void drop_all_statements(bool discard);
    void end_schema_change() noexcept;
    void advance(wire::Outbox& to_client);
    [[nodiscard]] bool has_local_turn() const noexcept;
    void resync_unnamed();
    [[nodiscard]] bool holds_unnamed() const noexcept;
    void transaction_over();
    void all_answered() noexcept;
    void write_patched_error(Bytes body, std::string_view from, std::string_view to, wire::Outbox& to_client) const;
    [[nodiscard]] bool boundary() const noexcept;

    // tracker_pins.cpp
    void pin_fresh(PinKind kind, std::string_view variable);
    void apply_pins(const Digest& digest);

    // tracker_hidden.cpp
    void read_called(Digest& digest, std::string_view sql) const;
    void look_for_hidden(const Digest& digest);
    void unannounced(std::string_view name);
    void take_over(const Found& found);
    [[nodiscard]] bool adopt(const FoundSetting& setting);
    void leak(std::string_view kind, std::string_view what);
    [[nodiscard]] std::string unseen_loss() const;
    // tracker_numbers.cpp
    enum class Numbers : std::uint8_t { pass, wait, clear, refuse };
    [[nodiscard]] bool own_numbers() const noexcept;
    void touch_numbers(bool draws) noexcept;
    [[nodiscard]] bool clears_numbers() const noexcept { return clearing_ >= outstanding_.first(); }
    void begin_clearing(std::uint64_t scope) noexcept;
    void numbers_cleared() noexcept;
    [[nodiscard]] bool goes_on(const Digest& digest) const noexcept;
    [[nodiscard]] bool runs_something() const noexcept;
    [[nodiscard]] bool earlier_scopes() const noexcept;
    [[nodiscard]] Numbers before_numbers(const Digest& digest, bool whole) noexcept;
    [[nodiscard]] std::optional<Step> clear_numbers(const Digest& digest, const Message& message, Flow& flow);
    [[nodiscard]] std::optional<Step> clear_numbers_bound(const Digest& digest, bool kept, const Message& message,
                                                          Flow& flow);
    [[nodiscard]] Step refuse_numbers(const Message& message, Flow& flow);
    void discard_sequences_extended(Flow& flow);
    [[nodiscard]] static Digest called(Bytes body) noexcept;
    void sequences_discarded();
    [[nodiscard]] Passing on_clearing(std::uint8_t type, Bytes body, wire::Outbox& to_client);

    // tracker_listen.cpp
    void ready(const std::string& channel, const std::string& mark_channel, std::uint64_t session) override;
    void heard(const wire::AnnouncementPtr& said) override;
    void lost() override { listening_->lost(); }
    void restored(const std::string& mark_channel) override { listening_->restored(mark_channel); }
    [[nodiscard]] std::vector<std::string> wanted() const override { return listening_->wanted(); }
    [[nodiscard]] std::vector<std::string> take_unwanted() override { return listening_->take_unwanted(); }
    [[nodiscard]] bool overflowed() const noexcept override { return listening_->overflowed(); }
    // Where it may be about listening it has to be read.
    [[nodiscard]] bool may_listen(const Digest& what) const noexcept {
        return what.statements == 1 && (what.first == Kind::listen || what.first == Kind::unlisten ||
                                        (listening_ && what.first == Kind::other));
    }
    [[nodiscard]] ListenOrder listen_order(const Digest& what, std::string_view sql) const;
    [[nodiscard]] bool must_catch_up(const ListenOrder& order);
    [[nodiscard]] bool must_ask(const ListenOrder& order);
    [[nodiscard]] bool listens_somewhere(const Digest& what) const noexcept {
        return (what.pins & bit(PinKind::listen)) != 0 ||
               (listening_ && (what.ends_state || what.statements > 1 || what.first == Kind::other));
    }
    [[nodiscard]] bool prepare_to_listen(Digest& what, std::string_view sql, std::vector<ListenPart>& parts);
    [[nodiscard]] bool same_encoding() const noexcept;
    // The whole text is a question for what is listened to.
    [[nodiscard]] static bool asks_alone(const std::vector<ListenPart>& parts, std::string_view sql) noexcept {
        return parts.size() == 1 && parts[0].order.kind == ListenOrder::Kind::channels && parts[0].begin == 0 &&
               parts[0].end == sql.size();
    }
    void query_listening(std::string_view sql, const std::vector<ListenPart>& parts, Flow& flow);
    [[nodiscard]] Passing complete_listening(wire::Outbox& to_client);
    void pass_listening_error(Bytes body, wire::Outbox& to_client);
    [[nodiscard]] Step execute_listening(const Message& message, Flow& flow);
    [[nodiscard]] std::string instead_of(const ListenOrder& order);
    void bind_listening(std::string_view portal, Digest& what, std::string_view sql);
    [[nodiscard]] Listening& listening();
    [[nodiscard]] bool holds_ready() noexcept;
    [[nodiscard]] bool between_transactions() const noexcept;
    void release_ready(wire::Outbox& to_client);

    // tracker_along.cpp
    [[nodiscard]] std::optional<Step> begin_along(const Digest* what, Flow& flow);
    void listen_along(const std::vector<std::string>& channels, Flow& flow);
    void listen_along(const ListenOrder& order, Flow& flow);
    [[nodiscard]] bool hears_along(Bytes notification);
    [[nodiscard]] bool along() const noexcept { return listening_ && listening_->along(); }

    // tracker_settings.cpp
    [[nodiscard]] SettingTrail& trail();
    [[nodiscard]] std::optional<SettingSteps> read_steps(const Digest& digest, std::string_view sql);
    [[nodiscard]] std::optional<Restated> restated(const Digest& digest, std::string_view sql) const;
    [[nodiscard]] bool has_room(const SettingSteps& steps) const noexcept;
    [[nodiscard]] bool in_the_dark() const noexcept;
    void keep_privileged(SettingSteps& steps) const noexcept;
    void distrust(const Digest& digest);
    void follow(SettingSteps steps, Rewriting places = {});
    void execute_steps(SettingSteps steps, Flow& flow);
    void restore_within(Flow& flow);
    void step_done(std::uint8_t type, Bytes body);
    void own_step_done(Bytes body);
    void bound_settings(std::string_view portal, const Digest* digest, std::string_view sql);
    void note_stuck();
    void settle(std::uint64_t answered, bool failed);
    void leave_trail();
    void restore(wire::Outbox& to_backend);
    [[nodiscard]] Passing on_restoring(std::uint8_t type, Bytes body, wire::Outbox& to_client);
    // In front is a Query of our own, which brings back settings or discards sequences.
    [[nodiscard]] bool own_in_front() const noexcept {
        return !outstanding_.empty() && outstanding_[0].reply == Request::Reply::swallow;
    }
    [[nodiscard]] bool restoring() const noexcept {
        return !outstanding_.empty() && outstanding_[0].type == frontend::query &&
               outstanding_[0].reply == Request::Reply::swallow;
    }

    // tracker_replay.cpp
    void begin_replay() noexcept;
    [[nodiscard]] bool replays(std::string_view name) const noexcept;
    void replay(Flow& flow);
    [[nodiscard]] Step replay_alone(Flow& flow);
    [[nodiscard]] bool awaits_replay() noexcept;
    // Nothing but them is outstanding.
    [[nodiscard]] bool replays_alone() const noexcept {
        return replayed_ && replayed_->alone && outstanding_.pushed() == replayed_->last + 1;
    }
    [[nodiscard]] std::size_t unanswered_replays() const noexcept;
    [[nodiscard]] Passing on_replayed(std::uint8_t type, Bytes body);
    [[nodiscard]] Passing on_replay_error(Bytes body);
    void end_replay(wire::Outbox& to_client);
    // tracker_identity.cpp
    void set_identity_aside(const Message& message, Bytes rest);
    void take_identity_back(bool failed);

    // tracker_observed.cpp
    void watch_query(std::string_view sql, std::size_t length);
    void watch_call();
    void watch_parse(std::string_view sql, std::size_t length);
    void watch_bind(std::string_view portal, std::string_view sql);
    void watch_execute(std::string_view portal);
    void watch_sync();
    void watch_done() noexcept;
    void watch_error(Bytes body) noexcept;
    void watch_ends();
    void watch_loss();

    // tracker_again.cpp
    [[nodiscard]] static bool harmless(const Request& request, char status) noexcept;
    [[nodiscard]] bool alone() const noexcept;
    void keep_harmless(const Message& message);
    [[nodiscard]] bool goes_again(const wire::Loss& loss) const noexcept;
    [[nodiscard]] wire::Verdict::Kind send_again(wire::Outbox& to_backend, wire::Outbox& to_client);

    // tracker_loss.cpp
    struct Answering;
    void answer_outstanding(const wire::Loss& loss, wire::Outbox& to_client);
    [[nodiscard]] bool unknown_outcome(const wire::Loss& loss) const noexcept;
    void answer_scope(Answering& how, std::size_t from, std::size_t to);
    void finish_rollback(Answering& how, std::size_t from, std::size_t to);
    [[nodiscard]] std::string loss_detail(std::size_t from, std::size_t to, std::string_view reason) const;
    void clear_after_loss();
    void write_unfinished() noexcept;
};

[[nodiscard]] std::unique_ptr<wire::Tracker> make_tracker(TrackerOptions options);

}  // namespace leasehold::postgres
