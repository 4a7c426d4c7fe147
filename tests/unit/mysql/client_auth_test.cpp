// SPDX-License-Identifier: Apache-2.0
// A client's proof by every plugin: for passwords and for hashes, on connections that others can read and on those that
// they cannot, of users who exist and of those who do not.
#include "dialects/mysql/client_auth.hpp"
#include "dialects/mysql/challenge.hpp"
#include "dialects/mysql/handshake.hpp"
#include "dialects/mysql/rsa.hpp"
#include "tests/support/exchange_script.hpp"
#include "tests/unit/mysql/packets.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using leasehold::test::play;
using leasehold::test::play_all;
using leasehold::test::play_hostile;
using leasehold::test::play_noise;
using leasehold::test::Script;
using Kind = ClientCredential::Kind;
using wire::errc;

const Salt salt{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't'};
const std::string native_hash = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";  // of "secret"
const std::string sha2_salt = "0123456789abcdefghij";
const std::string sha2_hash = "$A$005$" + sha2_salt + sha256_crypt("secret", sha2_salt, 5000);
const std::string full = "\x01\x04", fast = "\x01\x03";

// A client that answers to the greeting's salt by the greeting's plugin.
ClientHello hello(std::string_view plugin, std::string_view password, bool readable = true) {
    ClientHello made;
    made.user = "app";
    made.host = "192.0.2.7";
    made.plugin = plugin;
    made.greeted_with = plugin;
    made.salt = salt;
    made.answer = plugin == sha2_password ? sha2_answer(password, salt) : native_answer(password, salt);
    made.readable = readable;
    return made;
}

std::error_code denied() { return make_error_code(errc::authentication_failed); }

struct Talk {
    std::error_code error;
    std::string said;  // by the exchange, with salts and keys left out
    LoginKeys recovered;
    std::string message;
};

// A whole conversation with a client that knows `password` and every plugin.
Talk talk(ClientCredential credential, ClientHello first, const std::string& password, Verifiers& cache) {
    const bool readable = first.readable;
    ClientAuthentication exchange(std::move(credential), std::move(first), cache);
    Talk made;
    Salt current = salt;
    std::string plugin;
    Raw input;
    std::uint8_t sequence = 2;
    for (;;) {
        const wire::Action action = exchange.resume(input, {});
        input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(action.consumed));
        if (action.kind == wire::Action::Kind::done) {
            made.error = action.error;
            made.recovered = exchange.recovered();
            made.message = exchange.diagnostics().message;
            return made;
        }
        if (action.kind == wire::Action::Kind::compute) {
            exchange.compute();
            made.said += "compute;";
            continue;
        }
        if (action.kind == wire::Action::Kind::read) {
            ADD_FAILURE() << "it waits for what it did not ask for";
            return made;
        }
        EXPECT_EQ(action.output[3], sequence);
        const std::string said(wire::as_text(action.output.subspan(4)));
        std::string answer;
        if (said.front() == '\xFE') {
            const auto request = parse_auth_switch(action.output.subspan(4));
            plugin = request->plugin;
            current = *salt_of(request->data);
            answer = plugin == native_password ? native_answer(password, current)
                     : plugin == sha2_password ? sha2_answer(password, current)
                                               : password + '\0';
            made.said += "switch to " + plugin + ";";
        } else if (said == fast) {
            made.said += "fast;";
            sequence = static_cast<std::uint8_t>(sequence + 1);
            continue;
        } else if (said == full) {
            made.said += "full;";
            answer = readable ? std::string("\x02") : password + '\0';
        } else {
            made.said += "key;";
            answer = rsa_encrypt(said.substr(1), password, current).value_or("");
        }
        input = packet(raw(answer), static_cast<std::uint8_t>(sequence + 1));
        sequence = static_cast<std::uint8_t>(sequence + 2);
    }
}

TEST(MysqlClientAuth, ClearTextIsVerifiedAtOnceByTheGreetingsPlugin) {
    for (const std::string_view plugin : {native_password, sha2_password}) {
        Verifiers cache;
        const Talk right = talk({Kind::password, "secret"}, hello(plugin, "secret"), "secret", cache);
        EXPECT_EQ(right.error, std::error_code());
        EXPECT_EQ(right.said, plugin == sha2_password ? "fast;" : "");
        EXPECT_TRUE(right.recovered.empty());
        const Talk wrong = talk({Kind::password, "other"}, hello(plugin, "secret"), "secret", cache);
        EXPECT_EQ(wrong.error, denied());
        EXPECT_EQ(wrong.said, "");
        EXPECT_EQ(wrong.message, "Access denied for user 'app'@'192.0.2.7' (using password: YES)");
        const Talk none = talk({Kind::password, "other"}, hello(plugin, ""), "", cache);
        EXPECT_EQ(none.message, "Access denied for user 'app'@'192.0.2.7' (using password: NO)");
        EXPECT_EQ(talk({Kind::password, ""}, hello(plugin, ""), "", cache).error, std::error_code());
        EXPECT_EQ(talk({Kind::password, ""}, hello(plugin, "x"), "x", cache).error, denied());
        EXPECT_EQ(talk({Kind::trust, ""}, hello(plugin, "x"), "x", cache).said, "");
        EXPECT_EQ(cache.size(), 0u);
    }
}

TEST(MysqlClientAuth, ClientsSwitchToAPluginThatVerifiesTheirSecret) {
    const struct {
        std::string_view greeting, client, secret, expected;
        bool readable = true;
    } cases[] = {
        {sha2_password, native_password, "secret", "switch to mysql_native_password;"},
        {native_password, sha2_password, "secret", "switch to caching_sha2_password;fast;"},
        {sha2_password, "client_ed25519", "secret", "switch to caching_sha2_password;fast;"},
        {native_password, "client_ed25519", "secret", "switch to mysql_native_password;"},
        {sha2_password, sha2_password, native_hash, "switch to mysql_native_password;"},
        {native_password, native_password, native_hash, ""},
        {native_password, native_password, sha2_hash, "switch to caching_sha2_password;full;compute;key;compute;"},
        {native_password, native_password, sha2_hash, "switch to caching_sha2_password;full;compute;", false},
        {sha2_password, sha2_password, sha2_hash, "full;compute;key;compute;"},
        {sha2_password, sha2_password, sha2_hash, "full;compute;", false},
    };
    for (const auto& each : cases) {
        SCOPED_TRACE(std::string(each.greeting) + ", " + std::string(each.client) + ", " + std::string(each.secret));
        Verifiers cache;
        ClientHello first = hello(each.client, "secret", each.readable);
        first.greeted_with = each.greeting;
        const Talk right = talk({Kind::password, std::string(each.secret)}, first, "secret", cache);
        EXPECT_EQ(right.error, std::error_code());
        EXPECT_EQ(right.said, each.expected);
        first = hello(each.client, "wrong", each.readable);
        first.greeted_with = each.greeting;
        EXPECT_EQ(talk({Kind::password, std::string(each.secret)}, first, "wrong", cache).error, denied());
    }
}

TEST(MysqlClientAuth, AHashShowsWhatLogsInToItsServer) {
    Verifiers cache;
    const Talk native = talk({Kind::password, native_hash}, hello(native_password, "secret"), "secret", cache);
    EXPECT_EQ(native.recovered, (LoginKeys{std::nullopt, sha1("secret"), std::nullopt}));
    EXPECT_TRUE(belong(native.recovered, native_hash, cache));
    EXPECT_FALSE(belong(native.recovered, "*" + std::string(40, '0'), cache));
    EXPECT_FALSE(belong(native.recovered, sha2_hash, cache));
    for (const bool readable : {true, false}) {
        Verifiers fresh;
        const Talk first = talk({Kind::password, sha2_hash}, hello(sha2_password, "secret", readable), "secret", fresh);
        EXPECT_EQ(first.said, readable ? "full;compute;key;compute;" : "full;compute;");
        EXPECT_EQ(first.recovered.password, "secret");
        EXPECT_TRUE(belong(first.recovered, sha2_hash, fresh));
        EXPECT_FALSE(belong(first.recovered, sha2_hash, cache)) << "nobody has shown it there";
        const Talk second =
            talk({Kind::password, sha2_hash}, hello(sha2_password, "secret", readable), "secret", fresh);
        EXPECT_EQ(second.said, "fast;");
        EXPECT_EQ(second.recovered, (LoginKeys{std::nullopt, std::nullopt, sha256("secret")}));
        EXPECT_TRUE(belong(second.recovered, sha2_hash, fresh));
        const Talk wrong = talk({Kind::password, sha2_hash}, hello(sha2_password, "wrong", readable), "wrong", fresh);
        EXPECT_EQ(wrong.said, first.said) << "as before anybody had logged in";
        EXPECT_EQ(wrong.error, denied());
        EXPECT_TRUE(wrong.recovered.empty());
        EXPECT_EQ(fresh.size(), 1u);
    }
}

// Whoever tries names learns nothing: neither by what is asked, nor by what it costs.
TEST(MysqlClientAuth, NobodyIsAskedLikeSomebody) {
    for (const std::string& secret : {std::string("secret"), native_hash, sha2_hash}) {
        for (const std::string_view plugin : {native_password, sha2_password}) {
            for (const bool readable : {true, false}) {
                Verifiers cache;
                const ClientHello first = hello(plugin, "wrong", readable);
                const Talk somebody = talk({Kind::password, secret}, first, "wrong", cache);
                const Talk nobody = talk({Kind::none, secret}, first, "wrong", cache);
                EXPECT_EQ(nobody.said, somebody.said);
                EXPECT_EQ(nobody.message, somebody.message);
                EXPECT_EQ(nobody.error, denied());
                // The right password of somebody else's, at that.
                const Talk lucky = talk({Kind::none, secret}, hello(plugin, "secret", readable), "secret", cache);
                EXPECT_EQ(lucky.error, denied());
                EXPECT_TRUE(lucky.recovered.empty());
                EXPECT_EQ(cache.size(), 0u);
            }
        }
    }
    Verifiers cache;
    EXPECT_EQ(talk({Kind::none, ""}, hello(native_password, ""), "", cache).error, denied());
    const Talk refused = talk({Kind::refused, ""}, hello("client_ed25519", ""), "", cache);
    EXPECT_EQ(refused.error, denied());
    EXPECT_EQ(refused.said, "");
}

TEST(MysqlClientAuth, ClearTextIsAskedForWhereNobodyElseReadsIt) {
    for (const std::string& secret : {std::string("secret"), native_hash, sha2_hash}) {
        Verifiers cache;
        const Talk right = talk({Kind::password, secret, true}, hello(sha2_password, "secret", false), "secret", cache);
        EXPECT_EQ(right.said, "switch to mysql_clear_password;compute;");
        EXPECT_EQ(right.error, std::error_code());
        EXPECT_EQ(right.recovered.password.has_value(), secret != "secret");
        EXPECT_EQ(talk({Kind::password, secret, true}, hello(sha2_password, "x", false), "x", cache).error, denied());
    }
}

TEST(MysqlClientAuth, ClientsThatCannotSwitchKnowTheNativePasswordOnly) {
    Verifiers cache;
    ClientHello old = hello(native_password, "secret");
    old.plugin.clear();
    old.greeted_with = sha2_password;
    old.can_switch = false;
    EXPECT_EQ(talk({Kind::password, "secret"}, old, "secret", cache).error, std::error_code());
    EXPECT_EQ(talk({Kind::password, native_hash}, old, "secret", cache).error, std::error_code());
    const Talk unsupported = talk({Kind::password, sha2_hash}, old, "secret", cache);
    EXPECT_EQ(unsupported.error, make_error_code(errc::unsupported));
}

TEST(MysqlClientAuth, IsPlayedBrokenInEveryWay) {
    Verifiers cache;
    Salt fresh{};
    const auto takes_salt = [&fresh](Bytes bytes) { fresh = *salt_of(parse_auth_switch(bytes.subspan(4))->data); };
    ClientHello first = hello(native_password, "secret");
    const auto make = [&] {
        return std::make_unique<ClientAuthentication>(ClientCredential{Kind::none, sha2_hash}, first, cache);
    };
    const Script script = Script()
                              .expect_write(takes_salt)
                              .read([&] { return packet(raw(sha2_answer("secret", fresh)), 3); })
                              .expect_write(packet(raw(full), 4))
                              .read(packet(Raw{2}, 5))
                              .expect_compute()
                              .expect_write(packet(Raw{1} + raw(own_rsa_key().pem()), 6))
                              .read([&] { return packet(raw(*rsa_encrypt(own_rsa_key().pem(), "secret", fresh)), 7); })
                              .expect_compute()
                              .expect_done(errc::authentication_failed);
    {
        const auto exchange = make();
        play(script, *exchange);
    }
    play_noise(script, make, 3, 20);
    play_hostile(script, make, packet(raw("x"), 77));
    play_hostile(script, make, packet(Raw(5000, 'x'), 3));
    first.readable = false;
    play_all(Script()
                 .expect_write(takes_salt)
                 .read([&] { return packet(raw(sha2_answer("secret", fresh)), 3); })
                 .expect_write(packet(raw(full), 4))
                 .read(packet(raw("secret") + Raw{0}, 5))
                 .expect_compute()
                 .expect_done(errc::authentication_failed),
             make);
}

TEST(MysqlVerifiers, ForgetTheLongestUnused) {
    Verifiers cache(2);
    cache.put("a", "1");
    cache.put("b", "2");
    EXPECT_TRUE(cache.find("a"));
    cache.put("c", "3");
    EXPECT_EQ(cache.size(), 2u);
    EXPECT_TRUE(cache.find("a"));
    EXPECT_FALSE(cache.find("b"));
    EXPECT_EQ(*cache.find("c"), sha256(wire::as_text(sha256("3"))));
    cache.put("c", "4");
    EXPECT_EQ(*cache.find("c"), sha256(wire::as_text(sha256("4"))));
}

}  // namespace
}  // namespace leasehold::mysql
