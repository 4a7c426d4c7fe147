// SPDX-License-Identifier: Apache-2.0
// Authentication on the client leg: leasehold as the server of mysql_native_password, caching_sha2_password (both of its
// exchanges) and mysql_clear_password. Manual: "Authentication Method Switch", "Caching_sha2_password Information".
#pragma once

#include "dialects/mysql/auth.hpp"
#include "dialects/mysql/sha2_hash.hpp"
#include "dialects/mysql/verifiers.hpp"

namespace leasehold::mysql {

// How a client is to be verified.
struct ClientCredential {
    enum class Kind : std::uint8_t {
        password,  // `secret`: clear text, or a hash as servers store it: "*...", "$A$005$..."
        trust,     // nothing is asked
        none,      // nobody of that name: asked as one is whose secret is `secret`, and refused
        refused,   // nobody is asked for anything, and this client is not admitted
    };
    Kind kind = Kind::none;
    std::string secret{};
    bool clear_text = false;  // the password is asked for as it is
};

// What a client has said so far: in its response to the greeting, or in a COM_CHANGE_USER.
struct ClientHello {
    std::string user;
    std::string host;  // as errors name it
    std::string plugin{};
    std::string answer{};        // to `salt`, if the plugin is the one that the salt was sent for
    std::string greeted_with{};  // that plugin
    Salt salt{};
    // It says so anew on its connection: it is always asked. By mysql_native_password libmariadb then answers to the salt
    // that it has, whatever it is sent; so that one is sent again, as by MariaDB.
    bool returns = false;
    bool can_switch = true;  // CLIENT_PLUGIN_AUTH; without it a client knows mysql_native_password only
    bool readable = true;    // others on its way can read the connection
    std::uint8_t next_sequence = 2;
};

// Ends without an error when the client is who it says; an OK is then due to it. Else with an error whose diagnostics are
// what it is to be told; nothing of that has been written.
class ClientAuthentication final : public wire::Exchange {
  public:
    // The cache must outlive the exchange.
    ClientAuthentication(ClientCredential credential, ClientHello hello, Verifiers& cache = verifiers());
    ~ClientAuthentication() override;
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override;

    [[nodiscard]] std::uint8_t next_sequence() const noexcept { return sequence_; }
    // The last one that was sent.
    [[nodiscard]] const Salt& salt() const noexcept { return hello_.salt; }
    // After a login whose secret is a hash: what it showed that logs in to a server with the same one.
    [[nodiscard]] const LoginKeys& recovered() const noexcept { return recovered_; }

  private:
    enum class Plugin : std::uint8_t { native, sha2, clear };
    enum class State : std::uint8_t {
        start,
        switching,   // another plugin's answer is due
        confirming,  // "the fast path is done" is being written
        full_asked,  // the password itself is due, or a question for our key
        making_key,
        key_sent,   // the encrypted password is due
        comparing,  // a password with a hash
        finished,
    };
    [[nodiscard]] Plugin choose() const noexcept;
    [[nodiscard]] wire::Action ask();
    [[nodiscard]] wire::Action on_packet(const Packet& packet);
    [[nodiscard]] wire::Action judge(std::string answer, std::size_t consumed);
    [[nodiscard]] wire::Action judge_sha2(std::string_view answer, std::size_t consumed);
    [[nodiscard]] wire::Action on_full(std::string_view given, std::size_t consumed);
    [[nodiscard]] wire::Action conclude(bool right, std::size_t consumed);
    [[nodiscard]] wire::Action more(std::string_view data, std::size_t consumed, State next);
    [[nodiscard]] wire::Action violation();

    ClientCredential credential_;
    ClientHello hello_;
    Verifiers& cache_;
    std::optional<Sha2Hash> hash_;  // the secret, where it is one
    bool native_hash_;
    Plugin plugin_ = Plugin::native;
    std::uint8_t sequence_;
    State state_ = State::start;
    bool with_password_ = false;
    bool encrypted_ = false;  // given_ is, with our key
    bool right_ = false;
    std::string given_;
    LoginKeys recovered_;
    wire::Writer out_;
};

}  // namespace leasehold::mysql
