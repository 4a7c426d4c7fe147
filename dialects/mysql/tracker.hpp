// SPDX-License-Identifier: Apache-2.0
// Following a live session of the MySQL protocol: which requests need a backend, where a reply and a transaction end,
// what is carried to the next backend and what pins. One client request is under way at a time; a client that sends
// ahead is held at the next one. "Command Phase" of the manual.
#pragma once

#include "dialects/mysql/convert.hpp"
#include "dialects/mysql/errors.hpp"
#include "dialects/mysql/lease.hpp"
#include "dialects/mysql/pins.hpp"
#include "dialects/mysql/prepared.hpp"
#include "dialects/mysql/reframe.hpp"
#include "dialects/mysql/statements.hpp"
#include "dialects/mysql/transcript.hpp"
#include "dialects/wire/known_functions.hpp"

#include <deque>
#include <memory>
#include <optional>

namespace leasehold::mysql {

struct TrackerOptions {
    wire::LeaseMode mode = wire::LeaseMode::transaction;
    bool disconnect_on_loss = false;
    std::size_t prepared_per_client = 1000;
    std::size_t max_statement_cache_bytes = 64u << 20;
    std::size_t max_settings = 1000;
    Capabilities capabilities = 0;              // of the client, as far as it was offered them
    std::uint8_t charset = 0;                   // of its handshake
    std::uint16_t status = status::autocommit;  // of the server's login
    bool mariadb = true;
    std::string sql_mode;         // of a new connection
    std::string isolation_level;  // of the pool; empty: the server's
    // session_track_system_variables of a new connection
    std::string tracked_variables =
        "autocommit,character_set_client,character_set_connection,"
        "character_set_results,time_zone";
    std::string application;
    std::string identity;  // "leasehold session 17": what leasehold's own errors are signed with
    std::shared_ptr<wire::KnownFunctions>
        functions{};           // of the pool: which stored routines are looked at; null: procedures
    std::uint32_t number = 0;  // of the session, as its greeting said it
    Salt salt{};               // the last one of its login
};

// The variant of a lease: what a handshake settles. The pool does not look into it.
[[nodiscard]] std::uint64_t variant_of(Capabilities capabilities) noexcept;
[[nodiscard]] Capabilities capabilities_of(std::uint64_t variant) noexcept;
// What a pool's isolation_level makes of a new session.
[[nodiscard]] Settings initial_settings(std::string_view isolation_level, bool mariadb, bool autocommit);

class Tracker final : public wire::Tracker {
  public:
    explicit Tracker(TrackerOptions options);

    [[nodiscard]] wire::Verdict from_client(Bytes in, wire::Outbox& to_backend, wire::Outbox& to_client) override;
    [[nodiscard]] wire::Verdict from_backend(Bytes in, wire::Outbox& to_client, wire::Outbox& to_backend) override;
    [[nodiscard]] bool ends_with_goodbye(Bytes held) const noexcept override;
    void ask(wire::Outbox& to_backend) override;
    void attach(wire::LeaseState& backend) override;
    void detach() noexcept override;
    [[nodiscard]] bool attached() const noexcept override { return lease_ != nullptr; }
    [[nodiscard]] wire::Aftermath lose(const wire::Loss& loss, wire::Outbox& to_client) override;
    [[nodiscard]] wire::Aftermath refuse(const wire::Diagnostics& error, wire::Outbox& to_client) override;
    [[nodiscard]] bool resumes() const noexcept override { return again_ || begin_again_; }
    void farewell(const wire::Diagnostics& error, wire::Outbox& to_client) override;
    [[nodiscard]] std::uint64_t variant() const noexcept override { return variant_of(capabilities_); }
    [[nodiscard]] const wire::Errand& errand() const noexcept override { return errand_; }
    [[nodiscard]] wire::Aftermath carried_out(const wire::Diagnostics* error, wire::Outbox& to_client) override;
    [[nodiscard]] std::uint64_t fingerprint() const noexcept override { return settings_.fingerprint(); }
    [[nodiscard]] wire::TransactionStatus status() const noexcept override;
    [[nodiscard]] bool busy() const noexcept override { return outstanding() || preparing_.held; }
    [[nodiscard]] bool cancellable() const noexcept override {
        return outstanding() && request_.active && lease_->due.front().whose == Due::For::client;
    }
    [[nodiscard]] bool completes() const noexcept override { return !receiving(); }
    [[nodiscard]] std::string_view pin() const noexcept override;
    [[nodiscard]] std::string pin_statement() const override;
    // The part of it that a lost backend takes along; or what of that is older than what is going on.
    [[nodiscard]] std::string_view state_pin(bool of_any_age = true) const noexcept;
    [[nodiscard]] bool dirty() const noexcept override {
        return dirty_ || suspect_ || !lock_.empty() || !statement_pin().empty();
    }
    [[nodiscard]] std::string_view application() const noexcept override { return options_.application; }
    [[nodiscard]] std::vector<std::string> transcript(bool literals) const override {
        return transcript_.statements(literals, backslash_escapes());
    }
    void observe(wire::StatementObserver* observer) override;
    [[nodiscard]] std::string masked(std::string_view statement, std::size_t limit) const override {
        return mysql::masked(statement, false, limit, backslash_escapes());
    }

    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
    [[nodiscard]] const TrackerOptions& options() const noexcept { return options_; }
    // The request that waits makes or asks for state of which stored code, run there by others, may have left some that the
    // server does not report: the backend has to be reset.
    [[nodiscard]] bool wants_clean(const MysqlLease& backend) const noexcept {
        return wants_clean_ && backend.used_by != 0 && backend.used_by != number_;
    }

  private:
    enum class Step : std::uint8_t { taken, wait, lease, boundary, errand, close, fatal, own };

    // What leasehold answers by itself.
    struct Answer {
        enum class Kind : std::uint8_t { ok, end_of_rows, error, nothing } kind = Kind::ok;
        wire::Diagnostics error{};
        bool then_fatal = false;
    };
    // How a command about a prepared statement goes to a backend.
    struct Rewriting {
        std::uint32_t number = 0;  // the backend's
        Bytes types{};             // put in, where the backend's copy had others
    };
    // One packet of the client's that begins a command.
    struct Incoming {
        Bytes in;
        std::size_t& at;
        Header header;
        Command command;
        wire::Outbox& to_backend;
        wire::Outbox& to_client;
        const Rewriting* rewriting = nullptr;  // of a command that names a prepared statement
        bool plain = false;                    // query attributes have been taken out
        std::uint32_t shorter = 0;             // by so many bytes, where another packet follows
        [[nodiscard]] Bytes visible() const noexcept;
        [[nodiscard]] bool whole() const noexcept;
        [[nodiscard]] std::uint32_t left_behind(std::size_t taken) const noexcept;
    };

    [[nodiscard]] bool begins_in_vain(const Statement& statement) const noexcept {
        return (statement.begins || statement.begins_xa) && options_.mode == wire::LeaseMode::statement;
    }
    // tracker_client.cpp
    [[nodiscard]] Step on_command(Incoming packet);
    [[nodiscard]] Step on_query(Incoming& packet);
    [[nodiscard]] Step on_init_db(Incoming& packet);
    [[nodiscard]] Step on_set_option(Incoming& packet);
    [[nodiscard]] std::optional<Step> on_lost(Incoming& packet);
    // tracker_hidden.cpp
    static constexpr std::string_view unconcealed =
        "so many user variables, or of such names, in a transaction: name one of them in a statement before it";
    [[nodiscard]] Step want_lease_for(const Incoming& packet, const Statement& statement) noexcept;
    [[nodiscard]] static bool meets_variables(const Statement& statement) noexcept;
    [[nodiscard]] bool meets_others() const noexcept;
    [[nodiscard]] bool cannot_conceal(const Statement& statement) const noexcept;
    void conceal(const Statement& statement, wire::Outbox& to_backend);

    // tracker_messages.cpp
    [[nodiscard]] Step without_attributes(Incoming& packet);
    [[nodiscard]] Step simple(Incoming& packet, Shape shape);
    [[nodiscard]] const Statement* scan(Incoming& packet);
    [[nodiscard]] Step want_lease(const Incoming& packet) noexcept;
    [[nodiscard]] Step forward(Incoming& packet, Shape shape, Statement statement = {});
    void pass_beginning(Incoming& packet);
    void put_in_front(const Statement& statement, wire::Outbox& to_backend);

    // tracker_replica.cpp
    [[nodiscard]] Step on_register_replica(Incoming& packet);
    [[nodiscard]] Step on_binlog_dump(Incoming& packet);
    // tracker_errands.cpp
    [[nodiscard]] Step on_kill(Incoming& packet, const Kill& kill);
    [[nodiscard]] Step on_process_kill(Incoming& packet);
    [[nodiscard]] Step on_change_user(Incoming& packet);
    [[nodiscard]] Step on_reset_connection(Incoming& packet);
    [[nodiscard]] Step send_on_errand(Incoming& packet, wire::Errand errand);
    // With CONNECTION_ID() answered in the text; none: the packet goes on as it is.
    using Read = Step (Tracker::*)(Incoming&);
    [[nodiscard]] std::optional<Step> with_number(Incoming& packet, Read read);

    // tracker_prepared.cpp
    [[nodiscard]] Step on_prepare(Incoming& packet);
    [[nodiscard]] Step on_statement_command(Incoming& packet);
    [[nodiscard]] Step on_execute(Incoming& packet, std::uint32_t number, ClientStatement& named);
    [[nodiscard]] Step on_fetch_or_reset(Incoming& packet, std::uint32_t number, ClientStatement& named);
    [[nodiscard]] Step on_without_reply(Incoming& packet);
    [[nodiscard]] Step on_long_data(Incoming& packet, std::uint32_t number, ClientStatement& named);
    [[nodiscard]] Step on_close(Incoming& packet);
    [[nodiscard]] HeldStatement* copy_of(std::uint32_t number, const ClientStatement& named, wire::Outbox& to_backend);
    void release_copy(std::uint32_t number, const ClientStatement& named, bool closed = false);
    void pass_rewritten(const Incoming& packet);
    // tracker_copies.cpp
    struct Elsewhere {
        Settings then, now;
        std::string back_to{};  // the database
    };
    [[nodiscard]] Elsewhere switch_there(std::string_view reading, wire::Outbox& to_backend);
    void switch_back(const Elsewhere& from, wire::Outbox& to_backend);
    void prepare_copy(const PreparedText& text, wire::Outbox& to_backend);
    void on_copy(const Due& due);
    void on_prepared();
    void on_executed();
    void write_closes(wire::Outbox& to_backend);
    [[nodiscard]] std::string_view statement_pin() const noexcept;
    void statements_lost(std::string_view reason);

    // tracker_messages.cpp
    [[nodiscard]] Step answer(Incoming& packet, Answer answer);
    [[nodiscard]] Step answer(Incoming& packet, Fault fault, std::string_view detail = {});
    void pass_body(Bytes in, std::size_t& at, wire::Outbox& to_backend);
    void pass_header(const Header& header, Bytes in, std::size_t& at, wire::Outbox& to_backend);
    [[nodiscard]] bool message_ended(wire::Outbox& to_client);
    void write(const Answer& answer, std::uint8_t sequence, wire::Outbox& to_client) const;
    void say(wire::Diagnostics error, std::uint8_t sequence, wire::Outbox& to_client) const;

    // tracker_backend.cpp
    void on_complete(const Due& due);
    void on_reply();
    void take_status(std::uint16_t status);
    // Nothing is outstanding: asks what has to be asked, or says whether the lease may end.
    [[nodiscard]] wire::Verdict::Kind settle(wire::Outbox& to_backend);
    void inject(Due::For whose, std::string_view sql, wire::Outbox& to_backend);

    // tracker_state.cpp
    void apply(const Statement& statement);
    void apply_set(const std::string& name, const std::string& literal);
    [[nodiscard]] Step forward_tracked(Incoming& packet, Statement statement);
    void on_failure();
    void take_changes(const Statement& statement);
    [[nodiscard]] bool take_variable(const Statement& statement, std::string_view name, std::string_view value);
    void move_to_database(std::string_view name);
    [[nodiscard]] bool unsure() const noexcept { return state_unknown_ || suspect_; }

    // tracker_sql_prepared.cpp
    [[nodiscard]] bool prepare_named(const Statement& statement, wire::Outbox& to_backend);
    void note_named(std::string_view name, SqlTextRef text);
    void on_sql_copy();
    [[nodiscard]] bool take_named(const Effect& effect);
    void drop_named(std::string_view name);
    void fail_named(const Statement& statement, bool certain, std::size_t done);

    // tracker_pins.cpp
    void expect_state(const Statement& statement);
    [[nodiscard]] std::string_view current_database() const noexcept;
    void take_made(const Statement& statement);
    void take_effect(const Effect& effect);
    void take_calls(const Made& made, bool succeeded);
    void take_definition(const Pins::Defined& told);
    static void merge_executed(const Statement& text, Statement& into);
    void take_made_perhaps(const Statement& statement, bool certain, std::size_t done);
    void take_sets_perhaps(const Statement& statement, bool certain, std::size_t done);
    void carry_variable(const std::string& name, const std::string& literal);
    void doubt_texts();
    void put_executed(Statement& statement) const;
    [[nodiscard]] bool ask_for_pins(wire::Outbox& to_backend);
    void keep_answer(Bytes part);
    void on_answer();

    // tracker_observed.cpp
    struct Watching;
    void watch_request(const Incoming& packet);
    void watch_reply();
    void watch_loss();

    // tracker.cpp
    void pin_to_end(std::string_view reason);
    void reset_session();
    [[nodiscard]] LexMode lex_mode() const noexcept;
    [[nodiscard]] bool backslash_escapes() const noexcept { return (status_ & status::no_backslash_escapes) == 0; }
    [[nodiscard]] bool in_transaction() const noexcept { return (status_ & status::in_transaction) != 0; }
    [[nodiscard]] bool outstanding() const noexcept { return lease_ != nullptr && lease_->outstanding(); }
    [[nodiscard]] bool receiving() const noexcept { return body_.left > 0 || body_.continues || infile_; }
    // tracker_loss.cpp
    [[nodiscard]] wire::Diagnostics loss_of_request(const wire::Loss& loss, bool was_in_transaction) const;
    [[nodiscard]] bool answerable() const noexcept;
    void answer_request(const wire::Diagnostics& error, bool then_fatal, wire::Outbox& to_client);
    void keep_begin(const Incoming& packet, const Statement& statement);
    [[nodiscard]] bool only_begins() const noexcept {
        return request_.statement.begins && request_.statement.count == 1;
    }
    [[nodiscard]] bool may_repeat(const wire::Loss& loss) const noexcept;
    void prepare_again(wire::Outbox& to_backend);

    TrackerOptions options_;
    std::uint64_t number_;  // of the session, in the process
    Capabilities capabilities_;
    Conversion conversion_;                // of replies, to what the client can
    std::vector<std::uint8_t> plain_;      // a packet whose query attributes have been taken out, while it is passed on
    std::size_t attributes_tried_at_ = 0;  // their end was not in sight in so many bytes
    Settings settings_;
    std::uint16_t status_;  // of the last reply
    MysqlLease* lease_ = nullptr;

    // The client's message whose beginning was read.
    struct Body {
        std::uint32_t left = 0;  // of the current packet
        bool continues = false;  // another packet belongs to it
        bool dropped = false;    // it goes nowhere
    } body_;
    bool infile_ = false;  // packets of a file, up to an empty one
    std::uint8_t reply_sequence_ = 1;
    std::optional<Lexer> lexer_;         // of a statement too long to be seen at once
    std::optional<Answer> answer_then_;  // when the message has been read

    // The request whose reply is due.
    struct Request {
        bool active = false;
        Command command = Command::sleep;
        Statement statement{};
        bool in_transaction = false;  // when it was sent
        std::uint8_t option = 0;      // of COM_SET_OPTION
        // As it was before: what is no statement to the server has made no state.
        bool unpinned = true, was_dirty = false, lease_was_dirty = false;
    } request_;
    bool savepoint_open_ = false;  // with autocommit off one stands before there is a transaction
    bool state_unknown_ = false;   // after an error: the transaction may be over
    bool suspect_ = false;         // ... and stored code may have made state, which the next reply reports
    bool first_of_lease_ = false;
    bool foreign_found_rows_ = false;

    std::optional<Statement> scanned_;  // of the request at hand, while a lease is waited for
    bool wants_lease_ = false;          // a request waits for one
    bool wants_clean_ = false;          // ... that what others have left must not meet
    bool wary_ = false;                 // it may be met in a transaction: all leases begin clean
    struct Met {
        std::vector<std::string> variables;     // of others no more
        bool locks = false;                     // likewise
        bool own_code = false;                  // stored code of the session's own has run
    } met_;                                     // in this lease
    bool wanted_whole_ = false;                 // ... and was seen whole
    bool skip_request_ = false;                 // refuse() has answered it
    std::optional<wire::Diagnostics> refusal_;  // refuse() answers it when it has been read

    std::string_view pin_;              // to the session's end
    Pins pins_;                         // until what they are for has ended
    bool stored_state_ = false;         // the server has reported it: of a routine that is looked at
    bool stored_sets_ = false;          // one of these sets what servers tell of
    bool stored_moves_ = false;         // one of these went into its own database and back: that is reported, too
    bool called_in_vain_ = false;       // one of them may not have run
    bool pins_young_ = false;           // all made in the transaction in progress
    std::string pin_text_;              // the statement that made the first
    std::vector<std::uint8_t> answer_;  // to what the backend is asked about them
    std::string_view lock_;             // LOCK TABLES and the like, until they are unlocked
    bool session_pinned_ = false;       // session mode, from the first lease on
    bool by_hand_ = false;              // a comment of the client's
    bool pin_young_ = false;            // made in the transaction in progress
    bool one_shot_ = false;             // SET TRANSACTION waits for its transaction
    bool dirty_ = false;

    std::shared_ptr<StatementCache> cache_;  // outlives what refers to its texts
    ClientStatements prepared_;
    struct Preparing {
        TextRef text;                   // of the client's COM_STMT_PREPARE under way
        std::uint64_t copy_of = 0;      // the text that is prepared for a request of the client's that is held
        bool held = false;              // there is such a request
        bool broken = false;            // the session's settings are not what they were before it
        HeldStatement* copy = nullptr;  // whose EXECUTE, FETCH or RESET is under way
        std::uint32_t number = 0;       // ... for the client
        Command command = Command::sleep;
        std::uint32_t chunk_of = 0;               // long data waits for a lease: a refusal is heard later
        std::optional<wire::Diagnostics> failed;  // there is no copy for the held request
    } preparing_;
    SqlPrepared sql_prepared_;
    std::deque<std::pair<std::string, SqlTextRef>> sql_copies_;  // on their way
    std::vector<std::uint8_t> begin_;  // the request under way, where it is BEGIN alone outside of a transaction
    bool begin_again_ = false;         // it went with a backend, and is sent to another one
    bool said_before_ = false;         // the server ended the connection before it had read the request
    TextRef again_;                    // its COM_STMT_PREPARE went with a backend, and is sent to another one
    int repeated_ = 0;                 // so often already
    bool closing_ = false;             // the server closes the connection behind what it said

    std::optional<Reframe> reframe_;  // of the client's message that is passed on
    int grown_ = 0;                   // by so many packets it got longer
    std::uint16_t said_ = 0;          // flags that the next reply says besides the server's
    bool settles_ = false;            // a request was answered here although there is a lease
    std::uint64_t insert_id_ = 0;     // what LAST_INSERT_ID() answers, as far as it was read
    bool insert_id_own_ = false;      // the backend's is the session's, in this lease
    bool insert_id_moved_ = false;    // it changed since it was read

    wire::Errand errand_;
    std::vector<std::uint8_t> renumbered_;  // the packet with CONNECTION_ID() answered; lent to an outbox

    std::optional<std::string> lost_;          // why the transaction is lost; the next request hears it
    std::optional<wire::Diagnostics> doomed_;  // the next command hears it and ends the session
    Transcript transcript_;
    std::shared_ptr<Watching> watching_;  // while somebody observes
    bool uncounted_ = false;              // requests were answered of which no transaction has been counted
};

}  // namespace leasehold::mysql
