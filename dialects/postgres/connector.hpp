// SPDX-License-Identifier: Apache-2.0
// Dials and logs in the backends of one URL and user, and publishes what the server says of itself.
#pragma once

#include "dialects/postgres/backend.hpp"
#include "dialects/postgres/known_logins.hpp"
#include "dialects/postgres/servers.hpp"

#include <mutex>

namespace leasehold::postgres {

class Connector final : public dialects::Connector {
  public:
    explicit Connector(dialects::ConnectorParams params);
    [[nodiscard]] wire::awaitable<pool::Connected> connect(pool::Variant variant, pool::Deadline deadline) override;
    [[nodiscard]] std::string_view address() const noexcept override { return servers_.name(); }
    [[nodiscard]] dialects::Facts facts() const noexcept override;
    [[nodiscard]] dialects::Facts facts_for(const dialects::Login& login) const override;
    void remember(const dialects::Login& login, dialects::Facts said) override;
    [[nodiscard]] wire::awaitable<dialects::Replicating> connect_replication(const dialects::Login& login,
                                                                             pool::Deadline deadline) override;
    [[nodiscard]] wire::awaitable<dialects::Hearing> connect_ear(std::string mark_channel,
                                                                 pool::Deadline deadline) override;

    void learn(const std::string& recovered) override { servers_.learn(recovered); }
    [[nodiscard]] std::string learned() const override { return servers_.learned(); }
    [[nodiscard]] std::string reload_certificates() override { return servers_.reload_certificates(); }

  private:
    struct Reached {
        pool::Connected connected;
        wire::Diagnostics refusal;  // the server's
        Parameters said;            // ParameterStatus
    };
    [[nodiscard]] wire::awaitable<Reached> reach(ServerLoginParams login, pool::Variant variant,
                                                 pool::Deadline deadline);
    [[nodiscard]] ServerLoginParams login_params() const;
    void publish(const Parameters& said);

    dialects::ConnectorParams params_;
    std::shared_ptr<SequencesAsked> asked_ = std::make_shared<SequencesAsked>();  // its backends share it
    Servers servers_;
    mutable KnownLogins known_;  // the worker's thread only
    mutable std::mutex mutex_;   // over facts_
    dialects::Facts facts_;
};

}  // namespace leasehold::postgres
