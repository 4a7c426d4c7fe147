// SPDX-License-Identifier: Apache-2.0
// The tracker's half of binary prepared statements that deals with the backend's copies of them: preparing one where a
// session's statement has none, what replies say of it, and what is left of it when a backend goes.
#include "dialects/mysql/tracker.hpp"

namespace leasehold::mysql {
namespace {

constexpr std::uint16_t needs_preparing = 1615;

}  // namespace

void Tracker::write_closes(wire::Outbox& to_backend) {
    for (const std::uint32_t number : lease_->statements.closing()) {
        wire::Writer& own = to_backend.own();
        own.u24le(5);
        own.u8(0);
        own.u8(static_cast<std::uint8_t>(Command::stmt_close));
        own.u32le(number);
    }
    lease_->statements.closed();
}

// A text means what it meant when the session prepared it: where the settings of then are not those of now, they are put in
// force for as long as it takes.
Tracker::Elsewhere Tracker::switch_there(std::string_view reading, wire::Outbox& to_backend) {
    Elsewhere made{settings_of(reading), settings_of(reading_of(settings_))};
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_reading")) made.then = made.now;
#endif
    const std::string& login = lease_->login_database;
    const std::string database = made.then.database.value_or(login), current = made.now.database.value_or(login);
    // Without a current database a text names its tables in full: it means the same in any.
    const bool elsewhere = database != current && !database.empty() && !current.empty();
    for (const std::string& sql : reading_change(made.now, made.then, (capabilities_ & cap::ignore_space) != 0))
        inject(Due::For::switch_there, sql, to_backend);
    if (!elsewhere) return made;
    made.back_to = current;
    lease_->due.push_back({Shape::simple, Due::For::switch_there});
    write_command(to_backend.own(), Command::init_db, database);
    return made;
}

void Tracker::switch_back(const Elsewhere& from, wire::Outbox& to_backend) {
    if (!from.back_to.empty()) {
        lease_->due.push_back({Shape::simple, Due::For::switch_back});
        write_command(to_backend.own(), Command::init_db, from.back_to);
    }
    const bool ignore_space = (capabilities_ & cap::ignore_space) != 0;
    if (reading_change(from.now, from.then, ignore_space).empty()) return;
    for (const std::string& sql : reading_change(from.then, from.now, ignore_space))
        inject(Due::For::switch_back, sql, to_backend);
}

// In front of a request that is held until it is there.
void Tracker::prepare_copy(const PreparedText& text, wire::Outbox& to_backend) {
    lease_->statements.evict();
    preparing_.held = true;
    preparing_.copy_of = text.id;
    write_closes(to_backend);
    const Elsewhere elsewhere = switch_there(text.reading, to_backend);
    lease_->due.push_back({Shape::prepare, Due::For::copy});
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_prepared")) {
        write_command(to_backend.own(), Command::stmt_prepare, "SELECT 'something else'");
    } else
#endif
        write_command(to_backend.own(), Command::stmt_prepare, text.text);
    switch_back(elsewhere, to_backend);
}

// One of these replies is complete.
void Tracker::on_copy(const Due& due) {
    const Reply& reply = lease_->reply;
    if (due.whose == Due::For::switch_back) {
        preparing_.broken = reply.failed();  // the session would go on under settings that are not its own
        return;
    }
    if (reply.failed()) {
        if (!preparing_.failed) preparing_.failed = parse_error(wire::as_bytes(reply.error_packet()));
        lease_->has_warnings = true;
        lease_->warnings_of = number_;
        state_unknown_ = in_transaction() || !settings_.autocommit;
        if (state_unknown_) lease_->status |= status::in_transaction;  // until somebody has looked
        return;
    }
    if (due.whose != Due::For::copy) return;
    lease_->has_warnings = false;
    if (preparing_.failed) {
        lease_->statements.drop(reply.statement());  // it was not prepared where it should have been
    } else {
        lease_->statements.add(preparing_.copy_of, reply.statement()).columns = reply.columns();
    }
}

// The client's COM_STMT_PREPARE has been answered.
void Tracker::on_prepared() {
    const Reply& reply = lease_->reply;
    TextRef text = std::move(preparing_.text);
    if (reply.failed()) {
        prepared_.prepare_failed();
        return;
    }
    const bool kept = static_cast<bool>(text);
    if (!kept) text = cache_->unkept([this](PreparedText& made) { made.statement = request_.statement; });
    lease_->statements.supersede(text->id);
    HeldStatement& held = lease_->statements.add(text->id, reply.statement());
    held.columns = reply.columns();
    if (!kept) lease_->statements.own(held, prepared_.next(), HeldStatement::too_long);
    prepared_.open(std::move(text), reply.parameters(), reply.columns());
}

// ... and an EXECUTE, a FETCH or a RESET.
void Tracker::on_executed() {
    HeldStatement& copy = *std::exchange(preparing_.copy, nullptr);
    const Reply& reply = lease_->reply;
    HeldStatements& statements = lease_->statements;
    const bool kept = copy.why != HeldStatement::too_long;
    if (reply.failed()) {
        // Whether it took the types and the long data, and whether a cursor is left, is the server's secret.
        copy.types = 0;
        const bool used = kept && copy.owner != 0;
        if (used || (kept && reply.error() == needs_preparing)) statements.drop(copy);
        return;
    }
    const bool executed = preparing_.command == Command::stmt_execute;
    if (std::uint32_t number = preparing_.number; executed && reply.had_rows() && copy.columns != 0) {
        copy.columns = reply.columns();
        if (ClientStatement* const named = prepared_.find(number, false)) named->columns = copy.columns;
    }
    const bool rows_left = reply.has_status() && (reply.status() & status::last_row_sent) == 0;
    switch (preparing_.command) {
        case Command::stmt_fetch: copy.cursor = copy.cursor && rows_left; break;
        case Command::stmt_reset: copy.cursor = false; break;
        default: copy.cursor = rows_left && (reply.status() & status::cursor_exists) != 0; break;
    }
    if (!kept) return;
    if (copy.cursor) {
        statements.own(copy, preparing_.number, "cursor");
    } else {
        statements.disown(copy);
        statements.evict(0);  // there may have been more than the limit while they were held
    }
}

std::string_view Tracker::statement_pin() const noexcept {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_pins")) return {};
#endif
    return lease_ == nullptr ? std::string_view() : lease_->statements.pin();
}

// The backend is gone, with the long data and the cursors that it held.
void Tracker::statements_lost(std::string_view reason) {
    lease_->statements.each_owned([&](const HeldStatement& held) {
        std::uint32_t number = held.owner;
        ClientStatement* const named = prepared_.find(number, false);
        if (named == nullptr) return;
        std::string detail(reason);
        ((detail += "; lost with it: ") += held.why);
        named->failed = failure(Fault::transaction_lost, detail);
    });
}

}  // namespace leasehold::mysql
