// SPDX-License-Identifier: Apache-2.0
// The tracker's half about state that servers do not report: what stored code leaves by GET_LOCK(), by SELECT ... INTO @a
// and by @a:=. Who calls a stored function leaves a backend that is reset; who asks for such state gets one that others
// have not used since its reset, or, where it holds one already, nothing of theirs.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {

Tracker::Step Tracker::want_lease_for(const Incoming& packet, const Statement& statement) noexcept {
    wants_clean_ = !statement.pin.empty() || meets_variables(statement) || statement.makes_state() ||
                   statement.runs_stored || statement.asks_locks || wary_ || options_.mode == wire::LeaseMode::session;
    return want_lease(packet);
}

// Other variables than those that it only gives values to.
bool Tracker::meets_variables(const Statement& statement) noexcept {
    const auto given = [&statement](const std::string& name) {
        return statement.made &&
               std::ranges::find(statement.made->users, name, &std::pair<std::string, std::string>::first) !=
                   statement.made->users.end();
    };
    return statement.variables_lost || !std::ranges::all_of(statement.variables, given);
}

// Triggers and views of others may have left something in the backend, and no code has run yet in this lease that could
// have made it the session's own.
bool Tracker::meets_others() const noexcept { return lease_->used_by == MysqlLease::leaseholds && !met_.own_code; }

bool Tracker::cannot_conceal(const Statement& statement) const noexcept {
    constexpr std::size_t most = 256;
    const bool many = met_.variables.size() > most && !statement.variables.empty();
    return (statement.variables_lost || many) && meets_others();
}

// In a transaction there is no reset: variables that the statement is the first to name are made what they are to a new
// session, and locks are given up that nobody knows of.
void Tracker::conceal(const Statement& statement, wire::Outbox& to_backend) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_concealing")) return;
#endif
    if ((!statement.variables.empty() || statement.asks_locks) && meets_others()) {
        wary_ = true;
        std::string sql;
        for (const std::string& name : statement.variables) {
            if (std::ranges::find(met_.variables, name) != met_.variables.end()) continue;
            met_.variables.push_back(name);
            const std::string* const own = settings_.user(name);
            ((sql += sql.empty() ? "SET " : ", ") += name) += own == nullptr ? std::string("=NULL") : '=' + *own;
        }
        if (!sql.empty()) inject(Due::For::alignment, sql, to_backend);
        if (statement.asks_locks && !met_.locks) inject(Due::For::alignment, "DO RELEASE_ALL_LOCKS()", to_backend);
        met_.locks = met_.locks || statement.asks_locks;
    }
    met_.own_code = met_.own_code || statement.runs_stored || statement.many_results ||
                    statement.pin == "SQL PREPARE" || statement.pin == "compound statement";
}

}  // namespace leasehold::mysql
