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

const auto make = [] { return std::make_unique<Audit>(); };

Script asked(ByteVector reply, std::error_code end = {}) {
    const auto is_question = [](wire::Bytes sent) {
        const std::string_view text = wire::as_text(sent);
        EXPECT_EQ(text.front(), 'Q');
        EXPECT_NE(text.find("pg_catalog.pg_locks"), std::string_view::npos);
    };
    return Script().expect_write(is_question).read(std::move(reply)).expect_done(end);
}
void row(Writer& w, std::string_view said) {
    std::vector<std::optional<std::string>> values;
    for (const char c : said) values.emplace_back(std::string(1, c));
    data_row(w, values);
}
ByteVector answer(std::string_view said, char status = 'I') {
    return built([&](Writer& w) {
        command_complete(w, "SET");
        command_complete(w, "SET");
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
        Audit audit;
        test::play(asked(answer(said)), audit);
        const Found& found = audit.found();
        const bool all[] = {found.temporary, found.lock, found.cursor, found.prepared, found.listens};
        for (std::size_t k = 0; k < 5; ++k) EXPECT_EQ(all[k], k == i) << said;
        EXPECT_EQ(std::popcount(found.kinds()), 1);
    }
    Audit none;
    test::play(asked(answer("fffff")), none);
    EXPECT_EQ(none.found().kinds(), 0);
    test::play_noise(asked(answer("tftft")), make, 1);
}

TEST(PostgresAudit, TakesNothingElseForAnAnswer) {
    for (const std::string_view said : {"", "ffff", "ffffff", "xffff", "fff\1f"}) {
        test::play_all(asked(answer(said), errc::protocol_violation), make);
    }
    const ByteVector twice = built([](Writer& w) {
        row(w, "fffff");
        row(w, "fffff");
        ready_for_query(w, 'I');
    });
    test::play_all(asked(twice, errc::protocol_violation), make);
    test::play_all(asked(answer("fffff", 'T'), errc::protocol_violation), make);
    test::play_all(asked(built([](Writer& w) { ready_for_query(w, 'I'); }), errc::protocol_violation), make);
    const ByteVector null = built([](Writer& w) {
        const std::optional<std::string> values[] = {"f", "f", std::nullopt, "f", "f"};
        data_row(w, values);
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
    Audit audit;
    test::play(asked(reply), audit);
    ByteVector both = first;
    both.insert(both.end(), first.begin(), first.end());
    EXPECT_EQ(test::bytes_of(audit.notifications()), both);
    EXPECT_TRUE(audit.found().listens);
}

}  // namespace
}  // namespace leasehold::postgres
