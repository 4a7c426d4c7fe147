// SPDX-License-Identifier: Apache-2.0
// The tracker's half that reads the backend: replies, what they say of the session, and where a lease may end.
#include "dialects/mysql/tracker.hpp"

#include <charconv>
#include <utility>

namespace leasehold::mysql {

using wire::Verdict;

wire::Verdict Tracker::from_backend(Bytes in, wire::Outbox& to_client, wire::Outbox& to_backend) {
    std::size_t at = 0;
    if (lease_ == nullptr) return {Verdict::Kind::fatal, 0};
    for (;;) {
        // Servers speak unasked only to say goodbye.
        if (lease_->due.empty()) return {at == in.size() ? Verdict::Kind::more : Verdict::Kind::lost, at};
        const Due due = lease_->due.front();
        Reply& reply = lease_->reply;
        const bool passed_on = due.whose == Due::For::client;
        if (!reply.active()) {
            reply.start(due.shape, lease_->deprecate_eof(), due.whose == Due::For::read_insert_id, due.keeps_error());
            if (passed_on) conversion_.start(reply, status_, std::exchange(grown_, 0), std::exchange(said_, 0));
            if (passed_on && due.shape == Shape::prepare) conversion_.number_statement(prepared_.next());
        }
        const std::size_t from = at;
        const Reply::Event event =
            passed_on ? conversion_.relay(reply, in, at, settings_, to_client) : reply.advance(in, at);
        if (due.whose == Due::For::question) keep_answer(in.subspan(from, at - from));
        if (passed_on && at > from) reply_sequence_ = conversion_.next_sequence();
        switch (event) {
            case Reply::Event::packet:
            case Reply::Event::more: return {Verdict::Kind::more, at};
            case Reply::Event::farewell:
                said_before_ = in[at + 3] == 0;  // no reply has this number, unless it is a long one
                return {Verdict::Kind::lost, at};
            case Reply::Event::bad:
                if (answerable() && !receiving()) {
                    answer_request(failure(Fault::internal, "the server's reply is not the protocol's"), true,
                                   to_client);
                }
                return {Verdict::Kind::fatal, at};
            case Reply::Event::infile:
                if (due.whose != Due::For::client || infile_) return {Verdict::Kind::fatal, at};
                infile_ = true;
                lease_->half_sent = true;
                continue;
            case Reply::Event::complete: break;
        }
        if (infile_ || (receiving() && due.whose == Due::For::client)) {
            // An answer in front of the request's end: an error over a packet too large, say. What the client still
            // sends has no meaning to the server any more.
            lease_->due.pop_front();
            request_.active = false;
            return {Verdict::Kind::lost, at};
        }
        lease_->due.pop_front();
        on_complete(due);
        if (preparing_.broken || closing_) return {Verdict::Kind::lost, at};
        if (!lease_->due.empty()) continue;
        const Verdict::Kind kind = settle(to_backend);
        if (kind != Verdict::Kind::more) return {kind, at};
    }
}

void Tracker::on_complete(const Due& due) {
    const Reply& reply = lease_->reply;
    if (reply.has_status()) take_status(reply.status());
    switch (due.whose) {
        case Due::For::client: on_reply(); break;
        case Due::For::alignment:
            // It was to keep another session's answers away.
            if (reply.failed()) pin_to_end("a statement of leasehold's own failed");
            break;
        case Due::For::ping:
            state_unknown_ = false;
            take_changes({});
            break;
        case Due::For::question: on_answer(); break;
        case Due::For::sql_copy:
            on_copy(due);
            on_sql_copy();
            break;
        case Due::For::copy:
        case Due::For::switch_there:
        case Due::For::switch_back: on_copy(due); break;
        case Due::For::read_insert_id: {
            insert_id_moved_ = false;
            const std::string& field = reply.first_field();
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
            const bool read = error == std::errc() && end == field.data() + field.size() && !field.empty();
            if (read) insert_id_ = value;
            lease_->insert_id = read ? std::optional(value) : std::nullopt;
            lease_->counts_of = MysqlLease::leaseholds;  // it has changed ROW_COUNT() and FOUND_ROWS()
            break;
        }
    }
}

void Tracker::take_status(std::uint16_t status) {
    // The server does not count a savepoint as a transaction; it stands until one is ended.
    if (savepoint_open_) status |= status::in_transaction;
    status_ = lease_->status = status;
    settings_.autocommit = lease_->held.autocommit = (status & status::autocommit) != 0;
}

// The reply to the client's request is complete.
void Tracker::on_reply() {
    const Reply& reply = lease_->reply;
    const Statement& statement = request_.statement;
    request_.active = false;
    ++counts_.requests;
    uncounted_ = true;
    if (watching_) watch_reply();
    if (preparing_.copy != nullptr) on_executed();
    if (request_.command == Command::stmt_prepare) on_prepared();
    if (reply.failed() || reply.warned()) lease_->has_warnings = true;
    if (reply.had_rows()) foreign_found_rows_ = false;
    if (reply.insert_id() != 0 || (statement.may_insert && reply.had_rows()) || statement.calls)
        insert_id_moved_ = true;
    if (insert_id_moved_) {
        insert_id_own_ = true;
        lease_->insert_id.reset();
    }
    if (statement.may_insert || statement.runs_stored || statement.may_trigger) pins_.doubt_insert_id();
    if (reply.failed()) {
        if (!reply.changes().empty()) take_changes(statement);
        on_failure();
        return;
    }
    if (request_.command == Command::query && (statement.savepoint || statement.may_commit)) {
        const bool left = statement.savepoint && !settings_.autocommit && (statement.count > 1 || !in_transaction());
        savepoint_open_ = left || (savepoint_open_ && !statement.may_commit);
        take_status(lease_->reply.status());
    }
    switch (request_.command) {
        case Command::query:
        case Command::init_db: apply(statement); break;
        case Command::reset_connection: {
            const std::uint16_t status = status_;
            reset_session();
            status_ = status;
            lease_->forget();
            // The next session has what its handshake says, and no role that this one has set: a reset leaves that.
            lease_->dirty = request_.lease_was_dirty || !lease_->restoring().empty();
            break;
        }
        case Command::set_option:
            settings_.multi_statements = lease_->held.multi_statements = request_.option == 0;
            break;
        default: break;
    }
    if (request_.command != Command::reset_connection) take_changes(statement);
    if (request_.command == Command::query && (statement.made || statement.asks_locks)) take_made(statement);
    if (request_.command != Command::query) return;
    if (statement.one_shot) {
        one_shot_ = true;
        dirty_ = lease_->dirty = true;  // whether it was used up is the server's secret
    } else if (one_shot_ && !statement.only_sets && !in_transaction()) {
        one_shot_ = false;
    }
}

wire::Verdict::Kind Tracker::settle(wire::Outbox& to_backend) {
    if (receiving() || preparing_.held) return Verdict::Kind::more;
    if (unsure()) return Verdict::Kind::unsure;
    if (lease_->tracks && !lease_->tracking && (in_transaction() || !pin().empty())) {
        lease_->tracking = true;
        inject(Due::For::alignment, track_statement(lease_->mariadb, tracked_too(settings_)), to_backend);
        return Verdict::Kind::more;
    }
    if (in_transaction()) return Verdict::Kind::more;
    if (uncounted_) ++counts_.transactions;
    uncounted_ = false;
    pin_young_ = pins_young_ = false;
    if (ask_for_pins(to_backend)) return Verdict::Kind::more;
    if (insert_id_moved_ && pin().empty()) {
        inject(Due::For::read_insert_id, "SELECT LAST_INSERT_ID()", to_backend);
        return Verdict::Kind::more;
    }
    return Verdict::Kind::boundary;
}

// A reply with a status tells the truth: after an error the transaction may be gone, or not. What a client asks next does as
// well, and a PING is not quite without a trace.
void Tracker::ask(wire::Outbox& to_backend) {
    if (lease_ == nullptr || busy() || receiving() || !unsure()) return;
    lease_->due.push_back({Shape::simple, Due::For::ping});
    write_command(to_backend.own(), Command::ping);
}

void Tracker::inject(Due::For whose, std::string_view sql, wire::Outbox& to_backend) {
    if (!lease_->statements.closing().empty()) write_closes(to_backend);
    // The reply to ours would report what the client's failed statement has left: asked in front of it.
    if (std::exchange(suspect_, false)) {
        lease_->due.push_back({Shape::simple, Due::For::ping});
        write_command(to_backend.own(), Command::ping);
    }
    lease_->due.push_back({Shape::query, whose});
    write_command(to_backend.own(), Command::query, sql);
}

}  // namespace leasehold::mysql
