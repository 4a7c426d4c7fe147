// SPDX-License-Identifier: Apache-2.0
// A logged-in connection to a PostgreSQL server, as the pool and the session see it. The exchanges that it drives are
// pure and live beside it; here is only which one runs when.
#pragma once

#include "dialects/dialect.hpp"
#include "dialects/postgres/tracker.hpp"
#include "dialects/wire/address.hpp"
#include "dialects/wire/cancelling.hpp"
#include "dialects/wire/watch.hpp"

#include <memory>

namespace leasehold::postgres {

class Backend final : public dialects::Backend {
  public:
    struct Login {
        wire::ServerAddress address;
        wire::Cancelling::Deliver cancel;  // asks this server to end what the connection runs
        std::uint32_t pid = 0;
        Changes parameters;  // ParameterStatus at login
    };
    Backend(std::unique_ptr<wire::Transport> transport, wire::Inbox inbox, Login login, pool::Variant variant,
            std::size_t prepared_limit);
    ~Backend() override;
    // What the backends of a pool know together.
    void share(std::shared_ptr<SequencesAsked> asked) noexcept { lease_.asked = std::move(asked); }

    [[nodiscard]] pool::Condition condition() const noexcept override;
    [[nodiscard]] pool::Variant variant() const noexcept override { return variant_; }
    [[nodiscard]] pool::Fingerprint fingerprint() const noexcept override { return lease_.held.fingerprint(); }
    [[nodiscard]] bool quiet() noexcept override;
    void watch(std::function<void()> broken) override { watch_.set(std::move(broken)); }
    [[nodiscard]] wire::awaitable<std::error_code> ping(pool::Deadline deadline) override;
    [[nodiscard]] wire::awaitable<std::error_code> reset(pool::Deadline deadline) override;
    [[nodiscard]] wire::awaitable<std::error_code> finish(bool commit, pool::Deadline deadline) override;
    [[nodiscard]] wire::awaitable<std::error_code> recover(pool::Deadline deadline, pool::RecoverSink& sink) override;
    [[nodiscard]] wire::awaitable<std::error_code> cancel(pool::Deadline deadline) override;
    void close() noexcept override;
    [[nodiscard]] std::uint64_t server_id() const noexcept override { return login_.pid; }
    [[nodiscard]] std::string_view address() const noexcept override { return address_; }

    [[nodiscard]] wire::Transport& transport() noexcept override { return *transport_; }
    [[nodiscard]] wire::LeaseState& lease_state() noexcept override { return lease_; }
    [[nodiscard]] wire::Inbox& inbox() noexcept override { return inbox_; }
    [[nodiscard]] bool aligned(const wire::Tracker& session) const noexcept override;
    [[nodiscard]] wire::awaitable<Aligned> align(wire::Tracker& session, pool::Deadline deadline) override;
    [[nodiscard]] wire::awaitable<std::error_code> audit(wire::Tracker& session, pool::Deadline deadline,
                                                         wire::Outbox& to_client) override;
    [[nodiscard]] wire::awaitable<Tried> try_login(const dialects::Login& login, pool::Deadline deadline) override;
    void soil() noexcept override { soiled_ = true; }
    void mark_dead() noexcept override { dead_ = true; }

  private:
    [[nodiscard]] wire::awaitable<std::error_code> drain(pool::Deadline deadline);
    void note(const Changes& changes);
    [[nodiscard]] wire::awaitable<Aligned> bring(Settings wanted, pool::Deadline deadline);
    [[nodiscard]] wire::awaitable<std::error_code> run(wire::Exchange& exchange, pool::Deadline deadline);
    [[nodiscard]] wire::awaitable<std::error_code> run(Round& round, pool::Deadline deadline);

    std::unique_ptr<wire::Transport> transport_;
    wire::Inbox inbox_;
    Login login_;
    std::string address_;
    pool::Variant variant_;
    PostgresLease lease_;
    wire::Cancelling cancelling_;
    wire::Watch watch_;
    bool soiled_ = false;
    bool dead_ = false;
};

}  // namespace leasehold::postgres
