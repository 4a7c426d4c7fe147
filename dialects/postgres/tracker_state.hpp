// SPDX-License-Identifier: Apache-2.0
// What a Tracker knows of its session from one call to the next: values, and nothing that acts. Which file of the
// tracker's uses what stands in tracker.hpp.
#pragma once

#include "dialects/postgres/hidden.hpp"
#include "dialects/postgres/lease.hpp"
#include "dialects/postgres/listening.hpp"
#include "dialects/postgres/outstanding.hpp"
#include "dialects/postgres/pins.hpp"
#include "dialects/postgres/setting_trail.hpp"
#include "dialects/postgres/sql_prepared.hpp"
#include "dialects/postgres/transcript.hpp"
#include "dialects/postgres/unnamed.hpp"

#include <map>

namespace leasehold::postgres {

struct TrackerOptions {
    std::string identity{};  // the detail of errors that only leasehold gives
    std::string user;
    Settings startup;                                             // what the client's startup packet wants, well formed
    std::vector<std::pair<std::string, std::string>> parameters;  // ParameterStatus as the client was told at welcome
    std::uint64_t variant = 0;
    std::shared_ptr<const void> variant_kept{};  // keeps the number from being forgotten
    wire::LeaseMode mode = wire::LeaseMode::transaction;
    bool disconnect_on_loss = false;
    std::size_t prepared_per_client = 1000;
    std::size_t max_settings = 1000;  // carried; what is set beyond them pins
    std::size_t max_statement_cache_bytes = 64u << 20;
    std::shared_ptr<wire::KnownFunctions> functions{};  // the pool's; null: what they do is not looked at
};

struct TrackerState {
    TrackerState(TrackerOptions options, std::uint64_t id)
        : options_(std::move(options)), id_(id), settings_(options_.startup) {}

    // Of a message that is longer than what was waited for: what becomes of the rest.
    enum class Rest : std::uint8_t { forward, discard };
    // unheard: the client has not been told yet that its transaction is gone.
    enum class Lost : std::uint8_t { no, unheard, heard };
    struct Watching;

    TrackerOptions options_;
    std::uint64_t id_;                // of the session, in the process
    PostgresLease* lease_ = nullptr;  // the backend's; outlives the lease
    std::shared_ptr<StatementCache> cache_;
    bool temporary_first_ = false;       // the search_path asked for at connect may put new tables into pg_temp
    std::uint64_t startup_reading_ = 0;  // reading()'s share of the startup packet
    struct ReadSettings {
        std::uint64_t told = ~0ull, own = ~0ull, mark = 0;  // revisions, and what reading_of_settings() says of them
    };
    mutable ReadSettings read_settings_;
    std::uint64_t reading_scope_ = 0;   // the last that may change how texts are read
    bool reading_local_ = false;        // its transaction has set something: to be taken back at its end, maybe
    bool superuser_ = false;            // the login's user, whatever role it takes
    std::uint64_t own_since_ = 0;       // since when in this lease names meant something to itself alone; 0: never
    bool private_reading_ = false;      // it has set what nobody reports: its texts are nobody else's
    bool schema_changing_ = false;      // its transaction has changed what names mean, for all once it ends, ...
    bool own_schema_changing_ = false;  // ... or to itself alone
    std::uint64_t own_schema_ = 0;      // when it last changed what names mean to itself alone
    Settings settings_;
    Settings stuck_;                       // names of what has a value that no other backend can be given
    std::unique_ptr<SettingTrail> trail_;  // while settings or savepoints are under way
    struct Before {
        std::string name;
        std::optional<std::string> value;
    };
    std::vector<Before> before_;  // settings that the server reports, before the transaction in progress
    struct PortalSteps {
        std::uint64_t scope = 0;
        SettingSteps steps;
    };
    SettingSteps portal_steps_;  // what executing the unnamed portal does to them
    std::map<std::string, PortalSteps, std::less<>> named_portal_steps_;  // and those with names
    struct Aside {
        std::optional<std::string> role, authorization;
    };
    std::optional<Aside> aside_;      // who the session is, while a statement runs that gives it up
    bool identity_refused_ = false;   // no backend could be given what it wants
    Settings told_;                   // every ParameterStatus as the client was told last
    bool parameters_differ_ = false;  // the backend's are not what the client was told
    // Settings that the backend lacks: to be sent in front of the first request, sent and not yet answered, there (and the
    // request comes now), or refused.
    enum class Replay : std::uint8_t { none, due, sent, stands, failed };
    Replay replay_ = Replay::none;
    struct Replayed {
        std::uint64_t last = 0;  // request of ours
        bool alone = false;      // the client's first request waits for them
        Settings unreported;     // names that the server reports, and has not yet
        wire::Diagnostics refusal{};
    };
    std::unique_ptr<Replayed> replayed_;  // from then on up to the next ReadyForQuery
    bool conforming_ = true;              // standard_conforming_strings
    bool encoding_pins_ = false;          // client_encoding has characters that hold a quote's or backslash's byte

    Outstanding outstanding_;
    char status_ = 'I';                // of the last ReadyForQuery
    bool scope_open_ = false;          // extended messages since the last Sync
    bool skipping_ = false;            // an error was seen: everything up to the client's Sync is ignored
    bool copy_in_ = false;             // the server waits for CopyData
    std::uint64_t flushed_ = 0;        // requests pushed when a Flush was added for a message that is held
    std::uint64_t scope_ = 1;          // the number of the scope that the next message belongs to
    std::uint64_t scope_done_ = 0;     // the last that is answered completely
    std::uint64_t change_scope_ = 0;   // the last that changes named statements
    std::uint64_t unnamed_scope_ = 0;  // the last that may fail before it has set the unnamed statement
    std::uint32_t dropping_ = 0;       // outstanding DISCARD ALL, DEALLOCATE ALL, and what restores settings
    bool unaligned_ = false;           // the backend has its defaults: what the session wants comes with the next lease

    std::uint16_t front_ran_ = 0;  // bits of what the scope in front has executed
    bool discarded_ = false;       // DISCARD ALL is done, its ReadyForQuery not yet there

    std::size_t request_left_ = 0;  // bytes due of a client's message that is streamed
    Rest rest_ = Rest::forward;
    std::unique_ptr<Scanner> scanner_;  // reads along while one is streamed
    std::unique_ptr<Digester> digester_;
    bool ready_after_ = false;    // ReadyForQuery follows a discarded message
    bool cut_ = false;            // of the message in front only the beginning is known
    std::size_t reply_left_ = 0;  // bytes due of a server's message that is streamed

    Namespace names_;
    Unnamed unnamed_;
    bool in_sync_ = false;           // the backend's unnamed statement is what it would be without leasehold
    std::uint16_t portal_bits_ = 0;  // of the unnamed portal's statement
    std::uint16_t named_portal_bits_ = 0;
    std::uint32_t portal_text_ = 0;
    std::string portal_deallocates_;  // the session's statement that executing the unnamed portal gives up

    std::vector<const Namespace::Named*> resolving_;         // whose texts are being resolved, one within the other
    std::vector<std::string> shown_;                         // names of its own that the backend has as they are
    std::pair<std::uint64_t, std::string> unnamed_written_;  // the unnamed statement, and what it was sent as
    std::unique_ptr<NameTrail> name_trail_;                  // while SQL gives or takes names
    std::unique_ptr<ResolvedNames> portal_names_;            // what executing the unnamed portal does with them

    std::uint64_t numbers_ = 0;        // leases in which it may have used sequences
    std::uint64_t numbers_named_ = 0;  // the last request whose text names what uses or tells them
    std::uint64_t clearing_ = 0;  // the last DISCARD SEQUENCES of ours; done or given up once it is not outstanding
    std::uint64_t clearing_scope_ = 0;  // which it is in; all: it is a Query
    bool numbers_touched_ = false;      // the lease may have used sequences
    bool numbers_drawn_ = false;        // and is likely to have drawn numbers from them

    std::unique_ptr<Listening> listening_;  // since its first LISTEN
    Pins pins_;
    Hidden hidden_;
    bool session_pinned_ = false;  // session mode, from the first lease on
    bool soiled_ = false;

    // The last request that executes nothing: sent again where its backend is lost. See tracker_again.
    struct Again {
        std::vector<std::uint8_t> bytes;
        std::uint64_t request = 0;
        int times = 0;
        bool due = false;
    };
    Again again_;

    Lost lost_ = Lost::no;
    bool lost_implicit_ = false;  // an unfinished pipeline outside a transaction
    bool ends_at_sync_ = false;   // the lost state, after a COMMIT that was told of it
    std::string lost_why_;
    bool lost_portal_ = false;  // a ROLLBACK is bound that no server has seen
    bool refused_ = false;      // the next request has its error already

    Transcript transcript_;
    bool transaction_over_ = true;        // the transcript is of a transaction that has ended
    std::shared_ptr<Watching> watching_;  // while somebody observes
};

}  // namespace leasehold::postgres
