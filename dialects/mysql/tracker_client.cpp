// SPDX-License-Identifier: Apache-2.0
// The tracker's half that reads the client: commands, and what is answered without a backend.
#include "dialects/mysql/tracker.hpp"
#include "dialects/wire/hint.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using wire::Verdict;

// A statement up to this long is looked at before it is passed on; of a longer one its beginning.
constexpr std::size_t seen_whole = 16 * 1024;
// What a client may send ahead of the reply it waits for.
constexpr std::size_t max_held = 64 * 1024 * 1024;
constexpr std::size_t max_database = 1024;

// Takes warnings, ROW_COUNT() and FOUND_ROWS() away; a statement without a table would leave the warnings.
constexpr std::string_view forget_answers = "DO (SELECT 0 FROM (SELECT 0) leasehold WHERE 0)";

}  // namespace

Bytes Tracker::Incoming::visible() const noexcept {
    const Bytes rest = in.subspan(at + header_size);
    return rest.first(std::min<std::size_t>(rest.size(), header.length));
}

// What follows of the client's packet when so much of it, as it is presented, has been taken.
std::uint32_t Tracker::Incoming::left_behind(std::size_t taken) const noexcept {
    return static_cast<std::uint32_t>(header_size + header.length - shorter - taken);
}

bool Tracker::Incoming::whole() const noexcept { return !header.continues() && visible().size() == header.length; }

wire::Verdict Tracker::from_client(Bytes in, wire::Outbox& to_backend, wire::Outbox& to_client) {
    std::size_t at = 0;
    if (again_ && !attached()) return {Verdict::Kind::lease, 0};
    if (again_) prepare_again(to_backend);
    if (begin_again_) {
        begin_again_ = false;
        const Verdict sent = from_client(begin_, to_backend, to_client);
        begin_again_ = sent.consumed == 0;
        if (begin_again_ || sent.kind != Verdict::Kind::more) return {sent.kind, 0};
    }
    for (;;) {
        if (body_.left > 0) {
            pass_body(in, at, to_backend);
            if (body_.left > 0) return {Verdict::Kind::more, at};
            if (!message_ended(to_client)) return {Verdict::Kind::fatal, at};
        }
        if (settles_ && !receiving()) {
            settles_ = false;
            const bool may_end = attached() && !busy() && pin().empty();
            const Verdict::Kind kind = may_end ? settle(to_backend) : Verdict::Kind::more;
            // What comes next from the client tells as well.
            if (kind == Verdict::Kind::boundary || (kind == Verdict::Kind::unsure && at == in.size()))
                return {kind, at};
        }
        if (in.size() - at < header_size) return {Verdict::Kind::more, at};
        const Header header = header_of(in.subspan(at));
        if (body_.continues || infile_) {
            pass_header(header, in, at, to_backend);
            if (body_.left == 0 && !message_ended(to_client)) return {Verdict::Kind::fatal, at};
            continue;
        }
        if (header.length == 0) {
            if (busy()) return {Verdict::Kind::more, at};
            Incoming empty{in, at, header, Command::sleep, to_backend, to_client};
            if (answer(empty, Fault::unknown_command) == Step::fatal) return {Verdict::Kind::fatal, at};
            continue;
        }
        if (in.size() - at == header_size) return {Verdict::Kind::more, at};
        switch (on_command({in, at, header, static_cast<Command>(in[at + header_size]), to_backend, to_client})) {
            case Step::taken: break;
            case Step::wait: return {Verdict::Kind::more, at};
            case Step::lease: return {Verdict::Kind::lease, at};
            case Step::boundary: return {Verdict::Kind::boundary, at};
            case Step::errand: return {Verdict::Kind::errand, at};
            case Step::close: return {Verdict::Kind::close, at};
            case Step::fatal: return {Verdict::Kind::fatal, at};
            case Step::own: return {Verdict::Kind::own, at};
        }
    }
}

Tracker::Step Tracker::on_command(Incoming packet) {
    if (packet.header.sequence != 0) {
        const auto sequence = static_cast<std::uint8_t>(packet.header.sequence + 1);
        // Not into the middle of a reply.
        if (!busy() || answerable()) {
            say(failure(Fault::packets_out_of_order), sequence, packet.to_client);
        }
        return Step::fatal;
    }
    if (packet.command == Command::quit) return Step::close;
    if (outstanding()) {
        if (packet.in.size() - packet.at < max_held) return Step::wait;
        // In the middle of a reply: there is no place for a word.
        return Step::fatal;
    }
    const bool may_have_attributes = packet.command == Command::query || packet.command == Command::stmt_execute;
    if (may_have_attributes && !packet.plain && (capabilities_ & cap::query_attributes) != 0) {
        return without_attributes(packet);
    }
    if (skip_request_ || refusal_) {
        Answer given;
        given.kind = skip_request_ ? Answer::Kind::nothing : Answer::Kind::error;
        if (refusal_) given.error = std::move(*refusal_);
        refusal_.reset();
        skip_request_ = false;
        scanned_.reset();
        return answer(packet, std::move(given));
    }
    if (packet.command == Command::stmt_close || packet.command == Command::stmt_send_long_data)
        return on_without_reply(packet);
    if (doomed_) return answer(packet, {Answer::Kind::error, *doomed_, true});
    if (lost_) {
        if (const std::optional<Step> step = on_lost(packet)) return *step;
    }
    switch (packet.command) {
        case Command::query: return on_query(packet);
        case Command::stmt_prepare: return on_prepare(packet);
        case Command::stmt_execute:
        case Command::stmt_bulk_execute:
        case Command::stmt_fetch:
        case Command::stmt_reset: return on_statement_command(packet);
        case Command::init_db: return on_init_db(packet);
        case Command::set_option: return on_set_option(packet);
        case Command::ping: return attached() ? simple(packet, Shape::simple) : answer(packet, Answer{});
        case Command::reset_connection: return on_reset_connection(packet);
        case Command::field_list: return simple(packet, Shape::field_list);
        case Command::statistics: return simple(packet, Shape::statistics);
        case Command::process_info: return simple(packet, Shape::query);
        case Command::change_user: return on_change_user(packet);
        case Command::register_slave: return on_register_replica(packet);
        case Command::binlog_dump:
        case Command::binlog_dump_gtid: return on_binlog_dump(packet);
        case Command::process_kill: return on_process_kill(packet);
        case Command::debug: return answer(packet, Fault::not_supported, "COM_DEBUG is not for clients of a pool");
        default: return answer(packet, Fault::unknown_command);
    }
}

// The transaction is lost and the client has not heard it.
std::optional<Tracker::Step> Tracker::on_lost(Incoming& packet) {
    if (packet.command == Command::ping || packet.command == Command::change_user) return std::nullopt;
    if (packet.command == Command::reset_connection) return std::nullopt;
    if (packet.command == Command::query) {
        const Statement* statement = scan(packet);
        if (statement == nullptr) return Step::wait;
        if (packet.whole() && statement->rolls_back) {
            lost_.reset();
            return answer(packet, Answer{});
        }
    }
    if (packet.command == Command::stmt_execute) {
        if (packet.visible().size() < 5 && !packet.whole()) return Step::wait;
        wire::Cursor cursor(packet.visible().subspan(1));
        std::uint32_t number = cursor.u32le();
        const ClientStatement* named = prepared_.find(number, options_.mariadb);
        if (named != nullptr && named->text->statement.rolls_back) {
            lost_.reset();
            return answer(packet, Answer{});
        }
    }
    prepared_.forgive();
    const std::string reason = std::move(*lost_);
    lost_.reset();
    return answer(packet, Fault::transaction_lost, reason);
}

// --- statements ------------------------------------------------------------------------------------------------

// What the text says; null: more of it must be seen. Of a long text the rest is read while it passes.
const Statement* Tracker::scan(Incoming& packet) {
    const Bytes text = packet.visible();
    if (!packet.whole() && text.size() < std::min<std::size_t>(packet.header.length, seen_whole)) return nullptr;
    if (scanned_ && wanted_whole_) return &*scanned_;
    lexer_.emplace(lex_mode());
    lexer_->feed(text.subspan(1));
    wanted_whole_ = packet.whole();
    if (wanted_whole_) {
        scanned_ = lexer_->finish();
        lexer_.reset();
        put_executed(*scanned_);
    } else {
        scanned_ = lexer_->so_far();
        // Nobody knows yet what the rest asks for.
        scanned_->explained = scanned_->inert = false;
        scanned_->may_insert = scanned_->calls = scanned_->may_commit = scanned_->asks_counts = true;
        scanned_->count = std::max(scanned_->count, 1);
    }
    return &*scanned_;
}

Tracker::Step Tracker::want_lease(const Incoming& packet) noexcept {
    wanted_whole_ = packet.whole();
    wants_lease_ = true;
    lexer_.reset();
    preparing_.chunk_of = 0;
    return Step::lease;
}

Tracker::Step Tracker::on_query(Incoming& packet) {
    const Statement* statement = scan(packet);
    if (statement == nullptr) return Step::wait;
    if (statement->kill) {
        const Kill kill = *statement->kill;
        return on_kill(packet, kill);
    }
    if (statement->asks_connection) {
        if (const std::optional<Step> step = with_number(packet, &Tracker::on_query)) return *step;
    }
    if (begins_in_vain(*statement)) return answer(packet, Fault::begin_refused);
    const std::string_view text = wire::as_text(packet.visible().subspan(1));
    const wire::Hint hint = wire::read_hint(text);
    // There is nothing to end; drivers do this often.
    if (!attached() && statement->ends && hint == wire::Hint::none && !settings_.holds("completion_type"))
        return answer(packet, Answer{});
    if (!attached()) return want_lease_for(packet, *statement);
    if (cannot_conceal(*statement)) return answer(packet, Fault::not_supported, unconcealed);
    preparing_.held = false;
    if (preparing_.failed) {
        Answer error{Answer::Kind::error, std::move(*preparing_.failed), false};
        preparing_.failed.reset();
        scanned_.reset();
        settles_ = true;
        return answer(packet, std::move(error));
    }
    if (prepare_named(*statement, packet.to_backend)) return Step::wait;
    if (!in_transaction()) transcript_.clear();
    transcript_.add(text);
    if (statement->begins) keep_begin(packet, *statement);
    if (hint != wire::Hint::none) by_hand_ = hint == wire::Hint::pin;
    Statement taken = std::move(*scanned_);
    scanned_.reset();
    if (!taken.computed.empty()) return forward_tracked(packet, std::move(taken));
    return forward(packet, Shape::query, std::move(taken));
}

// --- other commands --------------------------------------------------------------------------------------------

Tracker::Step Tracker::simple(Incoming& packet, Shape shape) {
    if (!attached()) return want_lease(packet);
    Statement statement;
    statement.may_commit = packet.command == Command::reset_connection;
    return forward(packet, shape, std::move(statement));
}

Tracker::Step Tracker::on_init_db(Incoming& packet) {
    if (packet.header.length > max_database)
        return answer(packet, Fault::not_supported, "the database's name is too long");
    if (!packet.whole()) return Step::wait;
    if (!attached()) return want_lease(packet);
    Statement statement;
    statement.explained = statement.inert = true;
    statement.count = 1;
    statement.database = wire::as_text(packet.visible().subspan(1));
    return forward(packet, Shape::simple, std::move(statement));
}

// Switches multi-statements on and off: for the session, and for the backend that it holds. Whoever did not ask for
// them must not get them on any backend: an injected statement would be carried out.
Tracker::Step Tracker::on_set_option(Incoming& packet) {
    if (packet.header.length != 3) return answer(packet, Fault::unknown_command);
    if (!packet.whole()) return Step::wait;
    const std::uint8_t option = packet.visible()[1];
    if (option > 1 || packet.visible()[2] != 0) return answer(packet, Fault::unknown_command);
    if (attached()) {
        const Step step = forward(packet, Shape::simple);
        request_.option = option;  // applied when the server has agreed
        return step;
    }
    settings_.multi_statements = option == 0;
    return answer(packet, {Answer::Kind::end_of_rows, {}, false});
}

// --- passing on ------------------------------------------------------------------------------------------------

// What has to run in front of a statement so that it cannot see another session's answers.
void Tracker::put_in_front(const Statement& statement, wire::Outbox& to_backend) {
    const bool foreign_counts = lease_->counts_of != 0 && lease_->counts_of != number_;
    bool forget = statement.asks_found_rows && foreign_found_rows_;
    if (first_of_lease_) {
        const bool foreign_warnings = lease_->has_warnings && lease_->warnings_of != number_;
        forget = foreign_warnings || (statement.asks_counts && foreign_counts);
        foreign_found_rows_ = foreign_counts;
        first_of_lease_ = false;
    }
    lease_->warnings_of = lease_->counts_of = number_;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_forgetting")) forget = false;
    if (switches::on("no_insert_id")) insert_id_own_ = true;
#endif
    // Once in a lease: from then on it is the session's own.
    if (statement.may_insert && !insert_id_own_) {
        if (lease_->insert_id != insert_id_) {
            inject(Due::For::alignment, "SET last_insert_id=" + std::to_string(insert_id_), to_backend);
        }
        lease_->insert_id = insert_id_;
        insert_id_own_ = true;
    }
    if (forget) {
        inject(Due::For::alignment, forget_answers, to_backend);
        lease_->has_warnings = false;
        foreign_found_rows_ = false;
    }
}

Tracker::Step Tracker::forward(Incoming& packet, Shape shape, Statement statement) {
    const bool runs_text = packet.command == Command::query || packet.command == Command::stmt_execute ||
                           packet.command == Command::stmt_bulk_execute;
    if (!lease_->statements.closing().empty()) write_closes(packet.to_backend);
    if (runs_text) put_in_front(statement, packet.to_backend);
    if (runs_text) conceal(statement, packet.to_backend);
    // Where this reports a change itself, what the failed statement before it has left is asked for in front of it.
    if (suspect_ && !in_transaction() && (statement.explained || statement.explained_ones != 0)) {
        suspect_ = false;
        lease_->due.push_back({Shape::simple, Due::For::ping});
        write_command(packet.to_backend.own(), Command::ping);
    }
    if (watching_) watch_request(packet);
    request_ = {true, packet.command, std::move(statement), in_transaction(), 0, pin_.empty(), dirty_, lease_->dirty};
    if (!request_.statement.pin.empty()) pin_to_end(request_.statement.pin);
    if (runs_text && request_.statement.runs_stored) dirty_ = lease_->dirty = true;
    if (runs_text && request_.statement.made) expect_state(request_.statement);
    state_unknown_ = false;
    lease_->due.push_back({shape, Due::For::client});
    pass_beginning(packet);
    reply_sequence_ = static_cast<std::uint8_t>(packet.header.sequence + 1);
    lease_->half_sent = receiving();
    return Step::taken;
}

// What has been seen of a packet goes to the backend; the rest follows as it comes.
void Tracker::pass_beginning(Incoming& packet) {
    const std::size_t n = header_size + packet.visible().size();
    if (packet.rewriting != nullptr) {
        pass_rewritten(packet);
    } else {
        packet.to_backend.pass(packet.in.subspan(packet.at, n));
    }
    packet.at += n;
    body_ = {packet.left_behind(n), packet.header.continues(), false};
}

}  // namespace leasehold::mysql
