// SPDX-License-Identifier: Apache-2.0
// Our own login by every plugin, on every kind of connection, in clear text and encrypted, by a password and by what a
// client's login showed of one; and COM_CHANGE_USER, which asks the same questions.
#include "dialects/mysql/cancel.hpp"
#include "dialects/mysql/ed25519.hpp"
#include "dialects/mysql/handshake.hpp"
#include "dialects/mysql/rsa.hpp"
#include "tests/support/exchange_script.hpp"
#include "tests/unit/mysql/packets.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using leasehold::test::built;
using leasehold::test::play;
using leasehold::test::play_all;
using leasehold::test::play_hostile;
using leasehold::test::play_noise;
using leasehold::test::Script;
using Tls = config::TlsMode;
using wire::errc;

const Salt salt{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't'};
const Salt other{'t', 's', 'r', 'q', 'p', 'o', 'n', 'm', 'l', 'k', 'j', 'i', 'h', 'g', 'f', 'e', 'd', 'c', 'b', 'a'};
const std::string native_hash = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";  // of "secret"
const std::string full = "\x01\x04", fast = "\x01\x03";

Raw greeting_packet(std::string_view plugin, std::uint32_t capabilities = 0xDFFFFFFF) {
    Greeting made;
    made.version = "9.7.4";
    made.connection_id = 42;
    made.salt = salt;
    made.capabilities = capabilities;
    made.charset = 255;
    made.status = 2;
    made.plugin = plugin;
    return built([&](wire::Writer& out) { write_greeting(out, made); });
}

ServerLoginParams params() {
    ServerLoginParams made;
    made.user = "app";
    made.password = "secret";
    made.charset = 45;
    return made;
}

Raw switch_to(std::string_view plugin, std::string_view data, std::uint8_t sequence) {
    return packet(Raw{0xFE} + raw(plugin) + Raw{0} + raw(data) + Raw{0}, sequence);
}

auto responds(std::string plugin, std::string answer, std::uint8_t sequence = 1) {
    return [=](Bytes bytes) {
        EXPECT_EQ(bytes[3], sequence);
        const auto response = parse_handshake_response(bytes.subspan(4), 0xFFFFFFFF);
        ASSERT_TRUE(response);
        EXPECT_EQ(response->user, "app");
        EXPECT_EQ(response->plugin, plugin);
        EXPECT_TRUE(response->authentication == answer);
        EXPECT_EQ((response->capabilities & cap::ssl) != 0, sequence == 2);
    };
}

const auto asks_for_tls = [](Bytes bytes) {
    EXPECT_EQ(bytes.size(), 36u);
    EXPECT_EQ(bytes[3], 1);
    wire::Cursor cursor(bytes.subspan(4));
    EXPECT_NE(cursor.u32le() & cap::ssl, 0u);
};

std::string text_of(const Salt& bytes) { return std::string(wire::as_text(bytes)); }

void play_everything(const Script& script, const ServerLoginParams& with) {
    const auto make = [&] { return std::make_unique<ServerLogin>(with); };
    play_all(script, make);
    play_noise(script, make, 5, 50);
    play_hostile(script, make, packet({}, 0));
    play_hostile(script, make, packet(Raw(70000, 0xFF), 1));
    play_hostile(script, make, packet(Raw{0x01, 0x09}, 2));
}

TEST(MysqlServerSha2, TheFastPathIsOneQuestion) {
    const Script script = Script()
                              .read(greeting_packet(sha2_password))
                              .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt)))
                              .read(packet(raw(fast), 2))
                              .read(ok(3))
                              .expect_done();
    play_everything(script, params());
    // Servers send both at once.
    play_all(Script()
                 .read(greeting_packet(sha2_password))
                 .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt)))
                 .read(packet(raw(fast), 2) + ok(3))
                 .expect_done(),
             [] { return std::make_unique<ServerLogin>(params()); });
}

TEST(MysqlServerSha2, TheFullPathShowsThePasswordToAnEncryptedOrLocalServerOnly) {
    ServerLoginParams local = params();
    local.secure = true;
    play_everything(Script()
                        .read(greeting_packet(sha2_password))
                        .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt)))
                        .read(packet(raw(full), 2))
                        .expect_write(packet(raw("secret") + Raw{0}, 3))
                        .read(ok(4))
                        .expect_done(),
                    local);
    for (const Tls tls : {Tls::prefer, Tls::require}) {
        ServerLoginParams with = params();
        with.tls = tls;
        play_everything(Script()
                            .read(greeting_packet(sha2_password))
                            .expect_write(asks_for_tls)
                            .expect_start_tls()
                            .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt), 2))
                            .read(packet(raw(full), 3))
                            .expect_write(packet(raw("secret") + Raw{0}, 4))
                            .read(ok(5))
                            .expect_done(),
                        with);
    }
}

TEST(MysqlServerSha2, TheFullPathWithoutTlsEncryptsWithTheServersKey) {
    const auto encrypted = [](Bytes bytes) {
        EXPECT_EQ(bytes[3], 5);
        EXPECT_EQ(own_rsa_key().decrypt(wire::as_text(bytes.subspan(4)), salt), "secret");
    };
    const Script script = Script()
                              .read(greeting_packet(sha2_password))
                              .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt)))
                              .read(packet(raw(full), 2))
                              .expect_write(packet(Raw{2}, 3))
                              .read(packet(Raw{1} + raw(own_rsa_key().pem()), 4))
                              .expect_compute()
                              .expect_write(encrypted)
                              .read(ok(6))
                              .expect_done();
    const auto make = [] { return std::make_unique<ServerLogin>(params()); };
    play_all(script, make);
    play_noise(script, make, 5, 50);
    for (const Raw& key : {Raw{1}, Raw{1} + raw("no key"), Raw{1} + Raw(9000, 'k')}) {
        ServerLogin login(params());
        const Script wrong = Script()
                                 .read(greeting_packet(sha2_password))
                                 .expect_write([](Bytes) {})
                                 .read(packet(raw(full), 2))
                                 .expect_write(packet(Raw{2}, 3))
                                 .read(packet(key, 4));
        if (key.size() < 9000) {
            play(Script(wrong).expect_compute().expect_done(errc::unsupported), login);
        } else {
            play(Script(wrong).expect_done(errc::protocol_violation), login);
        }
        EXPECT_EQ(login.diagnostics().message.find("secret"), std::string::npos);
    }
}

TEST(MysqlServerLogin, SwitchesBetweenPluginsInEveryDirection) {
    const struct {
        std::string_view from, to;
    } directions[] = {{native_password, sha2_password},      {sha2_password, native_password},
                      {sha2_password, sha2_password},        {native_password, native_password},
                      {"auth_gssapi_client", sha2_password}, {"", native_password}};
    for (const auto& [from, to] : directions) {
        SCOPED_TRACE(std::string(from) + " to " + std::string(to));
        const bool sha2_first = from == sha2_password;
        const bool sha2 = to == sha2_password;
        const std::string first = sha2_first ? sha2_answer("secret", salt) : native_answer("secret", salt);
        const std::string second = sha2 ? sha2_answer("secret", other) : native_answer("secret", other);
        Script script;
        script.read(greeting_packet(from))
            .expect_write(responds(std::string(sha2_first ? sha2_password : native_password), first))
            .read(switch_to(to, text_of(other), 2))
            .expect_write(packet(raw(second), 3));
        if (sha2) script.read(packet(raw(fast), 4));
        play_everything(script.read(ok(sha2 ? 5 : 4)).expect_done(), params());
    }
}

TEST(MysqlServerLogin, AnEmptyPasswordIsOneInEveryPlugin) {
    ServerLoginParams with = params();
    with.password.clear();
    play_everything(Script()
                        .read(greeting_packet(sha2_password))
                        .expect_write(responds("caching_sha2_password", ""))
                        .read(ok(2))
                        .expect_done(),
                    with);
    play_everything(Script()
                        .read(greeting_packet(native_password))
                        .expect_write(responds("mysql_native_password", ""))
                        .read(switch_to(sha2_password, text_of(other), 2))
                        .expect_write(packet(Raw{0}, 3))
                        .read(ok(4))
                        .expect_done(),
                    with);
}

TEST(MysqlServerLogin, SignsMariadbsEd25519) {
    const std::string nonce = std::string(31, 'n') + '\0';  // the end belongs to it, unlike a salt's NUL
    const std::string signature(wire::as_text(ed25519_sign("secret", wire::as_bytes(nonce))));
    const auto make = [] { return std::make_unique<ServerLogin>(params()); };
    const Script script = Script()
                              .read(greeting_packet(native_password))
                              .expect_write(responds("mysql_native_password", native_answer("secret", salt)))
                              .read(packet(Raw{0xFE} + raw("client_ed25519") + Raw{0} + raw(nonce), 2))
                              .expect_compute()
                              .expect_write(packet(raw(signature), 3))
                              .read(ok(4))
                              .expect_done();
    play_all(script, make);
    play_hostile(script, make, switch_to("client_ed25519", "short", 2));
}

TEST(MysqlServerLogin, SendsClearTextWhereNobodyElseReadsIt) {
    const auto begin = [] {
        return Script()
            .read(greeting_packet(native_password))
            .expect_write([](Bytes) {})
            .read(switch_to(clear_password, "", 2));
    };
    ServerLoginParams local = params();
    local.secure = true;
    play_everything(begin().expect_write(packet(raw("secret") + Raw{0}, 3)).read(ok(4)).expect_done(), local);
    ServerLogin readable(params());
    play(begin().expect_done(errc::unsupported), readable);
    EXPECT_NE(readable.diagnostics().message.find("ssl_mode"), std::string::npos);
    ServerLoginParams encrypted = params();
    encrypted.tls = Tls::prefer;
    play_everything(Script()
                        .read(greeting_packet(native_password))
                        .expect_write(asks_for_tls)
                        .expect_start_tls()
                        .expect_write(responds("mysql_native_password", native_answer("secret", salt), 2))
                        .read(switch_to(clear_password, "", 3))
                        .expect_write(packet(raw("secret") + Raw{0}, 4))
                        .read(ok(5))
                        .expect_done(),
                    encrypted);
    // What was offered and not taken does not count.
    ServerLoginParams preferring = params();
    preferring.tls = Tls::prefer;
    ServerLogin plain(preferring);
    play(Script()
             .read(greeting_packet(native_password, 0xDFFFFFFF & ~cap::ssl))
             .expect_write(responds("mysql_native_password", native_answer("secret", salt)))
             .read(switch_to(clear_password, "", 2))
             .expect_done(errc::unsupported),
         plain);
}

TEST(MysqlServerTls, IsAskedForAsTheModeSays) {
    ServerLoginParams with = params();
    with.tls = Tls::require;
    ServerLogin refused(with);
    play(Script().read(greeting_packet(sha2_password, 0xDFFFFFFF & ~cap::ssl)).expect_done(errc::tls_refused), refused);
    // Behind a greeting the server is silent: what is there was put there.
    ServerLogin injected(with);
    play(Script()
             .read(greeting_packet(sha2_password) + ok(2))
             .expect_write(asks_for_tls)
             .expect_start_tls()
             .expect_done(errc::plaintext_before_tls),
         injected);
    EXPECT_NE(injected.diagnostics().message.find("unencrypted"), std::string::npos);
}

TEST(MysqlServerKeys, AHashLogsInByWhatAClientsLoginShowed) {
    ServerLoginParams with = params();
    with.password = native_hash;
    with.keys.native = sha1("secret");
    play_everything(Script()
                        .read(greeting_packet(native_password))
                        .expect_write(responds("mysql_native_password", native_answer("secret", salt)))
                        .read(ok(2))
                        .expect_done(),
                    with);
    // Of two plugins the one is named for which there is a key.
    play_everything(Script()
                        .read(greeting_packet(sha2_password))
                        .expect_write(responds("mysql_native_password", native_answer("secret", salt)))
                        .read(ok(2))
                        .expect_done(),
                    with);
    ServerLogin lacking(with);
    play(Script()
             .read(greeting_packet(native_password))
             .expect_write([](Bytes) {})
             .read(switch_to(sha2_password, text_of(other), 2))
             .expect_done(errc::authentication_failed),
         lacking);
    EXPECT_TRUE(lacking.wants_keys());
    EXPECT_EQ(lacking.diagnostics().message.find(native_hash), std::string::npos);

    with.password = "$A$005$" + std::string(20, 's') + std::string(43, 'd');
    with.keys = {std::nullopt, std::nullopt, sha256("secret")};
    with.secure = true;
    play_everything(Script()
                        .read(greeting_packet(sha2_password))
                        .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt)))
                        .read(packet(raw(fast), 2))
                        .read(ok(3))
                        .expect_done(),
                    with);
    ServerLogin forgotten(with);
    play(Script()
             .read(greeting_packet(sha2_password))
             .expect_write([](Bytes) {})
             .read(packet(raw(full), 2))
             .expect_done(errc::authentication_failed),
         forgotten);
    EXPECT_TRUE(forgotten.wants_keys());
    with.keys = {std::string("secret"), std::nullopt, std::nullopt};
    play_everything(Script()
                        .read(greeting_packet(sha2_password))
                        .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt)))
                        .read(packet(raw(full), 2))
                        .expect_write(packet(raw("secret") + Raw{0}, 3))
                        .read(ok(4))
                        .expect_done(),
                    with);
}

TEST(MysqlServerLogin, AServerThatAsksForEverIsLeft) {
    Script script;
    script.read(greeting_packet(native_password)).expect_write([](Bytes) {});
    std::uint8_t sequence = 2;
    for (int i = 0; i < 8; ++i, sequence = static_cast<std::uint8_t>(sequence + 2)) {
        script.read(switch_to(native_password, text_of(other), sequence))
            .expect_write(packet(raw(native_answer("secret", other)), static_cast<std::uint8_t>(sequence + 1)));
    }
    script.read(switch_to(native_password, text_of(other), sequence)).expect_done(errc::protocol_violation);
    ServerLogin login(params());
    play(script, login);
}

TEST(MysqlChangeUser, AnswersTheQuestionsOfEveryPlugin) {
    ServerLoginParams with = params();
    with.capabilities |= cap::plugin_auth;
    const auto make = [&] { return std::make_unique<ChangeUser>(with); };
    const auto begins = [](Bytes bytes) { EXPECT_EQ(bytes[4], 0x11); };
    play_all(Script()
                 .expect_write(begins)
                 .read(switch_to(sha2_password, text_of(other), 1))
                 .expect_write(packet(raw(sha2_answer("secret", other)), 2))
                 .read(packet(raw(fast), 3))
                 .read(ok(4))
                 .expect_done(),
             make);
    play_all(Script()
                 .expect_write(begins)
                 .read(switch_to(sha2_password, text_of(other), 1))
                 .expect_write(packet(raw(sha2_answer("secret", other)), 2))
                 .read(packet(raw(full), 3))
                 .expect_write(packet(Raw{2}, 4))
                 .read(packet(Raw{1} + raw(own_rsa_key().pem()), 5))
                 .expect_compute()
                 .expect_write([](Bytes bytes) {
                     EXPECT_EQ(own_rsa_key().decrypt(wire::as_text(bytes.subspan(4)), other), "secret");
                 })
                 .read(ok(7))
                 .expect_done(),
             make);
    with.secure = true;
    play_all(Script()
                 .expect_write(begins)
                 .read(switch_to(sha2_password, text_of(other), 1))
                 .expect_write(packet(raw(sha2_answer("secret", other)), 2))
                 .read(packet(raw(full), 3))
                 .expect_write(packet(raw("secret") + Raw{0}, 4))
                 .read(ok(5))
                 .expect_done(),
             make);
}

TEST(MysqlCancel, LogsInByEveryPluginToo) {
    ServerLoginParams with = params();
    with.tls = Tls::require;
    play_all(Script()
                 .read(greeting_packet(sha2_password))
                 .expect_write(asks_for_tls)
                 .expect_start_tls()
                 .expect_write(responds("caching_sha2_password", sha2_answer("secret", salt), 2))
                 .read(packet(raw(full), 3))
                 .expect_write(packet(raw("secret") + Raw{0}, 4))
                 .read(ok(5))
                 .expect_write(query("KILL QUERY 42"))
                 .read(ok(1))
                 .expect_write(command(1))
                 .expect_done(),
             [&] { return std::make_unique<Cancel>(with, 42); });
}

}  // namespace
}  // namespace leasehold::mysql
