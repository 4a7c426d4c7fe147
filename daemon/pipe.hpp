// SPDX-License-Identifier: Apache-2.0
// Two connections joined for good: what one side sends is written to the other, unread, until either ends (replication).
// A side that does not take more stops the other; between two messages of the server it can be stopped with a last word.
#pragma once

#include "daemon/metrics/traffic.hpp"
#include "dialects/dialect.hpp"

#include <optional>

namespace leasehold::daemon {

class Pipe {
  public:
    enum class End : std::uint8_t {
        client_gone,
        server_gone,  // everything it sent has been given to the client
        stopped,      // stop(): something may be said to the client now, if speakable()
    };

    // All references outlive the pipe; `buffer` is the worker's, used within one callback only; `traffic` is the pool's
    // (null: nobody counts).
    Pipe(wire::Transport& client, wire::Inbox from_client, dialects::Backend& server, wire::Seam& seam,
         std::span<std::uint8_t> buffer, const metrics::Traffic* traffic = nullptr);
    ~Pipe();
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[nodiscard]] wire::awaitable<End> run();
    // At the end of the message on its way, within a second.
    void stop();
    void tick(wire::Clock::time_point now);
    [[nodiscard]] bool speakable() const noexcept { return seam_.between(); }

  private:
    void client_readable();
    void server_readable();
    void to_server(wire::Bytes bytes);
    void to_client(wire::Bytes bytes);
    void flush_server();
    void flush_client();
    void finish(End end);

    wire::Transport& client_;
    wire::Transport& server_;
    wire::Inbox from_client_, from_server_;
    wire::Seam& seam_;
    std::span<std::uint8_t> buffer_;
    const metrics::Traffic* traffic_;
    wire::Outbox out_;
    std::optional<End> end_;
    wire::Callback resume_;
    bool stopping_ = false;
    bool server_over_ = false;  // its end was read; the client has still to take what came before
    wire::Clock::time_point stop_by_ = wire::Clock::time_point::max();
};

}  // namespace leasehold::daemon
