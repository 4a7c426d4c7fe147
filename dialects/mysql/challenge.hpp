// SPDX-License-Identifier: Apache-2.0
// Proving ourselves to a server: what is answered to the plugin that it names, and to what that plugin says next. Whoever
// drives a login owns the packets. Manual: "Authentication Method", "Caching_sha2_password", MariaDB's "Connecting".
#pragma once

#include "dialects/mysql/auth.hpp"

namespace leasehold::mysql {

constexpr std::string_view sha2_password = "caching_sha2_password";
constexpr std::string_view clear_password = "mysql_clear_password";

// What we have to prove ourselves with.
struct ServerCredential {
    std::string password;  // as configured: clear text, or a hash as servers store it, which proves nothing by itself
    LoginKeys keys{};      // recovered from a client's login
};

class ServerChallenge {
  public:
    // `readable`: others on its way can read the connection, so no password is sent in clear text.
    ServerChallenge(const ServerCredential& credential, bool readable);
    ~ServerChallenge();
    ServerChallenge(const ServerChallenge&) = delete;
    ServerChallenge& operator=(const ServerChallenge&) = delete;

    enum class Next : std::uint8_t {
        reply,    // send answer()
        wait,     // nothing to answer
        compute,  // run compute(), then take proceed()
        failed,   // see error() and diagnostics()
    };
    // For the first response of a login, which must name a plugin: the greeting's, if that is one for which we have what
    // it takes. Never fails: the server asks again for what it wants.
    void greet(std::string_view plugin, const Salt& salt);
    // AuthSwitchRequest.
    [[nodiscard]] Next start(std::string_view plugin, std::string_view data);
    // What the plugin says next, behind the 0x01 of its packet.
    [[nodiscard]] Next more(std::string_view data);
    void compute();
    [[nodiscard]] Next proceed();

    [[nodiscard]] std::string_view plugin() const noexcept { return plugin_; }
    [[nodiscard]] const std::string& answer() const noexcept { return answer_; }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    [[nodiscard]] const wire::Diagnostics& diagnostics() const noexcept { return diagnostics_; }
    // Not even a key: what is configured is a hash, and no client's login has shown more.
    [[nodiscard]] bool empty_handed() const noexcept { return !password_ && !native_ && !sha2_; }
    // Only a client's login can bring what the server asks for.
    [[nodiscard]] bool wants_keys() const noexcept { return wants_keys_; }

  private:
    enum class State : std::uint8_t {
        answered,   // nothing more is expected, but for the server's verdict
        sha2_sent,  // the fast path's answer: "done" or "the password itself" comes
        key_asked,  // the server's public key comes
        encrypting,
        signing,
    };
    [[nodiscard]] std::optional<std::string> quick_answer(std::string_view plugin, const Salt& salt) const;
    [[nodiscard]] Next send_password();
    [[nodiscard]] Next fail(wire::errc error, std::string message);
    [[nodiscard]] Next lacks(std::string_view what);

    std::optional<std::string> password_;  // in clear text
    std::optional<Sha1> native_;
    std::optional<Sha256> sha2_;
    bool readable_;
    State state_ = State::answered;
    std::string plugin_;
    std::string answer_;
    std::string data_;  // to compute with: a nonce, a key
    Salt salt_{};
    bool wants_keys_ = false;
    std::error_code error_;
    wire::Diagnostics diagnostics_;
};

}  // namespace leasehold::mysql
