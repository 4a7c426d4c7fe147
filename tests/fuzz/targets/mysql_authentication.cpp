// SPDX-License-Identifier: Apache-2.0
// A client's whole login: its answer to the greeting, TLS where it asks for that, then its proof by whatever plugin.
#include "dialects/mysql/handshake.hpp"
#include "dialects/mysql/rsa.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

// The two exchanges one after the other, as a login drives them.
class Both final : public wire::Exchange {
  public:
    Both(mysql::ClientCredential credential, bool mariadb, bool local)
        : credential_(std::move(credential)), local_(local), greeting_(made_greeting(mariadb), 10240, {true, false}) {}

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override {
        if (over_) return wire::Action::done(0);
        std::size_t consumed = 0;
        if (!authentication_) {
            const wire::Action action = greeting_.resume(input, ec);
            if (action.kind != wire::Action::Kind::done || action.error || greeting_.left()) {
                diagnostics_ = greeting_.diagnostics();
                over_ = action.kind == wire::Action::Kind::done;
                return action;
            }
            consumed = action.consumed;
            input = input.subspan(consumed);
            authentication_.emplace(credential_, greeting_.hello("192.0.2.7", local_), cache_);
        }
        wire::Action action = authentication_->resume(input, ec);
        action.consumed += consumed;
        diagnostics_ = authentication_->diagnostics();
        return action;
    }
    void compute() override {
        if (authentication_) authentication_->compute();
    }
    void secured(const wire::TlsFacts& facts) override { greeting_.secured(facts); }
    void tls_failed(std::string why) override { greeting_.tls_failed(std::move(why)); }

    [[nodiscard]] bool recovered() const { return authentication_ && !authentication_->recovered().empty(); }

  private:
    static mysql::Greeting made_greeting(bool mariadb) {
        mysql::Greeting greeting;
        greeting.version = mariadb ? "5.5.5-10.11.6-MariaDB" : "9.7.4";
        greeting.capabilities = 0xFFFFFFFF;
        greeting.salt = mysql::make_salt();
        return greeting;
    }

    mysql::ClientCredential credential_;
    bool local_;
    mysql::Verifiers cache_;  // what one run learned must not help the next
    mysql::ClientGreeting greeting_;
    std::optional<mysql::ClientAuthentication> authentication_;
    bool over_ = false;  // it ended before there was anything to prove
};

// Made while random bytes are random: with fixed ones a search for primes does not end.
[[maybe_unused]] const bool key_made = !mysql::own_rsa_key().pem().empty();

const Registered registered("mysql_authentication", [](Bytes data) {
    // The hashes are of "secret" too.
    const std::string_view secrets[] = {"secret", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7",
                                        "$A$001$aaaaaaaaaaaaaaaaaaaa0000000000000000000000000000000000000000000", ""};
    Input input(data);
    const std::uint8_t choice = input.u8();
    mysql::ClientCredential credential;
    credential.kind = static_cast<mysql::ClientCredential::Kind>(choice % 3);
    credential.secret = secrets[choice / 3 % 4];
    credential.clear_text = choice / 12 % 4 == 0;
    play(
        input, [&] { return std::make_unique<Both>(credential, choice / 48 % 2 == 0, choice / 96 % 2 == 0); },
        [](const Both& exchange) { return std::string(exchange.recovered() ? "recovered" : ""); });
});

}  // namespace
}  // namespace leasehold::fuzz
