// SPDX-License-Identifier: Apache-2.0
// The ladder's second rung: reads and throws away the replies that a backend still owes a session that is gone.
#pragma once

#include "dialects/mysql/lease.hpp"
#include "dialects/wire/exchange.hpp"

namespace leasehold::mysql {

// A server that waits for a client's file cannot be told that none will come: errc::unsupported. The lease is the
// backend's and outlives the exchange.
class Drain final : public wire::Exchange {
  public:
    explicit Drain(MysqlLease& lease) noexcept : lease_(lease) {}
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;

  private:
    MysqlLease& lease_;
    bool finished_ = false;
};

}  // namespace leasehold::mysql
