// SPDX-License-Identifier: Apache-2.0
// One client's login, as the daemon sees it: which exchange runs when, and what the session starts from.
#pragma once

#include "dialects/dialect.hpp"
#include "dialects/postgres/handshake.hpp"
#include "dialects/postgres/variants.hpp"

#include <optional>

namespace leasehold::postgres {

class ClientLogin final : public dialects::Login {
  public:
    explicit ClientLogin(dialects::LoginParams params);

    [[nodiscard]] wire::Exchange& greeting() override { return startup_; }
    [[nodiscard]] const dialects::LoginRequest& request() const noexcept override;
    [[nodiscard]] wire::Exchange& authentication(dialects::Credential credential) override;
    void welcome(const dialects::ServerFacts& facts, dialects::CancelKey key, wire::Writer& to_client) override;
    void refuse(const wire::Diagnostics& error, wire::Writer& to_client) override;
    [[nodiscard]] std::string recovered() const override;
    [[nodiscard]] std::uint64_t variant() const noexcept override;
    [[nodiscard]] std::uint64_t fingerprint() const noexcept override { return settings().fingerprint(); }
    [[nodiscard]] std::unique_ptr<wire::Tracker> tracker(const dialects::ServerFacts& facts,
                                                         dialects::SessionOptions options) override;

    // From authentication() on: what a backend can be brought to, without what the variant stands for.
    [[nodiscard]] const Settings& settings() const noexcept { return startup_.startup().settings; }
    [[nodiscard]] const Parameters& packet() const noexcept { return startup_.startup().parameters; }

  private:
    ClientStartup startup_;
    Settings start_only_;
    mutable VariantRef variant_;
    bool tls_offered_;
    mutable dialects::LoginRequest request_;
    std::optional<ClientAuthentication> authentication_;
    std::unique_ptr<wire::Exchange> refusal_;
};

}  // namespace leasehold::postgres
