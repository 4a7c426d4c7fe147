// SPDX-License-Identifier: Apache-2.0
// The tracker's half of PREPARE, EXECUTE and DEALLOCATE in SQL: a session's names are its own on any backend. What a request
// executes is prepared in front of it where the backend has something else of that name, or nothing.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {

// The request is held until its statements are there. False: they are.
bool Tracker::prepare_named(const Statement& statement, wire::Outbox& to_backend) {
    if (!statement.made || statement.made->named.empty()) return false;
    bool asked = false;
    for (const std::string& name : statement.made->named) {
        if (pins_.has_prepared(name)) continue;  // it is here, and the session with it
        const SqlTextRef wanted = sql_prepared_.text(name), there = lease_->sql_prepared.text(name);
        if (wanted ? there && *there == *wanted : !lease_->sql_prepared.holds(name)) continue;
        // Until the reply is there, nobody knows whose it is.
        note_named(name, nullptr);
        if (wanted) {
            sql_copies_.emplace_back(name, wanted);
            const Elsewhere elsewhere = switch_there(wanted->reading, to_backend);
            inject(Due::For::sql_copy, prepare_statement(name, wanted->text), to_backend);
            switch_back(elsewhere, to_backend);
        } else {
            // Somebody else's. A name that is not there cannot be given up.
            inject(Due::For::alignment, prepare_statement(name, "DO 0"), to_backend);
            inject(Due::For::alignment, "DEALLOCATE PREPARE `" + name + '`', to_backend);
            lease_->sql_prepared.erase(name);
        }
        asked = true;
    }
    preparing_.held = asked;
    return asked;
}

// On the backend; where there is no room for another name, a reset takes all of them.
void Tracker::note_named(std::string_view name, SqlTextRef text) {
    if (!lease_->sql_prepared.set(name, std::move(text))) dirty_ = lease_->dirty = true;
}

void Tracker::on_sql_copy() {
    if (sql_copies_.empty()) return;
    auto [name, text] = std::move(sql_copies_.front());
    sql_copies_.pop_front();
    if (!lease_->reply.failed() && !preparing_.failed) note_named(name, std::move(text));
}

// PREPARE has succeeded. False: it is not carried.
bool Tracker::take_named(const Effect& effect) {
    lease_->sql_prepared.erase(effect.name);
    sql_prepared_.erase(effect.name);
    if (!effect.text || effect.text->count != 1 || !is_carried(effect.name, effect.sql)) return false;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_sql_prepared")) return true;
#endif
    auto made = std::make_shared<const SqlText>(SqlText{effect.sql, reading_of(settings_), effect.text});
    if (!sql_prepared_.set(effect.name, made)) return false;
    note_named(effect.name, std::move(made));
    return true;
}

// There is none of that name any more.
void Tracker::drop_named(std::string_view name) {
    sql_prepared_.erase(name);
    if (lease_ != nullptr) lease_->sql_prepared.erase(name);
}

}  // namespace leasehold::mysql
