// SPDX-License-Identifier: Apache-2.0
// What brought other poolers down, case by case; the fuzz targets (tests/fuzz) look for more of the kind.
#include "dialects/postgres/handshake.hpp"
#include "dialects/postgres/ping.hpp"
#include "dialects/postgres/tracker.hpp"
#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::bytes_of;
using test::ByteVector;
using wire::Writer;

// PgBouncer, CVE-2026-6664: the length of a packet overflowed the integer that it was added to.
TEST(PostgresHostile, RefusesALengthThatOverflowsByItsFourBytesAlone) {
    for (const std::uint32_t length : {0u, 3u, 7u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFCu, 0xFFFFFFFFu}) {
        const ByteVector four = built([&](Writer& w) { w.u32be(length); });
        ClientStartup startup;
        const wire::Action action = startup.resume(four, {});
        EXPECT_EQ(action.kind, wire::Action::Kind::done) << length;
        EXPECT_TRUE(action.error) << length;
        EXPECT_EQ(startup.diagnostics().sqlstate, "08P01") << length;

        Tracker tracker({});
        wire::Outbox to_backend, to_client;
        const ByteVector query = built([&](Writer& w) {
            w.u8('Q');
            w.u32be(length);
        });
        const wire::Verdict verdict = tracker.from_client(query, to_backend, to_client);
        if (length != 7) {  // that is a query's beginning
            EXPECT_EQ(verdict.kind, wire::Verdict::Kind::fatal) << length;
        }
        EXPECT_TRUE(to_backend.empty());
    }
}

// PgBouncer, CVE-2026-6665: what fits into no buffer was put into one all the same (strlcat's result was not looked at).
TEST(PostgresHostile, KeepsNamesAsLongAsThePacketAllows) {
    const std::string user(4000, 'u'), database(4000, 'd');
    ClientStartup startup;
    const ByteVector packet = built([&](Writer& w) {
        const Parameters all{{"user", user}, {"database", database}};
        w.u32be(static_cast<std::uint32_t>(8 + 5 + user.size() + 1 + 9 + database.size() + 1 + 1));
        w.u32be(3u << 16);
        for (const auto& [name, value] : all) {
            w.cstring(name);
            w.cstring(value);
        }
        w.u8(0);
    });
    const wire::Action action = startup.resume(packet, {});
    EXPECT_EQ(action.kind, wire::Action::Kind::done);
    EXPECT_FALSE(action.error) << startup.diagnostics().message;
    EXPECT_EQ(startup.startup().user, user);
    EXPECT_EQ(startup.startup().database, database);
}

// PgBouncer, CVE-2026-6666: the SQLSTATE that an error did not have was read.
TEST(PostgresHostile, ReadsAnErrorWithoutASqlstateOrWithoutAnything) {
    const auto after = [](std::string_view fields) {
        return built([&](Writer& w) {
            w.u8('E');
            w.u32be(static_cast<std::uint32_t>(fields.size() + 4));
            w.text(fields);
            w.text(std::string_view("Z\0\0\0\5I", 6));
        });
    };
    using namespace std::string_view_literals;
    for (const std::string_view fields :
         {"SERROR\0Modd\0\0"sv, "Modd\0\0"sv, "\0"sv, ""sv, "SERROR"sv, "C\0\0"sv, "C4\0Mx\0\0"sv}) {
        Ping ping;
        (void)ping.resume({}, {});
        const wire::Action action = ping.resume(after(fields), {});
        EXPECT_EQ(action.kind, wire::Action::Kind::done);
        EXPECT_EQ(action.error, wire::errc::server_error) << fields;
    }
}

// Found by fuzzing: the beginning of a row that answers nothing left the client without the last words.
TEST(PostgresHostile, SaysWhyItEndsASessionWhoseServerSendsHalfARowUnasked) {
    Tracker tracker({});
    PostgresLease lease(10);
    tracker.attach(lease);
    wire::Outbox to_backend, to_client;
    const ByteVector half = bytes_of(std::string_view("D\0\1\0\0\0\1", 7));
    EXPECT_EQ(tracker.from_backend(half, to_client, to_backend).kind, wire::Verdict::Kind::fatal);
    ByteVector words;
    to_client.flatten(words);
    EXPECT_NE(test::shown(words).find("08P01"), std::string::npos) << test::shown(words);
}

// Found by an attacking server: names without end were kept for ever, in sorted order.
TEST(PostgresHostile, EndsASessionWhoseServerReportsParametersWithoutEnd) {
    Tracker tracker({});
    PostgresLease lease(10);
    tracker.attach(lease);
    wire::Outbox to_backend, to_client;
    wire::Verdict verdict;
    for (int n = 0; n < 100'000 && verdict.kind != wire::Verdict::Kind::fatal; ++n) {
        const ByteVector status = built([n](Writer& w) { parameter_status(w, "hostile_" + std::to_string(n), "x"); });
        verdict = tracker.from_backend(status, to_client, to_backend);
        to_client.clear();
    }
    EXPECT_EQ(verdict.kind, wire::Verdict::Kind::fatal);
    EXPECT_LT(lease.reported.size(), 2000u);
}

}  // namespace
}  // namespace leasehold::postgres
