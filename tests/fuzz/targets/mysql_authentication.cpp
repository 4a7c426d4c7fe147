// SPDX-License-Identifier: Apache-2.0
// A client's whole login: its answer to the greeting, then its proof by mysql_native_password.
#include "dialects/mysql/handshake.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

// The two exchanges one after the other, as a login drives them.
class Both final : public wire::Exchange {
  public:
    explicit Both(mysql::ClientCredential credential)
        : credential_(std::move(credential)), greeting_(made_greeting(), 10240) {}

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override {
        std::size_t consumed = 0;
        if (!authentication_) {
            const wire::Action action = greeting_.resume(input, ec);
            if (action.kind != wire::Action::Kind::done || action.error || greeting_.left()) {
                diagnostics_ = greeting_.diagnostics();
                return action;
            }
            consumed = action.consumed;
            input = input.subspan(consumed);
            authentication_.emplace(credential_, greeting_);
        }
        wire::Action action = authentication_->resume(input, ec);
        action.consumed += consumed;
        diagnostics_ = authentication_->diagnostics();
        return action;
    }

  private:
    static mysql::Greeting made_greeting() {
        mysql::Greeting greeting;
        greeting.version = "5.5.5-10.11.6-MariaDB";
        greeting.capabilities = 0xFFFFFFFF;
        greeting.salt = mysql::make_salt();
        return greeting;
    }

    mysql::ClientCredential credential_;
    mysql::ClientGreeting greeting_;
    std::optional<mysql::ClientAuthentication> authentication_;
};

const Registered registered("mysql_authentication", [](Bytes data) {
    Input input(data);
    const std::uint8_t choice = input.u8();
    mysql::ClientCredential credential;
    credential.kind = static_cast<mysql::ClientCredential::Kind>(choice % 3);
    // The hash is of "secret" too.
    credential.secret = choice / 3 % 2 == 0 ? "secret" : "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    play(
        input, [&] { return std::make_unique<Both>(credential); }, [](const Both&) { return std::string(); });
});

}  // namespace
}  // namespace leasehold::fuzz
