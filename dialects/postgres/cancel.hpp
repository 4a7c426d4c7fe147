// SPDX-License-Identifier: Apache-2.0
// Asks a server to end what one of its backends runs. On a connection of its own, without a login; the server answers
// by closing it, and only then is it certain that the request cannot hit a later statement.
#pragma once

#include "dialects/postgres/messages.hpp"

namespace leasehold::postgres {

class Cancel final : public wire::Exchange {
  public:
    Cancel(std::uint32_t pid, std::string secret) noexcept : pid_(pid), secret_(std::move(secret)) {}

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;

  private:
    enum class State : std::uint8_t { start, written, finished };
    std::uint32_t pid_;
    std::string secret_;
    State state_ = State::start;
    bool sent_ = false;
    wire::Writer out_;
};

}  // namespace leasehold::postgres
