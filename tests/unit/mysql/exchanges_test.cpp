// SPDX-License-Identifier: Apache-2.0
// The commands of our own on a backend, played by script: whole, byte by byte, broken off at every step, fed with noise.
#include "dialects/mysql/align.hpp"
#include "dialects/mysql/drain.hpp"
#include "dialects/mysql/finish.hpp"
#include "dialects/mysql/ping.hpp"
#include "dialects/mysql/reset.hpp"
#include "tests/support/exchange_script.hpp"
#include "tests/unit/mysql/packets.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using leasehold::test::bytes_of;
using leasehold::test::play;
using leasehold::test::play_all;
using leasehold::test::play_hostile;
using leasehold::test::play_noise;
using leasehold::test::Script;
using wire::errc;

const Raw too_long = packet(Raw(70000, 0xFF), 1);

TEST(MysqlPing, IsAnsweredOutsideATransaction) {
    const auto make = [] { return std::make_unique<Ping>(false); };
    const Script script = Script().expect_write(command(14)).read(ok(1)).expect_done();
    play_all(script, make);
    play_noise(script, make, 5);
    play_hostile(script, make, rows("1", in_trans));
    play_hostile(script, make, too_long);
    play_hostile(script, make, err(1, 1927));
}

TEST(MysqlPing, AnAnswerFromWithinATransactionIsAnError) {
    play_all(Script().expect_write(command(14)).read(ok(1, in_trans)).expect_done(errc::protocol_violation),
             [] { return std::make_unique<Ping>(false); });
}

TEST(MysqlPing, WhatComesBehindTheAnswerIsLeftAlone) {
    Ping ping(false);
    play(Script().expect_write(command(14)).read(ok(1) + raw("more")).expect_done().leaving(raw("more")), ping);
}

TEST(MysqlReset, ResetsTheConnection) {
    play_all(Script().expect_write(command(31)).read(ok(1)).expect_done(),
             [] { return std::make_unique<Reset>(true); });
    Reset refused(false);
    play(Script()
             .expect_write(command(31))
             .read(err(1, 1047, "08S01", "Unknown command"))
             .expect_done(errc::server_error),
         refused);
    EXPECT_EQ(refused.diagnostics().number, 1047);
    EXPECT_TRUE(refused.diagnostics().from_server);
}

TEST(MysqlFinish, CommitsOrRollsBack) {
    play_all(Script().expect_write(query("COMMIT")).read(ok(1)).expect_done(),
             [] { return std::make_unique<Finish>(true, false); });
    play_all(Script().expect_write(query("ROLLBACK")).read(ok(1, in_trans)).expect_done(errc::protocol_violation),
             [] { return std::make_unique<Finish>(false, false); });
}

TEST(MysqlReset, TellsTheConnectionInTheSameRoundWhatItForgets) {
    const std::vector<std::string> then{"SET a=1", "SET b=2"};
    const auto make = [&] { return std::make_unique<Reset>(true, then); };
    const Raw sent = command(31) + query("SET a=1") + query("SET b=2");
    play_all(Script().expect_write(sent).read(ok(1) + ok(1) + ok(1)).expect_done(), make);
    play_all(Script().expect_write(sent).read(ok(1) + err(1, 1273) + ok(1)).expect_done(errc::server_error), make);
}

// Neither server's COM_RESET_CONNECTION ends a SET ROLE.
TEST(MysqlReset, FailsWhereARoleOutlivesIt) {
    for (const bool mariadb : {true, false}) {
        const std::vector<std::string> then{std::string(role_check(mariadb)), "SET track=1"};
        const auto make = [&] { return std::make_unique<Reset>(false, then); };
        const Raw sent = command(31) + query(then.front()) + query("SET track=1");
        play_all(Script().expect_write(sent).read(ok(1) + ok(1) + ok(1)).expect_done(), make);
        play_all(Script().expect_write(sent).read(ok(1) + err(1, 1649) + ok(1)).expect_done(errc::server_error), make);
        EXPECT_NE(then.front().find("CURRENT_ROLE()"), std::string::npos);
    }
}

TEST(MysqlReset, KnowsTheRoleOfTheLogin) {
    EXPECT_NE(role_check(true).find("CURRENT_ROLE() IS NULL"), std::string::npos);
    EXPECT_NE(role_check(false).find("CURRENT_ROLE()='NONE'"), std::string::npos);
    EXPECT_NE(role_check(true, "reader").find("CURRENT_ROLE()='reader'"), std::string::npos);
    EXPECT_NE(role_check(false, "`a`@`%`").find("CURRENT_ROLE()='`a`@`%`'"), std::string::npos);
    EXPECT_NE(role_check(true, "a'b").find("CURRENT_ROLE()=''"), std::string::npos) << "never equal";
}

TEST(MysqlAlign, ChoosesTheRoleInFrontOfTheDatabase) {
    Settings wanted;
    wanted.set(role_key, "`r`");
    wanted.database = "shop";
    MysqlLease lease;
    const Alignment plan = lease.plan_for(wanted);
    EXPECT_EQ(plan.role, "SET ROLE `r`");
    EXPECT_FALSE(plan.reset);
    EXPECT_EQ(plan.sql, "");
    const auto make = [&] { return std::make_unique<Align>(plan, false); };
    const Raw sent = query("SET ROLE `r`") + command(2, "shop");
    play_all(Script().expect_write(sent).read(ok(1) + ok(1)).expect_done(), make);
    play_all(Script().expect_write(sent).read(err(1, 3530) + ok(1)).expect_done(errc::settings_refused), make);
    // The next session has none, or that of its login; a reset leaves it.
    lease.held = wanted;
    lease.forget();
    EXPECT_EQ(lease.plan_for(Settings()).role, "SET ROLE NONE");
    lease.login_role = "`a`@`%`";
    EXPECT_EQ(lease.plan_for(Settings()).role, "SET ROLE `a`@`%`");
    lease.mariadb = true;
    lease.login_role = "a b";
    EXPECT_EQ(lease.plan_for(Settings()).role, "SET ROLE `a b`");
}

TEST(MysqlAlign, GivesTheCharacterSetsOfAHandshakeByNumberInFrontOfTheSettings) {
    Alignment plan;
    plan.track = "SET track=1";
    plan.charset = 46;
    plan.sql = "SET NAMES latin1";
    const Raw sent = query("SET SESSION collation_connection=46") +
                     query(
                         "SET SESSION character_set_client=@@character_set_connection, "
                         "character_set_results=@@character_set_connection "
                         "/*!50700 , character_set_client=46, character_set_results=46 */") +
                     query("SET NAMES latin1") + query("SET track=1");
    play_all(Script().expect_write(sent).read(ok(1) + ok(1) + ok(1) + ok(1)).expect_done(),
             [&] { return std::make_unique<Align>(plan, false); });
    Align unknown(plan, false);
    play(Script().expect_write(sent).read(err(1, 1273) + ok(1) + ok(1) + ok(1)).expect_done(errc::settings_refused),
         unknown);
    EXPECT_TRUE(unknown.charset_refused());
    plan.charset = 0;
    Align servers(plan, false);
    play(Script()
             .expect_write(query("SET SESSION character_set_client=@@global.character_set_client, "
                                 "character_set_results=@@global.character_set_results, "
                                 "collation_connection=@@global.collation_connection") +
                           query("SET NAMES latin1") + query("SET track=1"))
             .read(ok(1) + ok(1) + ok(1))
             .expect_done(),
         servers);
}

TEST(MysqlAlign, ResetsThenNamesTheDatabaseThenSets) {
    Alignment plan;
    plan.reset = true;
    plan.sql = "SET NAMES utf8mb4";
    plan.database = "other";
    const auto make = [&] { return std::make_unique<Align>(plan, false); };
    const Raw sent = command(31) + command(2, "other") + query("SET NAMES utf8mb4");
    play_all(Script().expect_write(sent).read(ok(1) + ok(1)).read(ok(1)).expect_done(), make);
    Align refused(plan, false);
    play(Script()
             .expect_write(sent)
             .read(ok(1) + err(1, 1049, "42000", "Unknown database 'other'") + ok(1))
             .expect_done(errc::settings_refused),
         refused);
    EXPECT_TRUE(refused.database_refused());
    EXPECT_EQ(refused.diagnostics().message, "Unknown database 'other'");
    Align bad_set(plan, false);
    play(Script().expect_write(sent).read(ok(1) + ok(1) + err(1, 1231)).expect_done(errc::settings_refused), bad_set);
    EXPECT_FALSE(bad_set.database_refused());
}

TEST(MysqlDrain, ReadsWhatIsOwedAndNoMore) {
    for (const Shape shape : {Shape::query, Shape::simple}) {
        MysqlLease lease;
        lease.due = {{shape, Due::For::client}, {Shape::simple, Due::For::ping}};
        Drain drain(lease);
        play(Script()
                 .read((shape == Shape::query ? rows("1", in_trans) : ok(1, in_trans)) + ok(1) + raw("x"))
                 .expect_done()
                 .leaving(raw("x")),
             drain);
        EXPECT_FALSE(lease.outstanding());
        EXPECT_FALSE(lease.in_transaction());
    }
    MysqlLease lease;
    lease.due = {{Shape::query, Due::For::client}};
    Drain failed(lease);
    play(Script().read(err(1, 1317)).expect_done(), failed);
    EXPECT_TRUE(lease.in_transaction()) << "after an error nobody knows: it is rolled back";
}

TEST(MysqlDrain, GoesOnInTheMiddleOfAReplyAndGivesUpOnAFile) {
    MysqlLease lease;
    lease.due = {{Shape::query, Due::For::client}};
    const Raw bytes = rows("abc");
    lease.reply.start(Shape::query, false);
    std::size_t at = 0;
    (void)lease.reply.advance(Bytes(bytes).first(20), at);
    Drain drain(lease);
    play(Script().read(Raw(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end())).expect_done(), drain);
    MysqlLease waits;
    waits.due = {{Shape::query, Due::For::client}};
    Drain file(waits);
    play(Script()
             .read(packet(raw("\xFB"
                              "f"),
                          1))
             .expect_done(errc::unsupported),
         file);
}

}  // namespace
}  // namespace leasehold::mysql
