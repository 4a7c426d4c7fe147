// SPDX-License-Identifier: Apache-2.0
// The server of session_model.hpp.
#include "tests/unit/postgres/session_model.hpp"
#include "tests/unit/postgres/session_model_text.hpp"

namespace leasehold::postgres::model {
void Server::feed(Bytes in) {
    in_.insert(in_.end(), in.begin(), in.end());
    std::size_t at = 0;
    for (;;) {
        const auto header = peek(Bytes(in_).subspan(at));
        if (!header || in_.size() - at < header->size()) break;
        on_message(header->type, Bytes(in_).subspan(at + header_size, header->body()));
        at += header->size();
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
}

Raw Server::take_output() { return std::exchange(held_, {}); }

void Server::force(const std::string& name, const std::string& value) { settings[name] = reported_[name] = value; }

void Server::farewell(const std::string& sqlstate) {
    wire::Writer out;
    wire::Diagnostics error;
    error.sqlstate = sqlstate;
    error.message = "terminating connection due to administrator command";
    error_response(out, Severity::fatal, error);
    held_.insert(held_.end(), out.bytes().begin(), out.bytes().end());
}

void Server::notify() {
    wire::Writer out;
    {
        const Framed framed(out, backend::notification);
        out.u32be(1);
        out.cstring("channel");
        out.cstring("payload");
    }
    held_.insert(held_.end(), out.bytes().begin(), out.bytes().end());
}

void Server::ready() {
    for (const auto& [name, value] : settings) {
        if (reported_[name] != value && is_reported(name)) parameter_status(out_, name, value);
    }
    reported_ = settings;
    ready_for_query(out_, status_);
    release();
}

void Server::release() {
    held_.insert(held_.end(), out_.bytes().begin(), out_.bytes().end());
    out_.clear();
}

void Server::start() {
    if (status_ == 'I' && !open_) before_ = settings;
    open_ = true;
}

void Server::end_transaction(bool commit) {
    if (!commit) settings = before_;
    for (const auto& [name, value] : commit ? std::exchange(lasting_, {}) : Values()) assign(name, value, false);
    lasting_.clear();
    savepoints_.clear();
    portals_.clear();
    status_ = 'I';
    open_ = false;
}

void Server::fail(const Failure& failure) {
    wire::Diagnostics error;
    error.sqlstate = failure.sqlstate;
    error.message = failure.message;
    error_response(out_, Severity::error, error);
    release();  // as the real one does, even while it skips
    if (status_ == 'T') {
        status_ = 'E';
    } else if (status_ == 'I') {
        end_transaction(false);
    }
}

std::optional<Server::Failure> Server::aborted(const std::string& statement) const {
    if (status_ != 'E' || statement.empty() || starts(statement, "COMMIT") || starts(statement, "ROLLBACK")) return {};
    return Failure{"25P02", "current transaction is aborted, commands ignored until end of transaction block"};
}

void Server::on_message(std::uint8_t type, Bytes body) {
    ++messages;
    if (copying_) {
        if (type == 'd' || type == 'S' || type == 'H') return;
        copying_ = false;
        if (type == 'c') {
            command_complete(out_, "COPY 1");
        } else {
            fail({"57014", "COPY from stdin failed"});
            skipping_ = copy_extended_;
        }
        if (!copy_extended_) {
            if (status_ == 'I') end_transaction(true);
            ready();
        }
        return;
    }
    if (type == 'd' || type == 'c' || type == 'f') return;
    if (type == 'S') {
        if (status_ == 'I') end_transaction(true);
        skipping_ = false;
        ready();
        return;
    }
    if (skipping_) return;
    wire::Cursor cursor(body);
    switch (type) {
        case 'Q': query(cursor.cstring()); break;
        case 'P': {
            const std::string name(cursor.cstring());
            extended(parse(name, std::string(cursor.cstring())));
            break;
        }
        case 'B': extended(bind(body)); break;
        case 'D': extended(describe(body)); break;
        case 'E': extended(execute(std::string(cursor.cstring()))); break;
        case 'C': {
            const bool statement = cursor.u8() == 'S';
            const std::string name(cursor.cstring());
            ++closes;
            if (!statement) portals_.erase(name);
            if (statement && name.empty()) unnamed_.reset();
            if (statement) prepared.erase(name);
            close_complete(out_);
            break;
        }
        case 'H': release(); break;
        case 'F': {
            executed.push_back("function call");
            {
                const Framed framed(out_, backend::function_result);
                out_.u32be(~std::uint32_t{0});
            }
            ready();
            break;
        }
        default: ADD_FAILURE() << "server got " << type; break;
    }
}

void Server::extended(std::optional<Failure> failure) {
    if (!failure) return;
    fail(*failure);
    skipping_ = true;
}

void Server::query(std::string_view sql) {
    unnamed_.reset();
    portals_.erase("");
    start();
    const std::vector<std::string> statements = split(sql);
    std::optional<Failure> failure;
    if (sql.find("SYNTAX") != std::string_view::npos) failure = Failure{"42601", "syntax error"};
    if (statements.empty() && !failure) empty_query_response(out_);
    for (const std::string& statement : statements) {
        if (failure) break;
        start();
        failure = aborted(statement);
        if (!failure && starts(statement, "DISCARD ALL") && (statements.size() > 1 || status_ != 'I')) {
            failure = Failure{"25001", "DISCARD ALL cannot run inside a transaction block"};
        }
        if (!failure && has_rows(statement)) row_description(out_, std::array<Field, 1>{Field{"x"}});
        if (!failure) failure = run(statement, "");
        if (copying_) copy_extended_ = false;
        if (copying_) return release();
    }
    if (failure) {
        fail(*failure);
    } else if (status_ == 'I') {
        end_transaction(true);
    }
    ready();
}

std::optional<Server::Failure> Server::parse(const std::string& name, const std::string& sql) {
    ++parses;
    start();
    if (name.empty()) unnamed_.reset();
    if (sql.find("SYNTAX") != std::string::npos) return Failure{"42601", "syntax error"};
    if (split(sql).size() > 1) return Failure{"42601", "cannot insert multiple commands into a prepared statement"};
    if (auto failure = aborted(sql)) return failure;
    if (name.empty()) {
        unnamed_ = sql;
    } else if (!prepared.emplace(name, sql).second) {
        return Failure{"42P05", "prepared statement \"" + name + "\" already exists"};
    }
    parse_complete(out_);
    return {};
}

std::optional<Server::Failure> Server::bind(Bytes body) {
    start();
    wire::Cursor cursor(body);
    const std::string portal(cursor.cstring());
    const std::string name(cursor.cstring());
    const std::uint16_t formats = cursor.u16be();
    cursor.skip(std::size_t{2} * formats);
    const std::uint16_t count = cursor.u16be();
    std::string parameters;
    for (std::uint16_t i = 0; i < count; ++i) parameters += wire::as_text(cursor.take(cursor.u32be()));
    if (name.empty() && !unnamed_) return Failure{"26000", "unnamed prepared statement does not exist"};
    if (!name.empty() && prepared.find(name) == prepared.end()) {
        return Failure{"26000", "prepared statement \"" + name + "\" does not exist"};
    }
    const std::string sql = name.empty() ? *unnamed_ : prepared[name];
    if (auto failure = aborted(sql)) return failure;  // in the real one after the next check, but who counts then
    if (parameters_of(sql) != count) {
        return Failure{"08P01", "bind message supplies " + std::to_string(count) +
                                    " parameters, but prepared statement \"" + name + "\" requires " +
                                    std::to_string(parameters_of(sql))};
    }
    if (!portal.empty() && portals_.count(portal) > 0)
        return Failure{"42P03", "portal \"" + portal + "\" already exists"};
    portals_[portal] = {sql, parameters};
    bind_complete(out_);
    return {};
}

std::optional<Server::Failure> Server::describe(Bytes body) {
    start();
    wire::Cursor cursor(body);
    const bool statement = cursor.u8() == 'S';
    const std::string name(cursor.cstring());
    std::string sql;
    if (statement) {
        if (name.empty() && !unnamed_) return Failure{"26000", "unnamed prepared statement does not exist"};
        if (!name.empty() && prepared.find(name) == prepared.end()) {
            return Failure{"26000", "prepared statement \"" + name + "\" does not exist"};
        }
        sql = name.empty() ? *unnamed_ : prepared[name];
    } else {
        if (portals_.find(name) == portals_.end()) return Failure{"34000", "portal \"" + name + "\" does not exist"};
        sql = portals_[name].statement;
    }
    if (statement || has_rows(sql)) {
        if (auto failure = aborted(sql)) return failure;
    }
    if (statement) {
        const Framed framed(out_, backend::parameter_description);
        out_.u16be(static_cast<std::uint16_t>(parameters_of(sql)));
        for (std::size_t i = 0; i < parameters_of(sql); ++i) out_.u32be(25);
    }
    if (has_rows(sql)) {
        row_description(out_, std::array<Field, 1>{Field{"x"}});
    } else {
        no_data(out_);
    }
    return {};
}

std::optional<Server::Failure> Server::execute(const std::string& name) {
    start();
    const auto portal = portals_.find(name);
    if (portal == portals_.end()) return Failure{"34000", "portal \"" + name + "\" does not exist"};
    const Portal bound = portal->second;
    if (auto failure = aborted(bound.statement)) return failure;
    if (bound.statement.empty()) {
        empty_query_response(out_);
        return {};
    }
    if (starts(bound.statement, "DISCARD ALL") && status_ != 'I') {
        return Failure{"25001", "DISCARD ALL cannot run inside a transaction block"};
    }
    auto failure = run(bound.statement, bound.parameters);
    if (copying_) {
        copy_extended_ = true;
        release();
    }
    return failure;
}

void Server::assign(std::string_view name, std::string_view value, bool local) {
    const std::string key(name);
    if (!local) {
        lasting_.erase(key);
    } else if (status_ == 'T') {
        lasting_.emplace(key, settings[key]);
    }
    if (!local || status_ == 'T') settings[key] = value;
}

std::optional<Server::Failure> Server::run(const std::string& statement, const std::string& parameters) {
    executed.push_back(statement + parameters);
    std::string tag = statement.substr(0, statement.find(' '));
    if (starts(statement, "ERR")) return Failure{"22012", "division by zero"};
    if (starts(statement, "EXECUTE lh_0")) return Failure{"26000", "prepared statement \"lh_0\" does not exist"};
    if (statement.find("lastval()") != std::string::npos) {
        if (!number) return Failure{"55000", "lastval is not yet defined in this session"};
        data_row(out_, std::array<std::optional<std::string>, 1>{std::to_string(*number)});
        tag = "SELECT 1";
    } else if (statement.find("nextval(") != std::string::npos || starts(statement, "INSERT")) {
        number = ++drawn;
        if (has_rows(statement)) tag = "SELECT 1";
    } else if (starts(statement, "DISCARD SEQUENCES")) {
        number.reset();
        tag = "DISCARD SEQUENCES";
    } else if (starts(statement, "BEGIN")) {
        if (status_ == 'I') status_ = 'T';
    } else if (starts(statement, "COMMIT")) {
        if (status_ == 'E') tag = "ROLLBACK";
        end_transaction(status_ != 'E');
    } else if (starts(statement, "SAVEPOINT ")) {
        savepoints_.push_back({statement.substr(10), settings, lasting_});
    } else if (starts(statement, "ROLLBACK TO ") || starts(statement, "RELEASE ")) {
        const bool back = tag == "ROLLBACK";
        const std::string name = statement.substr(back ? 12 : 8);
        while (!savepoints_.empty() && savepoints_.back().name != name) savepoints_.pop_back();
        if (savepoints_.empty()) return Failure{"3B001", "savepoint \"" + name + "\" does not exist"};
        if (back) {
            settings = savepoints_.back().settings;
            lasting_ = savepoints_.back().lasting;
            status_ = 'T';
        } else {
            savepoints_.pop_back();
        }
    } else if (starts(statement, "ROLLBACK")) {
        end_transaction(status_ == 'I');
    } else if (starts(statement, "SET ")) {
        const std::size_t equals = statement.find('='), from = starts(statement, "SET LOCAL ") ? 10 : 4;
        if (const std::size_t to = statement.find("\" TO '");
            to != std::string::npos) {  // leasehold's own: SET "x" TO 'y'
            const std::string value = statement.substr(to + 6);
            assign(statement.substr(from + 1, to - from - 1), value.substr(0, value.size() - 1), from == 10);
        } else {
            assign(statement.substr(from, equals - from), statement.substr(equals + 1), from == 10);
        }
        tag = "SET";
    } else if (starts(statement, "DEALLOCATE ALL")) {
        prepared.clear();
        tag = "DEALLOCATE ALL";
    } else if (starts(statement, "DEALLOCATE ")) {
        const std::string name = statement.substr(11);
        if (prepared.erase(name) == 0) return Failure{"26000", "prepared statement \"" + name + "\" does not exist"};
    } else if (starts(statement, "PREPARE ")) {
        const std::size_t as = statement.find(" AS ");
        const std::string name = statement.substr(8, as - 8);
        if (!gone.empty() && statement.find(gone) != std::string::npos) return Failure{"42P01", gone + " is gone"};
        if (!prepared.emplace(name, statement.substr(as + 4)).second)
            return Failure{"42P05", "prepared statement \"" + name + "\" already exists"};
    } else if (starts(statement, "EXECUTE ")) {
        const auto known = prepared.find(statement.substr(8));
        if (known != prepared.end()) return run(known->second, parameters);
        return Failure{"26000", "prepared statement \"" + statement.substr(8) + "\" does not exist"};
    } else if (starts(statement, "DISCARD ALL")) {
        prepared.clear();
        portals_.clear();
        number.reset();
        settings = Server().settings;
        end_transaction(true);  // at once, also in a pipeline
        tag = "DISCARD ALL";
    } else if (starts(statement, "RESET ALL")) {
        settings = Server().settings;
        lasting_.clear();
    } else if (starts(statement, "RESET ")) {
        const std::string name = statement.substr(6);
        const auto usual = Server().settings;
        assign(name, usual.count(name) > 0 ? usual.at(name) : "", false);
    } else if (starts(statement, "COPY IN")) {
        copying_ = true;
        const Framed framed(out_, backend::copy_in);
        out_.u8(0);
        out_.u16be(0);
        return {};
    } else if (has_rows(statement)) {
        std::string value = statement + parameters;
        if (starts(statement, "SHOW ")) value = settings[statement.substr(5)];
        for (const SetConfig& one : set_configs(statement)) {
            if (one.name == refuses) return Failure{"22023", "invalid value for parameter \"" + one.name + "\""};
            const auto usual = Server().settings;
            value = one.value ? *one.value : usual.count(one.name) > 0 ? usual.at(one.name) : "";
            assign(one.name, value, one.local);
        }
        data_row(out_, std::array<std::optional<std::string>, 1>{value});
        tag = "SELECT 1";
    }
    command_complete(out_, tag);
    return {};
}

}  // namespace leasehold::postgres::model
