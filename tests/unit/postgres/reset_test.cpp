// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/reset.hpp"
#include "dialects/postgres/align.hpp"
#include "dialects/postgres/finish.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using test::Script;
using wire::errc;
using wire::Writer;

Script round(std::string_view sql, ByteVector reply, std::error_code end = {}) {
    return Script().expect_write(built([sql](Writer& w) { query(w, sql); })).read(std::move(reply)).expect_done(end);
}
ByteVector done_with(std::string_view tag, char status = 'I') {
    return built([&](Writer& w) {
        command_complete(w, tag);
        ready_for_query(w, status);
    });
}
ByteVector failed_with(std::string state, char status = 'I') {
    return built([&](Writer& w) {
        error_response(w, Severity::error, {state, 0, "no", false});
        ready_for_query(w, status);
    });
}

TEST(PostgresReset, DiscardsAllAndCollectsWhatThatChanged) {
    const auto make = [] { return std::make_unique<Reset>(); };
    ByteVector reply = built([](Writer& w) {
        parameter_status(w, "TimeZone", "UTC");
        parameter_status(w, "application_name", "");
    });
    const ByteVector rest = done_with("DISCARD ALL");
    reply.insert(reply.end(), rest.begin(), rest.end());
    test::play_all(round("DISCARD ALL", reply), make);
    Reset reset;
    test::play(round("DISCARD ALL", reply), reset);
    EXPECT_EQ(reset.changes(), (Changes{{"TimeZone", "UTC"}, {"application_name", ""}}));
    test::play_all(round("DISCARD ALL", failed_with("25001"), errc::server_error), make);
    test::play_all(round("DISCARD ALL", done_with("SET"), errc::protocol_violation), make);
    test::play_all(round("DISCARD ALL", done_with("DISCARD ALL", 'T'), errc::protocol_violation), make);
    test::play_noise(round("DISCARD ALL", reply), make, 1);
}

TEST(PostgresUnlisten, HearsNoMore) {
    const auto make = [] { return std::make_unique<Unlisten>(); };
    ByteVector reply = built([](Writer& w) {
        const Framed framed(w, backend::notification);
        w.u32be(7);
        w.cstring("news");
        w.cstring("of somebody");
    });
    const ByteVector rest = done_with("UNLISTEN");
    reply.insert(reply.end(), rest.begin(), rest.end());
    test::play_all(round("UNLISTEN *", reply), make);
    test::play_all(round("UNLISTEN *", failed_with("25006"), errc::server_error), make);
    test::play_all(round("UNLISTEN *", done_with("DISCARD ALL"), errc::protocol_violation), make);
    test::play_all(round("UNLISTEN *", done_with("UNLISTEN", 'E'), errc::protocol_violation), make);
    test::play_noise(round("UNLISTEN *", reply), make, 1);
}

TEST(PostgresFinish, EndsATransactionAndSaysWhatBecameOfIt) {
    for (const bool commit : {true, false}) {
        const auto make = [commit] { return std::make_unique<Finish>(commit); };
        const std::string sql = commit ? "COMMIT" : "ROLLBACK";
        test::play_all(round(sql, done_with(sql)), make);
        test::play_all(round(sql, failed_with("40001"), errc::server_error), make);
        test::play_all(round(sql, done_with("SELECT 1"), errc::protocol_violation), make);
        test::play_all(round(sql, done_with(sql, 'T'), errc::protocol_violation), make);
        // A stale ReadyForQuery before the reply is not taken for it.
        test::play_all(round(sql, built([](Writer& w) { ready_for_query(w, 'I'); }), errc::protocol_violation), make);
    }
    Finish finish(true);
    test::play(round("COMMIT", done_with("ROLLBACK")), finish);
    EXPECT_EQ(finish.tag(), "ROLLBACK");
}

TEST(PostgresAlign, WritesTheDifferenceAndKeepsTheServersRefusal) {
    Settings held, wanted;
    ASSERT_TRUE(held.set("work_mem", "1MB"));
    ASSERT_TRUE(wanted.set("search_path", "a"));
    const std::string sql = "RESET \"work_mem\";SELECT pg_catalog.set_config('search_path','a',false);";
    const auto make = [&] { return std::make_unique<Align>(held, wanted); };
    const std::optional<std::string> row[] = {"a"};
    const Field field[] = {{"set_config", type_oid::text}};
    const ByteVector reply = built([&](Writer& w) {
        command_complete(w, "RESET");
        row_description(w, field);
        data_row(w, row);
        command_complete(w, "SELECT 1");
        parameter_status(w, "search_path", "a");
        ready_for_query(w, 'I');
    });
    test::play_all(round(sql, reply), make);
    test::play_all(round(sql, failed_with("42501"), errc::settings_refused), make);
    test::play_all(round(sql, done_with("SELECT 1", 'E'), errc::protocol_violation), make);
    test::play_all(round(sql, built([](Writer& w) { ready_for_query(w, 'I'); }), errc::protocol_violation), make);
    Align align(held, wanted);
    test::play(round(sql, failed_with("42501"), errc::settings_refused), align);
    EXPECT_EQ(align.diagnostics().sqlstate, "42501");
    EXPECT_TRUE(align.diagnostics().from_server);
}

}  // namespace
}  // namespace leasehold::postgres
