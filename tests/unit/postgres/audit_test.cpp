// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/audit.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using test::Script;
using wire::errc;
using wire::Writer;

PostgresLease& empty() {
    static PostgresLease lease(200);
    return lease;
}
const auto make = [] { return std::make_unique<Audit>(empty()); };

Script asked(ByteVector reply, std::error_code end = {}) {
    const auto is_question = [](wire::Bytes sent) {
        const std::string_view text = wire::as_text(sent);
        EXPECT_EQ(text.front(), 'Q');
        EXPECT_NE(text.find("pg_catalog.pg_locks"), std::string_view::npos);
    };
    return Script().expect_write(is_question).read(std::move(reply)).expect_done(end);
}
using Values = std::vector<std::optional<std::string>>;
// A letter for each column, the first of which says what the row is about.
void row(Writer& w, std::string_view said) {
    Values values{"f"};
    for (const char c : said) values.emplace_back(std::string(1, c));
    data_row(w, values);
}
void timeout(Writer& w, std::string_view value) { data_row(w, Values{"t", std::string(value), "0"}); }
ByteVector answer(std::string_view said, char status = 'I') {
    return built([&](Writer& w) {
        command_complete(w, "SET");
        timeout(w, "0");
        row(w, said);
        command_complete(w, "SELECT 1");
        ready_for_query(w, status);
    });
}

TEST(PostgresAudit, TellsWhatTheBackendHolds) {
    for (std::size_t i = 0; i < 5; ++i) {
        std::string said = "fffff";
        said[i] = 't';
        test::play_all(asked(answer(said)), make);
        Audit audit(empty());
        test::play(asked(answer(said)), audit);
        const Found& found = audit.found();
        const bool all[] = {found.temporary, found.lock, found.cursor, found.prepared, found.listens};
        for (std::size_t k = 0; k < 5; ++k) EXPECT_EQ(all[k], k == i) << said;
        EXPECT_EQ(std::popcount(found.kinds()), 1);
    }
    Audit none(empty());
    test::play(asked(answer("fffff")), none);
    EXPECT_EQ(none.found().kinds(), 0);
    test::play_noise(asked(answer("tftft")), make, 1);
}

TEST(PostgresAudit, TakesNothingElseForAnAnswer) {
    for (const std::string_view said : {"", "ffff", "ffffff", "xffff", "fff\1f"}) {
        test::play_all(asked(answer(said), errc::protocol_violation), make);
    }
    const ByteVector twice = built([](Writer& w) {
        timeout(w, "0");
        row(w, "fffff");
        row(w, "fffff");
        ready_for_query(w, 'I');
    });
    test::play_all(asked(twice, errc::protocol_violation), make);
    test::play_all(asked(answer("fffff", 'T'), errc::protocol_violation), make);
    test::play_all(asked(built([](Writer& w) { ready_for_query(w, 'I'); }), errc::protocol_violation), make);
    const ByteVector null = built([](Writer& w) {
        timeout(w, "0");
        data_row(w, Values{"f", "f", "f", std::nullopt, "f", "f"});
        ready_for_query(w, 'I');
    });
    test::play_all(asked(null, errc::protocol_violation), make);
    const ByteVector refused = built([](Writer& w) {
        error_response(w, Severity::error, {"42501", 0, "no", false});
        ready_for_query(w, 'I');
    });
    test::play_all(asked(refused, errc::server_error), make);
}

TEST(PostgresAudit, KeepsWhatComesForTheClientMeanwhile) {
    const ByteVector first = built([](Writer& w) {
        const Framed framed(w, backend::notification);
        w.u32be(17);
        w.cstring("orders");
        w.cstring("one");
    });
    ByteVector reply = first;
    for (const ByteVector& more : {answer("fffft"), ByteVector()}) reply.insert(reply.end(), more.begin(), more.end());
    reply.insert(reply.begin(), first.begin(), first.end());
    test::play_all(asked(reply), make);
    Audit audit(empty());
    test::play(asked(reply), audit);
    ByteVector both = first;
    both.insert(both.end(), first.begin(), first.end());
    EXPECT_EQ(test::bytes_of(audit.notifications()), both);
    EXPECT_TRUE(audit.found().listens);
}

// What leasehold has set is told apart from what somebody else has, whatever the spelling.
TEST(PostgresAudit, TellsSettingsThatAreNotAsTheyWereSet) {
    PostgresLease lease(200);
    for (const auto& [name, value] : {std::pair("work_mem", "5120kB"), std::pair("lock_timeout", "1s"),
                                      std::pair("a.b", "x"), std::pair("role", "reader")}) {
        lease.held.set(name, value);
    }
    lease.reported.set("DateStyle", "ISO, MDY");
    lease.defaults.set("session_authorization", "app");
    const ByteVector reply = built([](Writer& w) {
        timeout(w, "99s");
        row(w, "fffff");
        for (const Values& each : std::vector<Values>{
                 {"s", "work_mem", "5MB", "f"},             // as it was set
                 {"s", "enable_sort", "off", "f"},          // by nobody known
                 {"s", "enable_hashjoin", "on", "t"},       // set to what is usual
                 {"s", "DateStyle", "German, DMY", "f"},    // reported
                 {"s", "transaction_isolation", "x", "f"},  // the question's
                 {"c", "work_mem", "5MB", "5MB"},           //
                 {"c", "lock_timeout", "0", "1s"},          // reset
                 {"c", "a.b", "y", "x"},                    // changed
                 {"c", "role", "none", "reader"},           // given up
                 {"c", "session_authorization", "app", "app"},
                 {"c", "statement_timeout", "0", "0"},  // 99s, as was said
                 {"x", "a.b", "y", ""},                 // known above
                 {"x", "c.d", "z", ""},
                 {"x", "e.f", "z", "z"},
             }) {
            data_row(w, each);
        }
        ready_for_query(w, 'I');
    });
    const auto fresh = [&lease] { return std::make_unique<Audit>(lease); };
    test::play_all(asked(reply), fresh);
    Audit audit(lease);
    test::play(asked(reply), audit);
    std::vector<std::string> found;
    for (const FoundSetting& each : audit.found().settings) {
        found.push_back(each.name + (each.reset ? " reset" : "=" + each.value));
    }
    const std::vector<std::string> wanted{"lock_timeout reset",    "a.b=y", "role reset",
                                          "statement_timeout=99s", "c.d=z", "enable_sort=off"};
    EXPECT_EQ(found, wanted);
}

TEST(PostgresAudit, AsksForWhatTheTextAndTheFunctionsName) {
    PostgresLease lease(200);
    lease.held.set("work_mem", "5MB");
    const std::vector<std::string> along{"here"}, shown{"q", "it's"};
    Audit audit(lease, {{"s.it's", "g"}, {"a.b"}}, along, shown);
    const auto asks = [](wire::Bytes sent) {
        const std::string_view text = wire::as_text(sent);
        for (const std::string_view part : {"('work_mem','5MB')", "('role',NULL::pg_catalog.text)", "('a.b')",
                                            "ARRAY['it''s','g']", "ALL (ARRAY['q','it''s']", "ALL (ARRAY['here']"}) {
            EXPECT_NE(text.find(part), std::string_view::npos) << part;
        }
    };
    test::play(Script().expect_write(asks).read(answer("fffff")).expect_done({}), audit);
}

TEST(PostgresAudit, TakesNoHalfRows) {
    for (const Values& wrong : std::vector<Values>{{"s", "work_mem", "5MB"},
                                                   {"s", "work_mem", std::nullopt, "f"},
                                                   {"s", "work_mem", "5MB", "maybe"},
                                                   {"c", "work_mem", std::nullopt, "5MB"},
                                                   {"c", "work_mem", "5MB", "5MB", "5MB"},
                                                   {"q", "work_mem", "5MB", "5MB"},
                                                   {"t", "0", "0"},
                                                   {}}) {
        const ByteVector reply = built([&wrong](Writer& w) {
            timeout(w, "0");
            row(w, "fffff");
            data_row(w, wrong);
            ready_for_query(w, 'I');
        });
        test::play_all(asked(reply, errc::protocol_violation), make);
    }
}

}  // namespace
}  // namespace leasehold::postgres
