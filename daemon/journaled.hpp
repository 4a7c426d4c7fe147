// SPDX-License-Identifier: Apache-2.0
// A pool's connector that writes down each backend it makes, and forgets it when the pool has closed it. The pool's worker
// only.
#pragma once

#include "daemon/journal.hpp"
#include "dialects/dialect.hpp"
#include "pool/connector.hpp"

#include <memory>
#include <string>
#include <unordered_map>

namespace leasehold::daemon {

// The places of one pool's backends.
class JournaledBackends {
  public:
    JournaledBackends(BackendJournal& journal, std::string pool, std::string user)
        : journal_(journal), pool_(std::move(pool)), user_(std::move(user)) {}
    void opened(dialects::Backend& backend);
    void closed(std::uint64_t server_id);

  private:
    BackendJournal& journal_;
    const std::string pool_, user_;
    std::unordered_multimap<std::uint64_t, BackendJournal::Place> places_;  // two servers may number alike
};

class JournaledConnector final : public pool::Connector {
  public:
    JournaledConnector(std::shared_ptr<dialects::Connector> inner, std::shared_ptr<JournaledBackends> backends)
        : inner_(std::move(inner)), backends_(std::move(backends)) {}
    [[nodiscard]] pool::awaitable<pool::Connected> connect(pool::Variant variant, pool::Deadline deadline) override;
    [[nodiscard]] std::string_view address() const noexcept override { return inner_->address(); }

  private:
    std::shared_ptr<dialects::Connector> inner_;
    std::shared_ptr<JournaledBackends> backends_;
};

}  // namespace leasehold::daemon
