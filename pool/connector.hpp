// SPDX-License-Identifier: Apache-2.0
// How a pool gets new backends. One connector per pool, implemented by the dialect.
#pragma once

#include "pool/backend.hpp"

#include <memory>

namespace leasehold::pool {

class Quota;

struct Connected {
    std::unique_ptr<Backend> backend;  // logged in and idle; null on error
    std::error_code error{};
    std::string message;  // for people, names the server, never a credential
    // The server is alive and has no room (53300, 1040): waiters keep their places, the pool backs off.
    bool saturated = false;
    // The server refuses this login for good (wrong password, no such database): waiters are told at once.
    bool refused = false;
    std::string sqlstate;  // the server's own, when it said one
    int number = 0;        // the same, of servers that number their errors
    // With a backend: of the server that was reached, where there are several; null: the one that the pool knows.
    std::shared_ptr<Quota> quota{};
};

class Connector {
  public:
    Connector() = default;
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;
    virtual ~Connector() = default;

    [[nodiscard]] virtual awaitable<Connected> connect(Variant variant, Deadline deadline) = 0;
    [[nodiscard]] virtual std::string_view address() const noexcept = 0;  // "db.internal:5432"
};

}  // namespace leasehold::pool
