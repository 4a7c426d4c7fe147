// SPDX-License-Identifier: Apache-2.0
// Random pipelines of several sessions over two backends, with another backend at every chance, must look to each client
// as its own dedicated server would.
#include "tests/unit/postgres/session_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace leasehold::postgres::model {
namespace {

class Programs {
  public:
    Programs(std::uint32_t seed, bool settings, bool drops) : random_(seed), settings_(settings), drops_(drops) {}

    std::size_t below(std::size_t n) { return random_() % n; }

    // A few messages; often whole pipelines, sometimes bits of them.
    Raw messages() {
        Client client;
        const std::size_t parts = 1 + below(4);
        for (std::size_t i = 0; i < parts; ++i) {
            if (below(5) == 0) {
                client.query(simple());
                continue;
            }
            const std::size_t count = 1 + below(6);
            for (std::size_t j = 0; j < count; ++j) extended(client);
            if (below(8) == 0) client.flush();
            if (below(12) == 0) client.query(simple());
            if (below(10) != 0) client.sync();
        }
        return client.take();
    }

  private:
    std::string name() {
        static constexpr std::array<const char*, 4> names{"", "a", "b", "c"};
        return names[below(names.size())];
    }
    std::string statement() {
        switch (below(settings_ ? 13 : 10)) {
            case 0: return "BEGIN";
            case 1: return "COMMIT";
            case 2: return "ROLLBACK";
            case 3: return "ERR";
            case 4: return below(3) == 0 ? "SYNTAX" : "SELECT syntax";
            case 5: return "SELECT $";
            case 6: return below(4) == 0 ? "" : "INSERT";
            case 7: return drops_ && below(4) == 0 ? (below(2) == 0 ? "DISCARD ALL" : "DEALLOCATE ALL") : "SELECT 7";
            case 8: return "SELECT " + std::to_string(below(5));
            case 9: return "SELECT common";
            case 10: return "SET DateStyle=" + std::string(below(2) == 0 ? "German" : "SQL");
            case 11: return "SET TimeZone=" + std::string(below(2) == 0 ? "Asia/Tokyo" : "UTC");
            default: return below(2) == 0 ? "SHOW DateStyle" : "SHOW TimeZone";
        }
    }
    std::string simple() {
        std::string all = statement();
        while (below(3) == 0) all += "; " + statement();
        return all;
    }
    void extended(Client& client) {
        switch (below(9)) {
            case 0:
            case 1: client.parse(name(), statement()); break;
            case 2:
            case 3:
                if (below(4) == 0) {
                    client.bind_with(name(), "p" + std::to_string(below(9)));
                } else {
                    client.bind(name(), below(6) == 0 ? "portal" : "");
                }
                break;
            case 4:
            case 5: client.execute(below(6) == 0 ? "portal" : ""); break;
            case 6: client.describe(below(2) == 0 ? 'S' : 'P', name()); break;
            case 7: client.close(below(2) == 0 ? 'S' : 'P', name()); break;
            default: {
                const std::string of = name();
                client.parse(of, statement()).bind(of).describe('P', "").execute();
            }
        }
    }
    std::mt19937 random_;
    bool settings_, drops_;
};

struct Party {
    Party(TrackerOptions options, Session::Pick pick) : session(std::move(options), std::move(pick)) {}
    Session session;
    Server dedicated;
    std::string sent;
};

// What a client sent, for failures.
std::string sent(Bytes bytes) {
    std::string out;
    while (const auto header = peek(bytes)) {
        std::string body(wire::as_text(bytes.subspan(header_size, header->body())));
        for (char& c : body) c = c >= ' ' && c < 127 ? c : '.';
        out += std::string(1, static_cast<char>(header->type)) + "[" + body + "] ";
        bytes = bytes.subspan(header->size());
    }
    return out;
}

TrackerOptions options() {
    TrackerOptions all;
    for (const auto& [name, value] : Server().settings) all.parameters.emplace_back(name, value);
    return all;
}

// Where two conversations part.
std::string difference(const std::string& got, const std::string& expected) {
    const auto [a, b] = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
    if (a == got.end() && b == expected.end()) return {};
    const std::size_t from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, a - got.begin() - 300));
    return "...\n" + got.substr(from, 500) + "\n" + expected.substr(from, 500);
}

void run(std::uint32_t seed, bool settings, bool drops, std::size_t limit) {
    Programs programs(seed, settings, drops);
    std::vector<std::unique_ptr<Backend>> backends;
    constexpr std::size_t parties_count = 3;
    for (std::size_t i = 0; i < parties_count + 1; ++i) backends.push_back(std::make_unique<Backend>(limit));
    const auto pick = [&]() -> Backend* {
        std::vector<Backend*> free;
        for (const auto& backend : backends) {
            if (!backend->leased) free.push_back(backend.get());
        }
        return free[programs.below(free.size())];
    };
    std::vector<std::unique_ptr<Party>> parties;
    for (std::size_t i = 0; i < parties_count; ++i) parties.push_back(std::make_unique<Party>(options(), pick));
    for (int step = 0; step < 60; ++step) {
        Party& party = *parties[programs.below(parties.size())];
        const Raw bytes = programs.messages();
        party.dedicated.feed(bytes);
        const std::size_t chunk = programs.below(3) == 0 ? 1 + programs.below(20) : 0;
        party.session.send(bytes, chunk);
        if (programs.below(2) == 0) party.session.pump(programs.below(3) == 0 ? 1 + programs.below(9) : 0);
        ASSERT_FALSE(party.session.fatal) << "seed " << seed;
        if (std::getenv("PIPELINES_TRACE") != nullptr) party.sent += "\n" + sent(bytes) + " /" + std::to_string(chunk);
    }
    for (std::size_t i = 0; i < parties.size(); ++i) {
        Party& party = *parties[i];
        const Raw last = Client().sync().query("ROLLBACK").query("SELECT last").take();
        party.dedicated.feed(last);
        party.session.send(last);
        party.session.pump();
        const Raw expected = party.dedicated.take_output();
        const Raw got = party.session.received();
        ASSERT_EQ(difference(readable(got), readable(expected)), "") << "seed " << seed << " party " << i << party.sent;
        ASSERT_EQ(party.dedicated.executed.back(), "SELECT last");
        // A portal from before its transaction failed is executed behind a Bind that failed: it is not what was read.
        const bool unread = party.session.tracker.pin() == "SET of unknown outcome";
        ASSERT_EQ(party.session.tracker.attached(), unread) << "seed " << seed << " " << party.session.tracker.pin();
        for (const auto& backend : backends) {
            ASSERT_LE(backend->server.prepared.size(), limit) << "seed " << seed;
        }
    }
}

TEST(Pipelines, LookTheSameAsOnADedicatedServer) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        run(seed, false, false, 200);
        if (HasFatalFailure()) return;
    }
}

TEST(Pipelines, LookTheSameWhenBackendsHoldTwoStatementsOnly) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        run(seed, false, false, 2);
        if (HasFatalFailure()) return;
    }
}

TEST(Pipelines, LookTheSameWhenStatementsAreDroppedBySql) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        run(seed, false, true, 200);
        if (HasFatalFailure()) return;
    }
}

TEST(Pipelines, CarryReportedSettings) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        run(seed, true, true, 200);
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace leasehold::postgres::model
