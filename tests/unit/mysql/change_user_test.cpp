// SPDX-License-Identifier: Apache-2.0
// A client's COM_CHANGE_USER: how it is read, that the daemon is sent on an errand with it, and that who asks anew is asked
// for an answer to a new salt.
#include "dialects/mysql/handshake.hpp"
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;
using Errand = wire::Errand;

constexpr Capabilities modern = cap::protocol_41 | cap::secure_connection | cap::plugin_auth | cap::connect_attrs;

// user, answer, database, character set, plugin, attributes
std::string body(std::string_view user, std::string_view database, std::string_view plugin,
                 std::uint16_t charset = 45) {
    wire::Writer out;
    out.cstring(user);
    out.u8(3);
    out.text("abc");
    out.cstring(database);
    out.u16le(charset);
    out.cstring(plugin);
    wire::Writer pairs;
    pairs.lenenc_text("program_name");
    pairs.lenenc_text("till");
    out.lenenc(pairs.size());
    out.append(pairs.bytes());
    return std::string(wire::as_text(out.bytes()));
}

Raw change_user(std::string_view user, std::string_view database, std::string_view plugin) {
    return command(17, body(user, database, plugin));
}

TEST(MysqlChangeUser, IsReadByTheCapabilitiesOfItsConnection) {
    const std::string sent = body("bob", "annex", "caching_sha2_password");
    const auto read = parse_change_user(wire::as_bytes(sent), modern);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->capabilities, modern);
    EXPECT_EQ(read->user, "bob");
    EXPECT_EQ(read->authentication, "abc");
    EXPECT_EQ(read->database, "annex");
    EXPECT_EQ(read->charset, 45);
    EXPECT_EQ(read->plugin, "caching_sha2_password");
    EXPECT_EQ(read->program_name, "till");
    const auto old = parse_change_user(wire::as_bytes(sent), cap::protocol_41);
    EXPECT_EQ(old->plugin, "");
    EXPECT_EQ(old->program_name, "");
    EXPECT_EQ(parse_change_user(wire::as_bytes(body("bob", "annex", "", 2304)), modern)->charset, 0);
}

TEST(MysqlChangeUser, CutAnywhereItIsNothingOrWhatStandsInFrontOfTheCut) {
    const std::string whole = body("bob", "annex", "caching_sha2_password");
    const std::size_t database = whole.find("annex") + 6;
    for (std::size_t n = 0; n < whole.size(); ++n) {
        const auto read = parse_change_user(wire::as_bytes(whole).first(n), modern);
        if (n < database) {
            EXPECT_FALSE(read) << n;
            continue;
        }
        if (!read) continue;
        EXPECT_EQ(read->user, "bob");
        EXPECT_EQ(read->database, "annex");
    }
    // A length that points behind the end.
    EXPECT_FALSE(parse_change_user(wire::as_bytes(std::string_view("bob\0\xffshop\0\x2d\0", 12)), modern));
}

TEST(MysqlChangeUser, ReadsWhatLeaseholdItselfSendsToServers) {
    ServerLoginParams params;
    params.user = "app";
    params.database = "shop";
    params.capabilities = modern;
    params.charset = 8;
    params.program_name = "leasehold shop";
    ChangeUser ours(params);
    const wire::Action action = ours.resume({}, {});
    ASSERT_EQ(action.kind, wire::Action::Kind::write);
    const auto read = parse_change_user(action.output.subspan(5), modern);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->user, "app");
    EXPECT_EQ(read->database, "shop");
    EXPECT_EQ(read->charset, 8);
    EXPECT_EQ(read->plugin, native_password);
    EXPECT_EQ(read->program_name, "leasehold shop");
}

// --- the tracker -----------------------------------------------------------------------------------------------

// Whole, and byte by byte.
class MysqlTrackerChangeUser : public ::testing::TestWithParam<bool> {
  protected:
    static PlayedSession session() {
        TrackerOptions options;
        options.capabilities = modern;
        return PlayedSession(std::move(options), GetParam());
    }
};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlTrackerChangeUser, ::testing::Values(false, true));  // 0: whole, 1: byte by byte

TEST_P(MysqlTrackerChangeUser, IsTheDaemonsBusinessInATransactionToo) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.take_client();
    s.take_backend();
    s.client(change_user("bob", "annex", "caching_sha2_password"));
    EXPECT_EQ(s.last, Kind::errand);
    EXPECT_EQ(s.tracker.errand().kind, Errand::Kind::log_in_again);
    EXPECT_EQ(s.tracker.errand().request, body("bob", "annex", "caching_sha2_password"));
    EXPECT_TRUE(s.held.empty());
    EXPECT_TRUE(s.take_client().empty());
    EXPECT_TRUE(s.take_backend().empty());
    // As at a session's end the transaction goes to the pool with its backend.
    s.tracker.detach();
    EXPECT_TRUE(s.backend->in_transaction());
}

TEST_P(MysqlTrackerChangeUser, WaitsForTheReplyInFrontOfIt) {
    PlayedSession s(session());
    s.client(query("SELECT 1"));
    s.client(change_user("bob", "annex", "mysql_native_password"));
    EXPECT_EQ(s.last, Kind::more);
    EXPECT_NE(s.tracker.errand().kind, Errand::Kind::log_in_again);
    s.server(rows("1"));
    EXPECT_EQ(s.take_client(), rows("1"));
    EXPECT_EQ(s.tracker.errand().kind, Errand::Kind::log_in_again);
}

TEST_P(MysqlTrackerChangeUser, MalformedItIsAnUnknownCommandAndTheSessionLives) {
    PlayedSession s(session());
    for (const std::string_view sent : {std::string_view(), std::string_view("bob"), std::string_view("bob\0", 4),
                                        std::string_view("bob\0\x7fgone", 9), std::string_view("bob\0\0shop", 9)}) {
        s.client(command(17, std::string(sent)));
        EXPECT_EQ(s.client_error(), 1047);
        EXPECT_EQ(s.last, Kind::more);
    }
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.take_backend(), query("SELECT 1"));
}

TEST_P(MysqlTrackerChangeUser, NobodyNeedsOneOf128KiB) {
    PlayedSession s(session());
    s.client(command(17, std::string(128 * 1024, 'x')));
    EXPECT_EQ(s.client_error(), 1153);
    EXPECT_EQ(s.last, Kind::fatal);
}

TEST_P(MysqlTrackerChangeUser, EndsATransactionThatIsLostWithoutAWordOfIt) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.take_client();
    ASSERT_EQ(s.tracker.lose({wire::Loss::Kind::backend, "gone", false}, s.out_client), wire::Aftermath::lives);
    s.tracker.detach();
    s.client(change_user("bob", "annex", "mysql_native_password"));
    EXPECT_EQ(s.last, Kind::errand);
    EXPECT_TRUE(s.take_client().empty());
}

// --- the login ---------------------------------------------------------------------------------------------------

struct Asked {
    std::string plugin;
    Salt salt{};
    std::uint8_t sequence = 0;
};

Asked asked_by(const wire::Action& action) {
    Asked asked;
    const Packet packet = first_packet(action.output, 1024);
    const auto request = parse_auth_switch(packet.payload);
    if (!request) return asked;
    asked.sequence = packet.sequence;
    asked.plugin = request->plugin;
    std::copy_n(request->data.begin(), asked.salt.size(), asked.salt.begin());
    return asked;
}

// Whether the answer to the salt that is sent now, or to the one before, lets the client in.
struct Tried {
    Asked asked;
    bool in_by_new = false, in_by_old = false;
    int number = 0;  // of the refusal
};

wire::Bytes packet_of(wire::Writer& out, std::string_view answer) {
    out.clear();
    const std::size_t mark = begin_packet(out, 2);
    out.text(answer);
    end_packet(out, mark);
    return out.bytes();
}

Tried tried_by(std::string_view plugin) {
    HandshakeResponse again;
    again.capabilities = modern;
    again.user = "bob";
    again.plugin = plugin;
    Salt before{};
    before.fill('s');
    const auto answer = [&](const Salt& salt) {
        return plugin == native_password ? native_answer("secret", salt) : sha2_answer("secret", salt);
    };
    again.authentication = answer(before);
    Tried tried;
    wire::Writer out;
    for (const bool old : {false, true}) {
        ClientGreeting over(again, before, std::nullopt);
        ClientAuthentication asks({ClientCredential::Kind::password, "secret"}, over.hello("192.0.2.7", false));
        tried.asked = asked_by(asks.resume({}, {}));
        EXPECT_EQ(asks.resume({}, {}).kind, wire::Action::Kind::read);
        wire::Action end = asks.resume(packet_of(out, answer(old ? before : tried.asked.salt)), {});
        while (end.kind == wire::Action::Kind::write) end = asks.resume({}, {});
        EXPECT_EQ(end.kind, wire::Action::Kind::done);
        (old ? tried.in_by_old : tried.in_by_new) = !end.error;
        if (end.error) tried.number = asks.diagnostics().number;
    }
    if (tried.asked.salt == before) tried.asked.plugin += " again";
    return tried;
}

TEST(MysqlChangeUser, WhatWasAnsweredBeforeIsAskedAgain) {
    const Tried sha2 = tried_by(sha2_password);
    EXPECT_EQ(sha2.asked.sequence, 1);
    EXPECT_EQ(sha2.asked.plugin, sha2_password);
    EXPECT_TRUE(sha2.in_by_new);
    EXPECT_FALSE(sha2.in_by_old);
    EXPECT_EQ(sha2.number, 1045);
    // libmariadb has eyes for no other salt than the one of before.
    const Tried native = tried_by(native_password);
    EXPECT_EQ(native.asked.plugin, std::string(native_password) + " again");
    EXPECT_TRUE(native.in_by_new);
}

TEST(MysqlChangeUser, WhoCannotBeAskedHasAnsweredToTheGreetingsSalt) {
    HandshakeResponse again;
    again.capabilities = cap::protocol_41 | cap::secure_connection;
    again.user = "bob";
    again.plugin = native_password;
    Salt first{};
    first.fill('s');
    for (const std::string_view password : {"secret", "wrong"}) {
        again.authentication = native_answer(password, first);
        ClientGreeting over(again, first, std::nullopt);
        ClientAuthentication asks({ClientCredential::Kind::password, "secret"}, over.hello("192.0.2.7", false));
        const wire::Action end = asks.resume({}, {});
        EXPECT_EQ(end.kind, wire::Action::Kind::done);
        EXPECT_EQ(static_cast<bool>(end.error), password == "wrong");
        EXPECT_EQ(asks.next_sequence(), 1);
    }
}

}  // namespace
}  // namespace leasehold::mysql
