// SPDX-License-Identifier: Apache-2.0
// Random sessions with prepared statements over backends that move, die and run out of room, each against a server of its
// own: whatever a dedicated connection answers, the session hears, up to the numbers of its statements.
#include "dialects/mysql/tracker.hpp"
#include "tests/unit/mysql/packets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>

namespace leasehold::mysql {
namespace {

using namespace test;

constexpr unsigned cursor_exists = 0x40, last_row_sent = 0x80;

std::uint32_t u32_at(const Raw& in, std::size_t at) {
    return in[at] | static_cast<std::uint32_t>(in[at + 1]) << 8 | static_cast<std::uint32_t>(in[at + 2]) << 16 |
           static_cast<std::uint32_t>(in[at + 3]) << 24;
}
Raw u32(std::uint32_t v) { return u16(v & 0xFFFF) + u16(v >> 16); }

// A server's side of one connection, as far as these sessions ask for it. Tables are everybody's: `dropped`.
class FakeServer {
  public:
    explicit FakeServer(const bool& dropped) : dropped_(dropped) {}

    std::string database = "shop", mode;
    bool in_transaction = false;
    bool confused = false;  // was asked for what no session could have asked a server of its own

    // One packet's reply, maybe none.
    Raw answer(const Raw& payload) {
        const std::string text(payload.begin() + 1, payload.end());
        switch (payload[0]) {
            case 0x02: database = text; return done();
            case 0x03: return query(text);
            case 0x0E: return done();
            case 0x1F: reset(); return done();
            case 0x16: return prepare(text);
            default: break;
        }
        const auto found = statements_.find(u32_at(payload, 1));
        if (payload[0] == 0x19) {
            if (found == statements_.end()) confused = true;
            if (found != statements_.end()) statements_.erase(found);
            return {};
        }
        if (found == statements_.end()) {
            unknown_ = true;
            return payload[0] == 0x18 ? Raw{} : err(1, 1243);
        }
        Held& held = found->second;
        switch (payload[0]) {
            case 0x17: return execute(held, payload);
            case 0x18: held.data += std::string(payload.begin() + 7, payload.end()); return {};
            case 0x1A: held.data.clear(), held.cursor = false; return done();
            case 0x1C: return fetch(held, u32_at(payload, 5));
            default: break;
        }
        confused = true;
        return err(1, 1047);
    }
    void reset() {
        statements_.clear();
        in_transaction = false;
        mode.clear();
    }
    [[nodiscard]] std::size_t open() const { return statements_.size(); }
    [[nodiscard]] bool asked_for_unknown() const { return unknown_; }
    [[nodiscard]] std::uint32_t last() const { return next_; }

  private:
    struct Held {
        std::string text, read;
        unsigned parameters = 0;
        Raw types;
        std::string data;
        bool cursor = false;
        unsigned rows = 0;  // left in it
    };
    [[nodiscard]] unsigned status() const { return autocommit | (in_transaction ? in_trans : 0); }
    [[nodiscard]] Raw done() const { return ok(1, status()); }

    Raw query(const std::string& sql) {
        if (sql == "BEGIN") in_transaction = true;
        if (sql == "COMMIT" || sql == "ROLLBACK") in_transaction = false;
        if (const std::size_t at = sql.find("sql_mode="); sql.starts_with("SET") && at != std::string::npos) {
            mode = sql.substr(at + 9);
            if (mode == "DEFAULT") mode.clear();
        }
        return sql.starts_with("SELECT") ? rows(database + mode, status()) : done();
    }
    Raw prepare(const std::string& text) {
        if (dropped_ && text.find(" t") != std::string::npos) return err(1, 1146);
        Held held;
        held.text = text;
        held.read = database + mode;
        for (const char c : text) held.parameters += c == '?' ? 1 : 0;
        statements_[++next_] = held;
        Raw reply = packet(Raw{0} + u32(next_) + u16(0) + u16(held.parameters) + Raw{0, 0, 0}, 1);
        std::uint8_t sequence = 2;
        for (unsigned n = 0; n < held.parameters; ++n) reply = reply + column(sequence++);
        return held.parameters == 0 ? reply : reply + eof(sequence, 0);
    }
    // Says what it was given, and under which settings its text was read.
    Raw execute(Held& held, const Raw& payload) {
        const std::string data = std::exchange(held.data, {});
        held.cursor = false;
        std::size_t at = 10;
        if (held.parameters > 0) {
            const bool bound = payload[11] != 0;
            at = 12;
            if (bound) {
                held.types.assign(payload.begin() + 12, payload.begin() + 12 + 2 * held.parameters);
                at += 2u * held.parameters;
            }
            if (held.types.empty()) return err(1, 1210);
        }
        if (dropped_ && held.text.find(" t") != std::string::npos) return err(1, 1146);
        if (held.text == "COMMIT") in_transaction = false;
        if (held.text == "COMMIT") return done();
        std::string said = held.text + "|" + held.read + "|" + data + "|";
        for (const std::uint8_t type : held.types) said += std::to_string(type) + ",";
        said += std::string(payload.begin() + static_cast<std::ptrdiff_t>(at), payload.end());
        if (payload[5] != 1) return rows(said, status());
        held.cursor = true;
        held.rows = 3;
        return packet({1}, 1) + column(2) + eof(3, status() | cursor_exists);
    }
    // As the servers do: the end is told by the FETCH that comes upon it.
    Raw fetch(Held& held, std::uint32_t count) {
        if (!held.cursor) return err(1, 1421);
        Raw reply;
        std::uint8_t sequence = 1;
        for (; count > 0 && held.rows > 0; --count, --held.rows) reply = reply + row(sequence++, held.text);
        held.cursor = count == 0;
        return reply + eof(sequence, status() | (held.cursor ? cursor_exists : last_row_sent));
    }

    const bool& dropped_;
    std::map<std::uint32_t, Held> statements_;
    std::uint32_t next_ = 0;
    bool unknown_ = false;
};

struct Backend {
    explicit Backend(const bool& dropped, std::size_t limit) : server(dropped) {
        lease.mariadb = true;
        lease.login_database = "shop";
        lease.capabilities = capabilities_of(variant_of(0));
        lease.statements.limit(limit);
    }
    MysqlLease lease;
    FakeServer server;
    Raw in;  // not yet a packet
    bool leased = false;
};

using Random = std::mt19937;

// A session through a tracker, and the same one on a server of its own.
class Session {
  public:
    Session(Random& random, std::vector<std::unique_ptr<Backend>>& backends, const bool& dropped)
        : random_(random), backends_(backends), dropped_(dropped), alone_(dropped), tracker_(options()) {}

    void step() {
        switch (pick(16)) {
            case 0:
            case 1: prepare(); break;
            case 2: text(pick(2) == 0 ? "BEGIN" : pick(2) == 0 ? "COMMIT" : "ROLLBACK"); break;
            case 3: text(pick(2) == 0 ? "SET sql_mode='A'" : "SET sql_mode=''"); break;
            case 4: (void)both(Raw{0x02} + raw(pick(2) == 0 ? "shop" : "annex")); break;
            case 5: text("SELECT 1"); break;
            case 6: named(0x1A, {}); break;
            case 7: named(0x1C, u32(pick(4))); break;
            case 8:
                if (dropped_) break;  // a copy is prepared for it, which a dedicated server need not do
                named(0x18, u16(0) + raw("long" + std::to_string(pick(9))));
                break;
            case 9: close(); break;
            case 10: reset(); break;
            default: execute(); break;
        }
    }
    void text(std::string_view sql) { (void)both(Raw{0x03} + raw(sql)); }

  private:
    struct Open {
        std::uint32_t ours = 0, alone = 0;
        unsigned parameters = 0;
        bool bound = false;
        bool closed = false;
    };
    static TrackerOptions options() {
        TrackerOptions made;
        made.prepared_per_client = 8;
        return made;
    }
    unsigned pick(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random_); }

    void prepare() {
        static const std::vector<std::pair<std::string, unsigned>> texts{{"SELECT a", 0},    {"SELECT a t", 0},
                                                                         {"SELECT ?", 1},    {"SELECT ?, ? t", 2},
                                                                         {"SELECT ?, ?", 2}, {"COMMIT", 0}};
        if (std::ranges::count_if(open_, [](const Open& o) { return !o.closed; }) >= 8) return;
        const auto& [sql, parameters] = texts[pick(static_cast<unsigned>(texts.size()))];
        const Raw reply = both(Raw{0x16} + raw(sql));
        if (reply.size() < 9 || reply[4] != 0) return;
        open_.push_back({u32_at(reply, 5), alone_.last(), parameters, false, false});
    }
    void execute() {
        if (open_.empty()) return;
        Open& open = open_[pick(static_cast<unsigned>(open_.size()))];
        Raw rest{static_cast<std::uint8_t>(pick(8) == 0 ? 1 : 0), 1, 0, 0, 0};
        if (open.parameters > 0) {
            const bool binds = open.bound ? pick(4) == 0 : pick(10) != 0;
            rest = rest + Raw{0, static_cast<std::uint8_t>(binds ? 1 : 0)};
            const std::uint8_t type = pick(2) == 0 ? 8 : 1;
            for (unsigned n = 0; binds && n < open.parameters; ++n) rest = rest + Raw{type, 0};
            open.bound = open.bound || (binds && !open.closed);
            rest = rest + Raw{static_cast<std::uint8_t>(pick(200)), 0, 0, 0, 0, 0, 0, 0};
        }
        send(0x17, open, rest);
    }
    void named(std::uint8_t command, const Raw& rest) {
        if (!open_.empty()) send(command, open_[pick(static_cast<unsigned>(open_.size()))], rest);
    }
    void close() {
        if (open_.empty()) return;
        Open& open = open_[pick(static_cast<unsigned>(open_.size()))];
        if (!open.closed) send(0x19, open, {});
        open.closed = true;  // and stays, to be asked for in vain
    }
    void reset() {
        if (pick(10) != 0) return;
        resetting_ = true;
        (void)both({0x1F});
        resetting_ = false;
        open_.clear();
    }
    void send(std::uint8_t command, const Open& open, const Raw& rest) {
        (void)compare(Raw{command} + u32(open.ours) + rest, Raw{command} + u32(open.alone) + rest);
    }
    Raw both(const Raw& payload) { return compare(payload, payload); }

    Raw compare(const Raw& payload, const Raw& alone) {
        held_ = held_ + packet(payload, 0);
        run();
        Raw said = std::exchange(heard_, {});
        Raw expected = alone_.answer(alone);
        const bool failed = expected.size() > 6 && expected[4] == 0xFF;
        if (failed && said.size() > 6) {
            EXPECT_EQ(Raw(said.begin() + 4, said.begin() + 7), Raw(expected.begin() + 4, expected.begin() + 7));
            return said;
        }
        Raw seen = said;
        if (payload[0] == 0x16 && seen.size() > 8 && expected.size() > 8)
            std::copy(seen.begin() + 5, seen.begin() + 9, expected.begin() + 5);
        EXPECT_EQ(readable(seen), readable(expected)) << "command " << int(payload[0]);
        return said;
    }

    // The daemon's part: until nothing moves any more.
    void run() {
        for (bool again = true; again;) {
            again = false;
            const Raw shown(held_);
            const wire::Verdict verdict = tracker_.from_client(shown, to_backend_, to_client_);
            held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(verdict.consumed));
            flush();
            if (verdict.kind == wire::Verdict::Kind::unsure) ask();
            if (verdict.kind == wire::Verdict::Kind::boundary) end_lease();
            if (verdict.kind == wire::Verdict::Kind::lease) again = lease();
            while (backend_ != nullptr && !owed_.empty()) {
                answer();
                again = !held_.empty();
            }
        }
    }
    bool lease() {
        do backend_ = backends_[pick(static_cast<unsigned>(backends_.size()))].get();
        while (backend_->leased);
        backend_->leased = true;
        MysqlLease& lease = backend_->lease;
        const Settings& wanted = tracker_.settings();
        if (lease.plan_for(wanted).reset) {
            backend_->server.reset();
            lease.forget();
        }
        backend_->server.database = wanted.database.value_or("shop");
        for (const auto& [name, literal] : wanted.variables) {
            if (name == "sql_mode") backend_->server.mode = literal;
        }
        lease.held = wanted;
        tracker_.attach(lease);
        return true;
    }
    void end_lease() {
        if (!tracker_.pin().empty()) return;
        tracker_.detach();
        MysqlLease& lease = backend_->lease;
        // As the pool does behind a session's COM_RESET_CONNECTION.
        if (lease.in_transaction() || lease.dirty) {
            EXPECT_TRUE(resetting_);
            backend_->server.reset();
            lease.forget();
            lease.status = autocommit;
        }
        EXPECT_LE(backend_->lease.statements.size(), 3u);
        EXPECT_EQ(backend_->server.open(),
                  backend_->lease.statements.size() + backend_->lease.statements.closing().size());
        EXPECT_FALSE(backend_->server.confused);
        EXPECT_FALSE(backend_->server.asked_for_unknown());
        backend_->leased = false;
        backend_ = nullptr;
    }
    void flush() {
        std::vector<std::uint8_t> bytes;
        to_client_.flatten(bytes);
        heard_ = heard_ + bytes;
        bytes.clear();
        to_backend_.flatten(bytes);
        to_client_.clear();
        to_backend_.clear();
        if (bytes.empty()) return;
        ASSERT_NE(backend_, nullptr);
        Raw& in = backend_->in;
        in = in + bytes;
        while (in.size() >= 4) {
            const std::size_t length = in[0] + 256u * in[1] + 65536u * in[2];
            if (in.size() < 4 + length) break;
            owed_ = owed_ +
                    backend_->server.answer(Raw(in.begin() + 4, in.begin() + 4 + static_cast<std::ptrdiff_t>(length)));
            in.erase(in.begin(), in.begin() + 4 + static_cast<std::ptrdiff_t>(length));
        }
    }
    // Some of what the server has said.
    void answer() {
        const auto n = static_cast<std::ptrdiff_t>(1 + pick(static_cast<unsigned>(owed_.size())));
        shown_.insert(shown_.end(), owed_.begin(), owed_.begin() + n);
        owed_.erase(owed_.begin(), owed_.begin() + n);
        const Raw shown(shown_);
        const wire::Verdict verdict = tracker_.from_backend(shown, to_client_, to_backend_);
        shown_.erase(shown_.begin(), shown_.begin() + static_cast<std::ptrdiff_t>(verdict.consumed));
        flush();
        if (verdict.kind == wire::Verdict::Kind::unsure) ask();
        if (verdict.kind == wire::Verdict::Kind::boundary) end_lease();
    }
    // The daemon waits a little for the client's next request, which tells as well.
    void ask() {
        if (pick(2) == 0) return;
        tracker_.ask(to_backend_);
        flush();
    }

    Random& random_;
    std::vector<std::unique_ptr<Backend>>& backends_;
    const bool& dropped_;
    FakeServer alone_;
    Tracker tracker_;
    Backend* backend_ = nullptr;
    wire::Outbox to_client_, to_backend_;
    Raw held_, heard_, owed_, shown_;
    std::vector<Open> open_;
    bool resetting_ = false;
};

TEST(MysqlPreparedModel, SessionsHearWhatADedicatedServerSays) {
    for (unsigned seed = 1; seed <= 60 && !::testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        bool dropped = false;
        const std::size_t limit = 1 + seed % 3;
        std::vector<std::unique_ptr<Backend>> backends;
        for (int n = 0; n < 5; ++n) backends.push_back(std::make_unique<Backend>(dropped, limit));
        std::vector<std::unique_ptr<Session>> sessions;
        for (int n = 0; n < 4; ++n) sessions.push_back(std::make_unique<Session>(random, backends, dropped));
        for (int n = 0; n < 400 && !::testing::Test::HasFailure(); ++n) {
            sessions[random() % sessions.size()]->step();
            if (random() % 40 == 0) dropped = !dropped;
            auto& backend = backends[random() % backends.size()];
            if (random() % 20 == 0 && !backend->leased) backend = std::make_unique<Backend>(dropped, limit);
        }
    }
}

}  // namespace
}  // namespace leasehold::mysql
