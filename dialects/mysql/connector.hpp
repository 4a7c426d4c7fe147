// SPDX-License-Identifier: Apache-2.0
// Dials and logs in the backends of one URL and user, and publishes what the server says of itself.
#pragma once

#include "dialects/mysql/servers.hpp"

#include <mutex>

namespace leasehold::mysql {

class Connector final : public dialects::Connector {
  public:
    explicit Connector(dialects::ConnectorParams params);
    [[nodiscard]] wire::awaitable<pool::Connected> connect(pool::Variant variant, pool::Deadline deadline) override;
    [[nodiscard]] std::string_view address() const noexcept override { return servers_.name(); }
    [[nodiscard]] dialects::Facts facts() const noexcept override;
    [[nodiscard]] dialects::Facts greeted() const override;
    void learn(const std::string& keys) override;
    [[nodiscard]] std::string learned() const override;
    [[nodiscard]] std::string reload_certificates() override { return servers_.reload_certificates(); }

  private:
    [[nodiscard]] ServerLoginParams login_params(pool::Variant variant) const;
    [[nodiscard]] wire::awaitable<std::error_code> prepare(Backend* backend, std::string* message,
                                                           pool::Deadline deadline);
    void publish(const ServerLogin& login, std::string variables);
    // What is configured is a hash, and no login has shown what dials: false after one such attempt, for a while.
    [[nodiscard]] bool may_dial() const;
    void note_refusal(const ServerLogin& login);

    dialects::ConnectorParams params_;
    Servers servers_;
    mutable std::mutex mutex_;  // over all below
    dialects::Facts facts_;
    dialects::Facts greeted_;  // without a login
    LoginKeys keys_;
    pool::Clock::time_point keys_wanted_until_{};
};

}  // namespace leasehold::mysql
