// SPDX-License-Identifier: Apache-2.0
// The tracker's half of binary prepared statements that reads the client: COM_STMT_PREPARE, EXECUTE, BULK_EXECUTE, FETCH,
// RESET, CLOSE, SEND_LONG_DATA under the session's numbers, for whichever backend it has. "Prepared Statements" of the
// manual.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

// A text up to this long is kept, to be prepared on other backends; a longer one keeps its session where it is.
constexpr std::size_t kept_text = 1024 * 1024;
// In front of a text of types in the cache, so that it is no statement's.
constexpr std::string_view of_types = "types";

constexpr std::size_t execute_head = 10, bulk_head = 7;
constexpr std::uint16_t bulk_sends_types = 0x80;

std::string unknown_handler(std::uint32_t number, Command command) {
    const std::string_view to = command == Command::stmt_fetch   ? "mysqld_stmt_fetch"
                                : command == Command::stmt_reset ? "mysqld_stmt_reset"
                                                                 : "mysqld_stmt_execute";
    return "Unknown prepared statement handler (" + std::to_string(number) + ") given to " + std::string(to);
}

// Where the parameters' types are in an EXECUTE, or would be.
struct TypesPlace {
    std::size_t flag_at = 0;  // says whether they are there
    std::size_t at = 0;
    std::size_t size = 0;
};
TypesPlace types_place(Command command, std::uint16_t parameters) noexcept {
    const std::size_t size = 2u * parameters;
    if (command == Command::stmt_bulk_execute) return {5, bulk_head, size};
    const std::size_t flag_at = execute_head + (parameters + 7u) / 8;
    return {flag_at, flag_at + 1, size};
}
bool sends_types(Command command, const TypesPlace& place, Bytes payload) noexcept {
    if (command == Command::stmt_bulk_execute) return (payload[place.flag_at] & bulk_sends_types) != 0;
    return payload[place.flag_at] != 0;
}

}  // namespace

Tracker::Step Tracker::on_prepare(Incoming& packet) {
    const bool kept = packet.header.length <= kept_text;
    if (kept && !packet.whole()) return Step::wait;
    const Statement* statement = scan(packet);
    if (statement == nullptr) return Step::wait;
    if (statement->kill) return answer(packet, Fault::unpreparable);
    if (statement->asks_connection) {
        if (const std::optional<Step> step = with_number(packet, &Tracker::on_prepare)) return *step;
    }
    if (begins_in_vain(*statement)) return answer(packet, Fault::begin_refused);
    if (prepared_.full()) return answer(packet, Fault::too_many_statements);
    if (!attached()) return want_lease(packet);
    repeated_ = 0;
    const std::string_view text = wire::as_text(packet.visible().subspan(1));
    if (!cache_) cache_ = StatementCache::local(options_.max_statement_cache_bytes);
    if (kept) {
        const bool named = !statement->variables.empty() || statement->variables_lost;
        const std::string reading = named ? reading_of(settings_, number_) : reading_of(settings_);
        preparing_.text =
            cache_->intern({text, reading}, [statement](PreparedText& made) { made.statement = *statement; });
        if (!preparing_.text) {
            settles_ = true;
            return answer(packet, Fault::too_many_statements,
                          "no room for another prepared statement (max_statement_cache_bytes)");
        }
    }
    if (!in_transaction()) transcript_.clear();
    transcript_.add(text);
    Statement taken = std::move(*scanned_);
    scanned_.reset();
    if (kept) taken = {};  // preparing it does nothing to the session
    make_opaque(taken);
    lease_->statements.evict();
    lease_->has_warnings = false;
    lease_->warnings_of = number_;
    return forward(packet, Shape::prepare, std::move(taken));
}

Tracker::Step Tracker::on_statement_command(Incoming& packet) {
    preparing_.held = false;
    const Bytes seen = packet.visible();
    if (seen.size() < 5 && !packet.whole()) return Step::wait;
    settles_ = attached();  // where it is answered here
    wire::Cursor cursor(seen.subspan(1));
    std::uint32_t number = cursor.u32le();
    if (!cursor.ok()) return answer(packet, Fault::malformed);
    ClientStatement* named = prepared_.find(number, options_.mariadb);
    if (named == nullptr) return answer(packet, Fault::unknown_statement, unknown_handler(number, packet.command));
    if (preparing_.failed) {
        Answer error{Answer::Kind::error, std::move(*preparing_.failed), false};
        preparing_.failed.reset();
        return answer(packet, std::move(error));
    }
    if (packet.command == Command::stmt_reset) {
        named->failed.reset();
    } else if (named->failed) {
        Answer error{Answer::Kind::error, std::move(*named->failed), false};
        named->failed.reset();
        return answer(packet, std::move(error));
    }
    const bool executes = packet.command == Command::stmt_execute || packet.command == Command::stmt_bulk_execute;
    return executes ? on_execute(packet, number, *named) : on_fetch_or_reset(packet, number, *named);
}

Tracker::Step Tracker::on_execute(Incoming& packet, std::uint32_t number, ClientStatement& named) {
    const bool bulk = packet.command == Command::stmt_bulk_execute;
    const TypesPlace place = types_place(packet.command, named.parameters);
    const Bytes seen = packet.visible();
    const std::size_t head = bulk ? bulk_head : execute_head;
    const std::size_t wanted = std::max(head, named.parameters == 0 ? head : place.at + place.size);
    if (seen.size() < std::min<std::size_t>(wanted, packet.header.length)) return Step::wait;
    if (seen.size() < head) return answer(packet, Fault::malformed);
    if (named.parameters > 0) {
        if (seen.size() < place.at) return answer(packet, Fault::malformed);
        if (sends_types(packet.command, place, seen)) {
            if (seen.size() < place.at + place.size) return answer(packet, Fault::malformed);
            const std::string_view types = wire::as_text(seen.subspan(place.at, place.size));
            if (!named.types || named.types->text != types) named.types = cache_->intern({types, of_types});
            if (!named.types) return answer(packet, Fault::too_many_statements, "no room for its parameters' types");
        } else if (!named.types) {
            release_copy(number, named);  // long data is used up by it
            return answer(packet, Fault::wrong_arguments);
        }
    }
    const Statement& statement = named.text->statement;
    // There is nothing to end.
    if (!attached() && statement.ends && !settings_.holds("completion_type")) return answer(packet, Answer{});
    if (!attached()) return want_lease_for(packet, statement);
    if (cannot_conceal(statement)) return answer(packet, Fault::not_supported, unconcealed);
    settles_ = false;
    HeldStatement* const copy = copy_of(number, named, packet.to_backend);
    if (copy == nullptr) return Step::wait;
    Statement taken = statement;
    put_executed(taken);
    // MariaDB: the database of its preparation is the current one while it runs, and the session's own comes back then.
    const std::optional<std::string> then = settings_of(named.text->reading).database;
    const std::string& login = lease_->login_database;
    taken.elsewhere = then.value_or(login) != settings_.database.value_or(login);
    if (taken.elsewhere) taken.database.reset();
    if (!in_transaction()) transcript_.clear();
    transcript_.add(named.text->text);
    Rewriting rewriting{copy->number};
    if (named.parameters > 0) {
        const bool there = copy->types == named.types->id || sends_types(packet.command, place, seen);
        if (!there) rewriting.types = wire::as_bytes(named.types->text);
        copy->types = named.types->id;
    }
    packet.rewriting = &rewriting;
    preparing_.copy = copy;
    preparing_.number = number;
    preparing_.command = packet.command;
    // It was prepared here after the client's: what a server says of a statement whose columns it finds changed.
    if (copy->columns != named.columns && copy->columns != 0 && named.columns != 0) said_ = status::metadata_changed;
    const Step step = forward(packet, Shape::query, std::move(taken));
    request_.command = Command::query;  // from here on it is what its text is
    return step;
}

Tracker::Step Tracker::on_fetch_or_reset(Incoming& packet, std::uint32_t number, ClientStatement& named) {
    const bool fetch = packet.command == Command::stmt_fetch;
    HeldStatement* const copy = attached() ? lease_->statements.find(named.text->id, number) : nullptr;
    if (fetch && (copy == nullptr || copy->owner != number || !copy->cursor)) {
        return answer(packet, Fault::no_open_cursor,
                      "The statement (" + std::to_string(number) + ") has no open cursor");
    }
    if (copy == nullptr) return answer(packet, Answer{});
    settles_ = false;
    const Rewriting rewriting{copy->number};
    packet.rewriting = &rewriting;
    preparing_.copy = copy;
    preparing_.number = number;
    preparing_.command = packet.command;
    return forward(packet, fetch ? Shape::fetch : Shape::simple);
}

// --- without a reply -------------------------------------------------------------------------------------------

Tracker::Step Tracker::on_without_reply(Incoming& packet) {
    if (packet.command == Command::stmt_close) return on_close(packet);
    preparing_.held = false;
    const Bytes seen = packet.visible();
    if (seen.size() < 7 && !packet.whole()) return Step::wait;
    settles_ = attached();
    wire::Cursor cursor(seen.subspan(1));
    std::uint32_t number = cursor.u32le();
    ClientStatement* named = seen.size() < 7 ? nullptr : prepared_.find(number, options_.mariadb);
    if (named != nullptr && preparing_.failed) named->failed = std::move(preparing_.failed);
    preparing_.failed.reset();
    const bool dropped = named == nullptr || named->failed || lost_ || doomed_;
    return dropped ? answer(packet, {Answer::Kind::nothing, {}, false}) : on_long_data(packet, number, *named);
}

Tracker::Step Tracker::on_long_data(Incoming& packet, std::uint32_t number, ClientStatement& named) {
    if (!attached()) {
        const Step step = want_lease(packet);
        preparing_.chunk_of = number;
        return step;
    }
    settles_ = false;
    HeldStatement* const copy = copy_of(number, named, packet.to_backend);
    if (copy == nullptr) return Step::wait;
    if (copy->owner == 0) lease_->statements.own(*copy, number, "long data");
    const Rewriting rewriting{copy->number};
    packet.rewriting = &rewriting;
    if (!lease_->statements.closing().empty()) write_closes(packet.to_backend);
    pass_beginning(packet);
    lease_->half_sent = receiving();
    return Step::taken;
}

Tracker::Step Tracker::on_close(Incoming& packet) {
    if (!packet.whole() && packet.header.length <= 16) return Step::wait;
    wire::Cursor cursor(packet.visible().subspan(1));
    std::uint32_t number = cursor.u32le();
    ClientStatement* named = cursor.ok() ? prepared_.find(number, options_.mariadb) : nullptr;
    settles_ = attached();
    if (named != nullptr) {
        release_copy(number, *named, true);
        prepared_.close(number);
    }
    return answer(packet, {Answer::Kind::nothing, {}, false});
}

// --- copies ----------------------------------------------------------------------------------------------------

// What a statement alone holds of the backend is closed; everybody's copy stays for the next who comes with its text.
void Tracker::release_copy(std::uint32_t number, const ClientStatement& named, bool closed) {
    HeldStatement* const copy = attached() ? lease_->statements.find(named.text->id, number) : nullptr;
    if (copy == nullptr || copy->owner != number) return;
    if (closed || named.text->kept) lease_->statements.drop(*copy);
}

// The backend's copy of a statement; null: it is being prepared, and the request is held until it is there.
HeldStatement* Tracker::copy_of(std::uint32_t number, const ClientStatement& named, wire::Outbox& to_backend) {
    if (HeldStatement* held = lease_->statements.find(named.text->id, number)) return held;
    prepare_copy(*named.text, to_backend);
    return nullptr;
}

// The command under the backend's number, and with the types that its copy has not had.
void Tracker::pass_rewritten(const Incoming& packet) {
    const Rewriting& by = *packet.rewriting;
    const Bytes seen = packet.visible();
    wire::Writer beginning;
    beginning.u8(static_cast<std::uint8_t>(packet.command));
    beginning.u32le(by.number);
    std::size_t replaced = 5;
    if (!by.types.empty()) {
        const TypesPlace place = types_place(packet.command, static_cast<std::uint16_t>(by.types.size() / 2));
        beginning.append(seen.subspan(5, place.flag_at - 5));
        const bool bulk = packet.command == Command::stmt_bulk_execute;
        beginning.u8(bulk ? static_cast<std::uint8_t>(seen[place.flag_at] | bulk_sends_types) : std::uint8_t{1});
        if (bulk) beginning.u8(seen[place.flag_at + 1]);
        beginning.append(by.types);
        replaced = place.at;
    }
    const std::size_t length = packet.header.length + by.types.size();
    if (packet.shorter > 0 || (!by.types.empty() && length >= max_payload)) {
        reframe_.emplace().begin(packet.header, beginning.bytes(), replaced, packet.to_backend, packet.shorter);
        reframe_->feed(seen.subspan(replaced), packet.to_backend);
        return;
    }
    wire::Writer& own = packet.to_backend.own();
    own.u24le(static_cast<std::uint32_t>(length));
    own.u8(packet.header.sequence);
    own.append(beginning.bytes());
    packet.to_backend.pass(seen.subspan(replaced));
}

}  // namespace leasehold::mysql
