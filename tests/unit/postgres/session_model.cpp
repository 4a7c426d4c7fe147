// SPDX-License-Identifier: Apache-2.0
// The relay and the client of session_model.hpp.
#include "tests/unit/postgres/session_model.hpp"
#include "dialects/postgres/replay.hpp"

#include <algorithm>

namespace leasehold::postgres::model {

// --- the relay -----------------------------------------------------------------------------------------------------

void Session::send(Bytes bytes, std::size_t step) {
    if (step == 0) step = bytes.size();
    while (!bytes.empty() && !closed && !fatal) {
        const Bytes part = bytes.first(std::min(step, bytes.size()));
        bytes = bytes.subspan(part.size());
        client(part);
    }
}

void Session::ship() {
    Raw out;
    to_backend_.flatten(out);
    to_backend_.clear();
    if (!out.empty()) {
        ASSERT_NE(backend, nullptr);
        backend->server.feed(out);
    }
    to_client_.flatten(received_);
    to_client_.clear();
}

void Session::client(Bytes fresh) {
    in_.append(fresh);
    for (;;) {
        const Raw all(in_.bytes().begin(), in_.bytes().end());  // borrowed bytes die with it: sanitizers watch
        const wire::Verdict verdict = tracker.from_client(all, to_backend_, to_client_);
        last = verdict.kind;
        ASSERT_LE(verdict.consumed, all.size());
        in_.consume(verdict.consumed);
        ship();
        wants_lease = verdict.kind == wire::Verdict::Kind::lease;
        if (verdict.kind == wire::Verdict::Kind::close) closed = true;
        if (verdict.kind == wire::Verdict::Kind::fatal) fatal = true;
        if (!wants_lease) return;
        backend = pick_();
        if (backend == nullptr) return;
        backend->leased = true;
        ++leases;
        align();
        tracker.attach(backend->lease);
        wants_lease = false;
    }
}

void Session::align() {
    PostgresLease& lease = backend->lease;
    if (lease.held == tracker.settings() || replayable(lease.held, tracker.settings())) return;
    for (const auto& setting : lease.held) {
        const std::string usual(lease.defaults.find(setting.name).value_or(""));
        backend->server.force(setting.name, usual);
        if (is_reported(setting.name)) lease.reported.set(setting.name, usual);
    }
    for (const auto& setting : tracker.settings()) {
        backend->server.force(setting.name, setting.value);
        if (is_reported(setting.name)) lease.reported.set(setting.name, setting.value);
    }
    lease.held = tracker.settings();
}

bool Session::pump_once(std::size_t step) {
    if (backend == nullptr) return false;
    const Raw fresh = backend->server.take_output();
    if (fresh.empty()) return false;
    Bytes bytes(fresh);
    bool refused = false;  // and the backend is gone, with what else it has said
    if (step == 0) step = bytes.size();
    while (!bytes.empty() && backend != nullptr && !lost) {
        const Bytes part = bytes.first(std::min(step, bytes.size()));
        bytes = bytes.subspan(part.size());
        backend->inbox.append(part);
        const Raw all(backend->inbox.bytes().begin(), backend->inbox.bytes().end());
        const wire::Verdict verdict = tracker.from_backend(all, to_client_, to_backend_);
        EXPECT_LE(verdict.consumed, all.size());
        backend->inbox.consume(verdict.consumed);
        ship();
        refused |= verdict.kind == wire::Verdict::Kind::refused;
        on_backend(verdict);
    }
    EXPECT_TRUE(bytes.empty() || lost || refused) << "bytes behind a boundary";
    return true;
}

void Session::on_backend(wire::Verdict verdict) {
    last = verdict.kind;
    if (verdict.kind == wire::Verdict::Kind::fatal) fatal = true;
    if (verdict.kind == wire::Verdict::Kind::lost) lost = true;
    if (verdict.kind == wire::Verdict::Kind::refused) {
        lost = true;  // with its backend
        wire::Loss loss;
        loss.kind = wire::Loss::Kind::settings;
        (void)lose(loss);
    }
    if (verdict.kind == wire::Verdict::Kind::boundary) {
        ++boundaries;
        EXPECT_EQ(backend->server.status(), 'I');
        EXPECT_TRUE(backend->inbox.empty());
        if (tracker.audit() == wire::Tracker::Audit::due && (holds || tracker.pin() == "DO or CALL")) {
            ++audits;
            const Found found = holds ? holds() : Found{};
            tracker.audited(&found);
        }
        if (tracker.pin().empty()) {
            tracker.detach();
            EXPECT_FALSE(backend->lease.outstanding() || backend->lease.half_message());
            backend->leased = false;
            backend = nullptr;
        }
    }
    if (!in_.empty() && !fatal && !lost) client({});
}

void Session::pump(std::size_t step) {
    while (pump_once(step)) {
    }
}

wire::Aftermath Session::lose(wire::Loss loss) {
    const wire::Aftermath aftermath = tracker.lose(loss, to_client_);
    ship();
    backend = nullptr;
    lost = false;
    return aftermath;
}

Client& Client::bind_with(std::string_view name, std::string_view value) {
    const Framed framed(out_, frontend::bind);
    out_.cstring("");
    out_.cstring(name);
    out_.u16be(0);
    out_.u16be(1);
    out_.u32be(static_cast<std::uint32_t>(value.size()));
    out_.text(value);
    out_.u16be(0);
    return *this;
}

Client& Client::raw(std::uint8_t type, std::string_view body) {
    const Framed framed(out_, type);
    out_.text(body);
    return *this;
}

std::string readable(Bytes bytes) {
    std::string out;
    while (const auto header = peek(bytes)) {
        if (bytes.size() < header->size()) break;
        const Bytes body = bytes.subspan(header_size, header->body());
        if (!out.empty()) out += ' ';
        out += static_cast<char>(header->type);
        if (header->type == backend::error) {
            const auto error = parse_server_message(body);
            out += error ? "(" + std::string(to_string(error->severity).substr(0, 1)) + " " +
                               error->diagnostics.sqlstate + " " + error->diagnostics.message + ")"
                         : "(?)";
        } else if (header->type == backend::ready_for_query) {
            out += "(" + std::string(1, parse_ready_for_query(body).value_or('?')) + ")";
        } else if (header->type == backend::command_complete) {
            out += "(" + std::string(parse_command_complete(body).value_or("?")) + ")";
        } else if (header->type == backend::parameter_status) {
            const auto said = parse_parameter_status(body);
            out += said ? "(" + std::string(said->name) + "=" + std::string(said->value) + ")" : "(?)";
        } else if (header->type == backend::data_row) {
            wire::Cursor cursor(body);
            cursor.skip(2);
            out += "(" + std::string(wire::as_text(cursor.take(cursor.u32be()))) + ")";
        }
        bytes = bytes.subspan(header->size());
    }
    if (!bytes.empty()) out += " +" + std::to_string(bytes.size());
    return out;
}

}  // namespace leasehold::postgres::model
