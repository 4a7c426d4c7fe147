// SPDX-License-Identifier: Apache-2.0
// The gauges of one moment: what each worker says of its pools and sessions, put together. Workers are asked by post();
// one that does not answer in time is missing, and is asked nothing more until it has answered.
#pragma once

#include "daemon/metrics/traffic.hpp"
#include "daemon/shared.hpp"
#include "pool/stats.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leasehold::daemon::web {

enum class ClientState : std::uint8_t { login, idle, waiting, active, replication, console };
inline constexpr std::size_t client_states = 6;
[[nodiscard]] std::string_view to_string(ClientState state) noexcept;

struct PoolFigures {
    int size = 0, limit = 0, open = 0, checked_in = 0, checked_out = 0, overflow = 0;  // limit -1: none
    int dialling = 0, quarantined = 0, waiting = 0;
    std::chrono::milliseconds oldest_wait{0}, oldest_transaction{0};
    std::map<std::string, int, std::less<>> pinned;  // by reason, a bounded number of them
    int clients_active = 0, clients_waiting = 0, clients_idle = 0;
    bool paused = false, failing = false;

    void add(const PoolFigures& more);
};

struct Figures {
    // By pool and user. One of a name that a reload is replacing by another counts as one with it.
    std::map<std::pair<std::string, std::string>, PoolFigures> pools;
    std::array<int, client_states> clients{};
    std::vector<int> missing;  // workers

    void add(const Figures& more);
};

using metrics::pin_label;
// On the worker's thread.
[[nodiscard]] Figures figures_of(const Worker& worker);

// The loop's thread only. Outlives no worker thread: those are joined before it goes.
class Sampler {
  public:
    Sampler(wire::Executor loop, Shared& shared, std::chrono::milliseconds patience);
    ~Sampler();
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    // Figures that were taken after this call. Those who ask while others are served are served together, next.
    using Then = std::function<void(const Figures&)>;
    void take(Then then);

  private:
    void begin();
    void ask(std::size_t worker);
    void told(std::size_t worker, std::uint64_t round, Figures figures);
    void finish();

    wire::Executor loop_;
    Shared& shared_;
    const std::chrono::milliseconds patience_;
    boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor> timer_;
    std::vector<Then> served_, next_;
    std::vector<bool> asked_, answered_;  // by worker: a question is on its way; this round has its answer
    std::uint64_t round_ = 0;
    bool running_ = false;
    Figures figures_;
};

}  // namespace leasehold::daemon::web
