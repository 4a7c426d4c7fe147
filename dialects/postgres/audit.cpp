// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/audit.hpp"

#include "dialects/wire/cursor.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

// Nothing here can mean something else to this session: every name and operator is the system's own, whatever its
// search_path; its isolation does not count; its statement_timeout is read and put aside; and each role may read these.
// All that stands in a temporary schema depends on it (2615: pg_namespace). Statements named lh_ are
// leasehold's own. What is set here is local, and ends with the question.
constexpr std::string_view question =
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
    "SELECT 't',pg_catalog.current_setting('statement_timeout'),pg_catalog.set_config('statement_timeout','0',true);"
    "SELECT 'f',EXISTS(SELECT FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) 2615"
    " AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()),"
    "EXISTS(SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
    " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()),"
    "EXISTS(SELECT FROM pg_catalog.pg_cursors WHERE is_holdable),"
    "EXISTS(SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql"
    " AND pg_catalog.left(name,3) OPERATOR(pg_catalog.<>) 'lh_' AND name OPERATOR(pg_catalog.<>) ALL (ARRAY[";
constexpr std::string_view channels_question =
    "]::pg_catalog.text[])),"
    "EXISTS(SELECT FROM pg_catalog.pg_listening_channels() AS c(n) WHERE n OPERATOR(pg_catalog.<>) ALL (ARRAY[";
constexpr std::string_view settings_question =
    "]::pg_catalog.text[]));"
    "SELECT 's',name,pg_catalog.left(pg_catalog.current_setting(name),300),setting OPERATOR(pg_catalog.=) reset_val"
    " FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'";

// Who the session is: as text, for what is set once more here may not be allowed any more.
constexpr std::string_view identity = ";SELECT 'c',n,pg_catalog.current_setting(n),v FROM (VALUES ";
constexpr std::string_view identity_end = ") AS a(n,v)";
// Of each other name what it is, and what it is where it is set to v, or is as usual (NULL), in the server's spelling:
// 5120kB is 5MB.
constexpr std::string_view comparison =
    ";SELECT 'c',n,pg_catalog.left(now,300),CASE WHEN now OPERATOR(pg_catalog.=) v THEN v"
    " ELSE pg_catalog.left(pg_catalog.set_config(n,v,true),300) END"
    " FROM (SELECT n,v,pg_catalog.current_setting(n,true) AS now FROM (VALUES ";
constexpr std::string_view comparison_end = ") AS a(n,v) OFFSET 0) AS b WHERE now IS NOT NULL";
// Custom settings by the names in the text, and in the sources of functions of these names (12 and 13: languages without).
// What an extension has declared is listed above, and may not be everybody's to set.
constexpr std::string_view customs_begin =
    ";SELECT 'x',n,pg_catalog.left(now,300),pg_catalog.left(pg_catalog.set_config(n,NULL,true),300)"
    " FROM (SELECT n,pg_catalog.current_setting(n,true) AS now FROM ((SELECT pg_catalog.lower(m[1]) FROM"
    " pg_catalog.pg_proc AS "
    "p,pg_catalog.regexp_matches(p.prosrc,'([A-Za-z_][A-Za-z0-9_$]*[.][A-Za-z_][A-Za-z0-9_$.]*)','g')"
    " AS m WHERE p.prolang OPERATOR(pg_catalog.<>) ALL (ARRAY[12,13]::pg_catalog.oid[])"
    " AND p.proname OPERATOR(pg_catalog.=) ANY (ARRAY[";
constexpr std::string_view customs_middle = "]::pg_catalog.name[]) LIMIT 500) UNION (VALUES ";
constexpr std::string_view customs_end =
    ")) AS a(n) OFFSET 0) AS b WHERE now IS NOT NULL"
    " AND NOT EXISTS(SELECT FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) n)";

constexpr std::string_view authorization = "session_authorization", timeout = "statement_timeout";

// More than a server keeps for one session in this short time.
constexpr std::size_t most_notifications = 4u << 20;
constexpr std::size_t most_rows = 4000;
constexpr unsigned all_answers = 2;  // 't' and 'f', once each

void add(std::string& sql, std::string_view name, std::optional<std::string_view> value) {
    if (!sql.empty()) sql += ',';
    ((sql += '(') += quote_literal(name)) += ',';
    (sql += value ? quote_literal(*value) : "NULL::pg_catalog.text") += ')';
}

[[nodiscard]] std::string customs_sql(const Hidden::Suspects& suspects) {
    std::string functions, names = "(NULL)";
    for (const std::string& function : suspects.functions) {
        const std::size_t dot = function.rfind('.');
        if (!functions.empty()) functions += ',';
        functions += quote_literal(std::string_view(function).substr(dot == std::string::npos ? 0 : dot + 1));
    }
    for (const std::string& name : suspects.customs) ((names += ",(") += quote_literal(name)) += ')';
    std::string sql(customs_begin);
    return (((sql += functions) += customs_middle) += names) += customs_end;
}

[[nodiscard]] std::string text_for(const PostgresLease& lease, const Hidden::Suspects& suspects,
                                   std::span<const std::string> along, std::span<const std::string> shown) {
    std::string who, known;
    const auto role = lease.held.find("role");
    if (role) add(who, "role", *role);
    auto user = lease.held.find(authorization);
    if (!user) user = lease.defaults.find(authorization);
    if (user) add(who, authorization, *user);
    if (!role) add(known, "role", std::nullopt);
    for (const Settings::Setting& setting : lease.held) {
        const bool apart = same_name(setting.name, "role") || same_name(setting.name, authorization) ||
                           same_name(setting.name, timeout) || lease.reported.contains(setting.name);
        if (!apart) add(known, setting.name, setting.value);
    }
    add(known, timeout, lease.held.find(timeout));
    std::string sql(question);
    const auto add_all = [&sql](std::span<const std::string> names) {
        for (const std::string& name : names) {
            if (!sql.ends_with('[')) sql += ',';
            sql += quote_literal(name);
        }
    };
    add_all(shown);
    sql += channels_question;
    add_all(along);
    sql += settings_question;
    if (!who.empty()) ((sql += identity) += who) += identity_end;
    ((sql += comparison) += known) += comparison_end;
    if (!suspects.functions.empty() || !suspects.customs.empty()) sql += customs_sql(suspects);
    return sql;
}

[[nodiscard]] std::optional<std::string> text(wire::Cursor& cursor) {
    const std::uint32_t length = cursor.u32be();
    if (length == 0xffffffffu) return std::nullopt;
    return std::string(wire::as_text(cursor.take(length)));
}

// Of the question itself.
[[nodiscard]] bool of_transaction(std::string_view name) noexcept {
    return name == "transaction_isolation" || name == "transaction_read_only" || name == "transaction_deferrable";
}

}  // namespace

Audit::Audit(const PostgresLease& lease, const Hidden::Suspects& suspects, std::span<const std::string> along,
             std::span<const std::string> shown)
    : Round(text_for(lease, suspects, along, shown), wire::errc::server_error, Reads::all), lease_(lease) {}

bool Audit::on_other(std::uint8_t type, Bytes body) {
    if (type == backend::notification) {
        if (notifications_.size() + body.size() > most_notifications) return false;
        notifications_.u8(type);
        notifications_.u32be(static_cast<std::uint32_t>(4 + body.size()));
        notifications_.append(body);
        return true;
    }
    if (type != backend::data_row) return true;
    if (set_.size() + compared_.size() >= most_rows) return false;
    wire::Cursor cursor(body);
    return on_row(cursor) && cursor.ok() && cursor.remaining() == 0;
}

// The first column says what it is about.
bool Audit::on_row(wire::Cursor& cursor) {
    const std::uint16_t columns = cursor.u16be();
    const auto boolean = [&cursor](bool& there) {
        if (cursor.u32be() != 1) return false;
        const std::uint8_t said = cursor.u8();
        there = said == 't';
        return said == 't' || said == 'f';
    };
    if (cursor.u32be() != 1) return false;
    const std::uint8_t about = cursor.u8();
    switch (about) {
        case 't':
            ++answers_;
            statement_timeout_ = text(cursor);
            return columns == 3 && text(cursor) && answers_ == 1;
        case 'f':
            for (bool* there : {&found_.temporary, &found_.lock, &found_.cursor, &found_.prepared, &found_.listens}) {
                if (!boolean(*there)) return false;
            }
            return columns == 6 && ++answers_ == all_answers;
        case 's': {
            std::optional<std::string> name = text(cursor), value = text(cursor);
            bool same = false;
            if (columns != 4 || !name || !value || !boolean(same)) return false;
            set_.push_back({std::move(*name), std::move(*value), same});
            return true;
        }
        case 'c':
        case 'x': {
            std::optional<std::string> name = text(cursor), now = text(cursor);
            std::optional<std::string> usual = text(cursor);
            if (columns != 4 || !name || !now) return false;
            compared_.push_back({{std::move(*name), std::move(*now), false}, std::move(usual), about == 'x'});
            return true;
        }
        default: return false;
    }
}

std::error_code Audit::judge() {
    if (answers_ != all_answers || !statement_timeout_) {
        diagnostics_ = {"08P01", 0, "the reply does not answer the audit", false};
        return wire::errc::protocol_violation;
    }
    for (Compared& each : compared_) {
        if (same_name(each.now.name, timeout)) each.now.value = *statement_timeout_;
        compare(each);
    }
    for (const FoundSetting& each : set_) {
        if (each.reset || of_transaction(each.name) || lease_.reported.contains(each.name)) continue;
        if (!was_compared(each.name)) found_.settings.push_back(each);
    }
    return must_be_idle();
}

bool Audit::was_compared(std::string_view name) const noexcept {
    return std::ranges::any_of(compared_, [name](const Compared& each) { return same_name(each.now.name, name); });
}

// One that nobody has SET is as it was before: taken back, if leasehold had set it.
void Audit::compare(const Compared& each) {
    const FoundSetting& now = each.now;
    if (each.usual == now.value || (each.custom && lease_.held.contains(now.name))) return;
    const bool listed = now.name.find('.') == std::string::npos && !same_name(now.name, authorization);
    const bool set = std::ranges::any_of(set_, [&now](const FoundSetting& one) { return one.name == now.name; });
    const bool role = same_name(now.name, "role");
    const bool reset = role ? now.value == "none" : listed && !set && !same_name(now.name, timeout);
    found_.settings.push_back({now.name, now.value, reset});
}

}  // namespace leasehold::postgres
