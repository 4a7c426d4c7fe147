// SPDX-License-Identifier: Apache-2.0
// What is known of one backend between and during leases: the settings it holds, what of the last session's answers is
// still in it, and the replies that it owes. The tracker writes it while attached; the backend's own exchanges otherwise.
#pragma once

#include "dialects/mysql/prepared.hpp"
#include "dialects/mysql/replies.hpp"
#include "dialects/mysql/session_track.hpp"
#include "dialects/mysql/settings.hpp"
#include "dialects/mysql/sql_prepared.hpp"
#include "dialects/wire/tracker.hpp"

#include <algorithm>
#include <deque>

namespace leasehold::mysql {

// A reply that is due, oldest first.
struct Due {
    enum class For : std::uint8_t {
        client,          // passed on
        alignment,       // a statement of ours in front of the client's: its reply is swallowed
        ping,            // asks for the transaction's state after an error
        read_insert_id,  // SELECT LAST_INSERT_ID() at the end of a lease
        switch_there,    // settings under which a text was prepared, for as long as it is prepared once more
        question,        // what is left of the session's state
        copy,            // a client's statement, prepared on this backend too
        sql_copy,        // likewise, by PREPARE
        switch_back,     // the session's own settings again
    };
    Shape shape = Shape::simple;
    For whose = For::client;
    [[nodiscard]] bool keeps_error() const noexcept {
        return whose == For::copy || whose == For::sql_copy || whose == For::switch_there;
    }
};

struct MysqlLease final : wire::LeaseState {
    Capabilities capabilities = 0;  // negotiated
    std::uint8_t charset = 0;       // of the handshake
    bool mariadb = false;
    bool default_autocommit = true;  // of a new or reset connection
    std::string login_database;      // may be empty
    std::string login_role;          // as CURRENT_ROLE() told it; empty: none
    // As SET ROLE takes it: MySQL's names stand in quotes.
    [[nodiscard]] std::string role_as_sql() const {
        if (login_role.empty() || login_role == "NONE") return "NONE";
        return mariadb ? '`' + login_role + '`' : login_role;
    }
    // What a reset leaves: MySQL forgets the handshake's character set.
    [[nodiscard]] Defaults defaults() const noexcept {
        return {login_database, default_autocommit, mariadb ? charset : std::uint8_t{0}};
    }

    Settings held;
    std::uint16_t status = status::autocommit;  // of the last reply
    bool dirty = false;                         // session state that a reset must remove
    // Which session has run statements on it since it was new or reset; several: `leaseholds`.
    std::uint64_t used_by = 0;
    bool tracks = false;    // its server has a session tracker
    bool tracking = false;  // ... which is on

    // What LAST_INSERT_ID() would answer; none: not known.
    std::optional<std::uint64_t> insert_id = 0;
    // Whose statements its warnings, and its ROW_COUNT() and FOUND_ROWS(), are of: numbers of sessions; 0: nobody's.
    static constexpr std::uint64_t leaseholds = UINT64_MAX;  // a statement of our own has changed them
    std::uint64_t warnings_of = 0;
    std::uint64_t counts_of = 0;
    bool has_warnings = false;  // warnings or an error may be listed

    HeldStatements statements;
    SqlPrepared sql_prepared;

    std::deque<Due> due;
    Reply reply;             // of due.front()
    bool half_sent = false;  // a packet or a file of the client's whose end has not been sent

    [[nodiscard]] bool outstanding() const noexcept { return !due.empty(); }
    [[nodiscard]] bool in_transaction() const noexcept { return (status & status::in_transaction) != 0; }
    [[nodiscard]] bool deprecate_eof() const noexcept { return (capabilities & cap::deprecate_eof) != 0; }
    // What the handshake had set and MariaDB's resets take away; empty: nothing.
    [[nodiscard]] std::string_view restoring() const noexcept {
        if (!mariadb) return {};
        switch (capabilities & (cap::ignore_space | cap::interactive)) {
            case cap::ignore_space: return "SET SESSION sql_mode=CONCAT_WS(',',NULLIF(@@sql_mode,''),'IGNORE_SPACE')";
            case cap::interactive: return "SET SESSION wait_timeout=@@interactive_timeout";
            case cap::ignore_space | cap::interactive:
                return "SET SESSION sql_mode=CONCAT_WS(',',NULLIF(@@sql_mode,''),'IGNORE_SPACE'), "
                       "wait_timeout=@@interactive_timeout";
            default: return {};
        }
    }
    // What brings it to a session's settings.
    [[nodiscard]] Alignment plan_for(const Settings& wanted, bool clean = false) const {
        Defaults own = defaults();
        const std::string role = role_as_sql();
        own.role = role;
        Alignment plan = alignment(held, wanted, own, clean);
        if (plan.reset) plan.restoring = restoring();
        const bool told = std::ranges::any_of(
            wanted.variables, [](const auto& variable) { return variable.first.starts_with("session_track_"); });
        if (tracks && (!tracking || plan.reset || (told && !plan.sql.empty())))
            plan.track = track_statement(mariadb, tracked_too(wanted));
        return plan;
    }
    // COM_RESET_CONNECTION was done; the current database stays, and the role.
    void forget() {
        held.clear_variables();
        held.autocommit = default_autocommit;
        held.charset = defaults().charset;
        tracking = false;
        insert_id = 0;
        warnings_of = counts_of = 0;
        has_warnings = false;
        statements.clear();
        sql_prepared.clear();
        dirty = false;
        used_by = 0;
    }
};

}  // namespace leasehold::mysql
