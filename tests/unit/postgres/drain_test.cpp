// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/drain.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using test::Script;
using wire::errc;
using wire::Writer;
using Request = Unfinished::Request;

auto drain_of(Unfinished unfinished) {
    return [unfinished] { return std::make_unique<Drain>(unfinished); };
}
ByteVector rows_and_ready(char status, std::size_t row_size = 10) {
    return built([&](Writer& w) {
        const std::optional<std::string> row[] = {std::string(row_size, 'x')};
        data_row(w, row);
        command_complete(w, "SELECT 1");
        ready_for_query(w, status);
    });
}
ByteVector copy_in_response() { return {'G', 0, 0, 0, 7, 0, 0, 0}; }
ByteVector failed(char status) {
    return built([&](Writer& w) {
        error_response(w, Severity::error, {"57014", 0, "COPY from stdin failed", false});
        ready_for_query(w, status);
    });
}
// A Sync alone would commit what was executed before it.
ByteVector undo_and_sync() {
    return built([](Writer& w) {
        bind_message(w, "", "lh_0");
        sync(w);
    });
}
ByteVector fail_copy(bool with_sync) {
    return built([&](Writer& w) {
        copy_fail(w, "the session ended");
        if (with_sync) sync(w);
    });
}

TEST(PostgresDrain, NothingDueIsDoneAtOnce) {
    Drain drain({});
    test::play(Script().expect_done(), drain);
    EXPECT_EQ(drain.status(), 0);
}

TEST(PostgresDrain, ReadsToTheLastReadyForQueryAndNoFurther) {
    const Unfinished two{0, {Request::simple, Request::extended}, false, false};
    ByteVector bytes = rows_and_ready('T', 200);
    const ByteVector second = rows_and_ready('E');
    bytes.insert(bytes.end(), second.begin(), second.end());
    test::play_all(Script().read(bytes).expect_done(), drain_of(two));
    bytes.push_back('Z');
    Drain drain(two);
    test::play(Script().read(bytes).expect_done().leaving({'Z'}), drain);
    EXPECT_EQ(drain.status(), 'E');
}

TEST(PostgresDrain, BeginsInTheMiddleOfABody) {
    // A row of which the client had got all but five bytes when it went away; what is in them means nothing.
    ByteVector bytes{'Z', 0, 0, 0, 5};
    const ByteVector rest = rows_and_ready('I');
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    test::play_all(Script().read(bytes).expect_done(), drain_of({5, {Request::simple}, false, false}));
}

TEST(PostgresDrain, EndsAnExtendedQueryWithItsSync) {
    const auto make = drain_of({0, {}, true, false});
    test::play_all(Script().expect_write(undo_and_sync()).read(rows_and_ready('T')).expect_done(), make);
}

TEST(PostgresDrain, EndsAnOpenCopy) {
    test::play_all(Script().expect_write(fail_copy(false)).read(failed('E')).expect_done(),
                   drain_of({0, {Request::simple}, false, true}));
    // The extended protocol's COPY swallows a Sync that was sent behind it: one more is needed, and one reply is due.
    test::play_all(Script().expect_write(fail_copy(true)).read(failed('I')).expect_done(),
                   drain_of({0, {Request::extended}, false, true}));
    test::play_all(Script().expect_write(fail_copy(true)).read(failed('I')).expect_done(),
                   drain_of({0, {}, true, true}));
}

TEST(PostgresDrain, EndsACopyThatBeginsMeanwhile) {
    test::play_all(Script().read(copy_in_response()).expect_write(fail_copy(false)).read(failed('I')).expect_done(),
                   drain_of({0, {Request::simple}, false, false}));
    test::play_all(Script().expect_write(undo_and_sync()).read(copy_in_response()).read(failed('I')).expect_done(),
                   drain_of({0, {}, true, false}));
}

TEST(PostgresDrain, GivesUpWhereItCannotCount) {
    const Unfinished two{0, {Request::simple, Request::simple}, false, false};
    test::play_all(Script().read(copy_in_response()).expect_done(errc::unsupported), drain_of(two));
    for (const Unfinished& unfinished : {Unfinished{0, {Request::simple, Request::simple}, false, true},
                                         Unfinished{0, {Request::simple}, true, true}}) {
        Drain drain(unfinished);
        test::play(Script().expect_done(errc::unsupported), drain);
    }
    test::play_all(Script().read({'W', 0, 0, 0, 7, 0, 0, 0}).expect_done(errc::unsupported),
                   drain_of({0, {Request::simple}, false, false}));
}

TEST(PostgresDrain, KeepsTheErrorThatCameOnTheWay) {
    Drain drain({0, {Request::simple}, false, false});
    test::play(Script()
                   .read(built([](Writer& w) {
                       parameter_status(w, "TimeZone", "UTC");
                       error_response(w, Severity::fatal, {"57P01", 0, "shutdown", false});
                   }))
                   .read_end()
                   .expect_done(errc::closed),
               drain);
    EXPECT_EQ(drain.diagnostics().sqlstate, "57P01");
    EXPECT_EQ(drain.changes(), (Changes{{"TimeZone", "UTC"}}));
}

TEST(PostgresDrain, HostileServersAreNotWaitedFor) {
    const auto make = drain_of({0, {Request::simple}, false, false});
    const Script script = Script().read(rows_and_ready('I')).expect_done();
    test::play_hostile(script, make, {'p'});
    test::play_hostile(script, make, {'D', 0, 0, 0, 3});
    test::play_hostile(script, make, {'Z', 0, 0, 0, 5, 'x'});
    test::play_noise(script, make, 9, 2000);
}

// Settings of ours stand in front of a Query, and a cancel hits them: the Query is skipped, up to the Sync sent here.
TEST(Drain, CountsNoReplyOfWhatIsSkippedWithTheSettingsInFront) {
    const Unfinished unfinished{0, {Request::simple}, true, false, 2};
    const ByteVector done = built([](Writer& w) { command_complete(w, "BEGIN"); });
    const ByteVector stands = built([](Writer& w) { command_complete(w, "COMMIT"); });
    test::play_all(Script().expect_write(undo_and_sync()).read(done).read(failed('E')).expect_done(),
                   drain_of(unfinished));
    test::play_all(Script()
                       .expect_write(undo_and_sync())
                       .read(done)
                       .read(stands)
                       .read(rows_and_ready('I'))
                       .read(failed('I'))
                       .expect_done(),
                   drain_of(unfinished));
    const Unfinished synced{0, {Request::extended}, false, false, 2};
    test::play_all(Script().read(done).read(failed('E')).expect_done(), drain_of(synced));
}

}  // namespace
}  // namespace leasehold::postgres
