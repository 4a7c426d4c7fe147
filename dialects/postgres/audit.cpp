// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/audit.hpp"

#include "dialects/wire/cursor.hpp"

namespace leasehold::postgres {
namespace {

// Nothing here can mean something else to this session: every name and operator is the system's own, whatever its
// search_path; its statement_timeout and isolation do not count; and each role may read these. All that stands in a
// temporary schema depends on it (2615: pg_namespace). Statements of the protocol are leasehold's own, those of SQL are not.
constexpr std::string_view question =
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;SET LOCAL statement_timeout=0;"
    "SELECT EXISTS(SELECT FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) 2615"
    " AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()),"
    "EXISTS(SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
    " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()),"
    "EXISTS(SELECT FROM pg_catalog.pg_cursors WHERE is_holdable),"
    "EXISTS(SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql),"
    "EXISTS(SELECT FROM pg_catalog.pg_listening_channels())";

// More than a server keeps for one session in this short time.
constexpr std::size_t most_notifications = 4u << 20;

}  // namespace

Audit::Audit() : Round(std::string(question), wire::errc::server_error, Reads::all) {}

bool Audit::on_other(std::uint8_t type, Bytes body) {
    if (type == backend::notification) {
        if (notifications_.size() + body.size() > most_notifications) return false;
        notifications_.u8(type);
        notifications_.u32be(static_cast<std::uint32_t>(4 + body.size()));
        notifications_.append(body);
        return true;
    }
    if (type != backend::data_row) return true;
    wire::Cursor cursor(body);
    if (++rows_ > 1 || cursor.u16be() != 5) return false;
    for (bool* const there : {&found_.temporary, &found_.lock, &found_.cursor, &found_.prepared, &found_.listens}) {
        if (cursor.u32be() != 1) return false;
        const std::uint8_t said = cursor.u8();
        if (said != 't' && said != 'f') return false;
        *there = said == 't';
    }
    return cursor.ok() && cursor.remaining() == 0;
}

std::error_code Audit::judge() {
    if (rows_ != 1) {
        diagnostics_ = {"08P01", 0, "the reply does not answer the audit", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

}  // namespace leasehold::postgres
