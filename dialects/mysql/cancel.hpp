// SPDX-License-Identifier: Apache-2.0
// Ends the statement that a server's connection runs: a login of our own, KILL QUERY, goodbye. When it is done the
// server has marked the statement: it cannot hit a later one.
#pragma once

#include "dialects/mysql/handshake.hpp"
#include "dialects/mysql/round.hpp"

namespace leasehold::mysql {

class Cancel final : public wire::Exchange {
  public:
    Cancel(ServerLoginParams login, std::uint32_t connection);
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override { login_.compute(); }
    void secured(const wire::TlsFacts& facts) override { login_.secured(facts); }
    void tls_failed(std::string why) override { login_.tls_failed(std::move(why)); }

  private:
    enum class State : std::uint8_t { login, kill, goodbye, finished };
    ServerLogin login_;
    Round kill_;
    State state_ = State::login;
    wire::Writer out_;
};

}  // namespace leasehold::mysql
