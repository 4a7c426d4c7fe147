// SPDX-License-Identifier: Apache-2.0
// All counters, gauges and histograms of the process, each with one cell per worker. A cell is written by its worker's
// thread alone, with a relaxed load and store and no read-modify-write; anybody may read. Names and labels follow
// Prometheus; nothing here formats or serves them.
//
// A series lives as long as a Scope that registered it: a pool's scope dies with the pool and takes its series along.
// Handles are plain values that point into the registry; they must not be used after their scope is gone.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::daemon::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by the registry
using Cell = std::atomic<std::uint64_t>;

// The cells of one worker lie together, 4 KiB apart from the next worker's: no cache line has two writers.
inline constexpr std::size_t cells_per_worker = 512;

namespace detail {
inline void add(Cell* first, int worker, std::uint64_t n) noexcept {
    Cell& cell = first[static_cast<std::size_t>(worker) * cells_per_worker];
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}
}  // namespace detail

// `worker` is the index of the calling worker, 0 .. workers-1, or Registry::elsewhere(). A default-made handle may not
// be used.
class Counter {
  public:
    Counter() = default;
    void add(int worker, std::uint64_t n = 1) const noexcept { detail::add(first_, worker, n); }

  private:
    friend class Registry;
    friend class Scope;
    Cell* first_ = nullptr;
};

// The sum of what the workers hold.
class Gauge {
  public:
    Gauge() = default;
    void add(int worker, std::int64_t n) const noexcept { detail::add(first_, worker, static_cast<std::uint64_t>(n)); }
    void set(int worker, std::int64_t n) const noexcept {
        first_[static_cast<std::size_t>(worker) * cells_per_worker].store(static_cast<std::uint64_t>(n),
                                                                          std::memory_order_relaxed);
    }

  private:
    friend class Registry;
    friend class Scope;
    Cell* first_ = nullptr;
};

// Durations; shown in seconds. Cells: one per bound, one for everything longer, one for the sum in nanoseconds.
class Histogram {
  public:
    Histogram() = default;
    void observe(int worker, std::chrono::nanoseconds took) const noexcept {
        const std::int64_t nanoseconds = took.count() > 0 ? took.count() : 0;
        std::size_t bucket = 0;
        while (bucket < bounds_.size() && nanoseconds > bounds_[bucket]) ++bucket;
        detail::add(first_ + bucket, worker, 1);
        detail::add(first_ + bounds_.size() + 1, worker, static_cast<std::uint64_t>(nanoseconds));
    }

  private:
    friend class Registry;
    friend class Scope;
    Cell* first_ = nullptr;
    std::span<const std::int64_t> bounds_;  // nanoseconds, rising; owned by the registry
};

// From half a millisecond to a minute: waits, leases and dials alike.
[[nodiscard]] const std::vector<std::chrono::nanoseconds>& default_bounds();
// From a tenth of a millisecond: what a server does for a request.
[[nodiscard]] const std::vector<std::chrono::nanoseconds>& short_bounds();

enum class Type : std::uint8_t { counter, gauge, histogram };

// One series at one moment. The views are valid during the visit.
struct Sample {
    std::string_view name;
    std::string_view help;
    Type type = Type::counter;
    const Labels* labels = nullptr;
    std::int64_t value = 0;                // counter, gauge; histogram: how many were observed
    std::chrono::nanoseconds sum{0};       // histogram
    std::span<const std::int64_t> bounds;  // histogram, nanoseconds
    std::vector<std::uint64_t> buckets;    // histogram, cumulative, the last one is +Inf

    // The label's value, empty when there is none.
    [[nodiscard]] std::string_view label(std::string_view key) const noexcept;
};

class Registry;

// The series of one owner, all with the same first labels ({"pool", "orders"}). Two scopes that register the same name
// and labels share the series; it goes with the last of them. Thread-safe as the registry is.
class Scope {
  public:
    Scope() = default;
    Scope(Registry& registry, Labels labels);
    Scope(Scope&& other) noexcept;
    Scope& operator=(Scope&& other) noexcept;
    ~Scope();

    [[nodiscard]] Counter counter(std::string_view name, std::string_view help, Labels labels = {});
    [[nodiscard]] Gauge gauge(std::string_view name, std::string_view help, Labels labels = {});
    [[nodiscard]] Histogram histogram(std::string_view name, std::string_view help, Labels labels = {},
                                      const std::vector<std::chrono::nanoseconds>& bounds = default_bounds());

  private:
    void close() noexcept;
    [[nodiscard]] Labels with_own(Labels labels) const;

    Registry* registry_ = nullptr;
    Labels labels_;
    std::vector<std::pair<std::string, Labels>> series_;  // as registered
};

class Registry {
  public:
    // Beyond `max_series` of one name, further ones share a series whose label values are all "other".
    explicit Registry(int workers, std::size_t max_series = 4096);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // The index for the one thread that is no worker (main, the control plane).
    [[nodiscard]] int elsewhere() const noexcept { return workers_; }

    // For series that live as long as the process. Throws std::invalid_argument on a name that Prometheus would refuse
    // (a counter ends in _total) and std::logic_error when the name is taken with another type or other bounds.
    [[nodiscard]] Counter counter(std::string_view name, std::string_view help, Labels labels = {});
    [[nodiscard]] Gauge gauge(std::string_view name, std::string_view help, Labels labels = {});
    [[nodiscard]] Histogram histogram(std::string_view name, std::string_view help, Labels labels = {},
                                      const std::vector<std::chrono::nanoseconds>& bounds = default_bounds());

    // All series by name, then labels. The visitor must not register anything.
    void visit(const std::function<void(const Sample&)>& visitor) const;
    // The series of one name alone.
    void visit(std::string_view name, const std::function<void(const Sample&)>& visitor) const;
    // Of one series: a counter's or gauge's value, a histogram's count; none if there is no such series.
    [[nodiscard]] std::optional<std::int64_t> value(std::string_view name, Labels labels = {}) const;
    [[nodiscard]] std::size_t size() const;

  private:
    friend class Scope;
    struct Chunk;
    struct Series {
        Cell* first = nullptr;
        int owners = 0;
    };
    struct Family {
        std::string help;
        Type type = Type::counter;
        std::vector<std::int64_t> bounds;
        std::map<Labels, Series> series;
        [[nodiscard]] std::size_t cells() const noexcept { return type == Type::histogram ? bounds.size() + 2 : 1; }
    };
    struct Registered {
        Cell* first = nullptr;
        std::span<const std::int64_t> bounds;
        Labels labels;  // under which it stands
    };

    [[nodiscard]] Registered enter(std::string_view name, std::string_view help, Type type, Labels labels,
                                   std::vector<std::int64_t> bounds);
    void leave(const std::string& name, const Labels& labels) noexcept;
    [[nodiscard]] Cell* allocate(std::size_t cells);
    void release(Cell* first, std::size_t cells) noexcept;
    [[nodiscard]] std::uint64_t total(const Cell* first) const noexcept;
    [[nodiscard]] Sample sample(std::string_view name, const Family& family, const Labels& labels,
                                const Series& series) const;

    const int workers_;
    const std::size_t max_series_;
    mutable std::mutex mutex_;  // everything but the cells' values
    // A family stays for ever once registered: histogram handles point at its bounds.
    std::map<std::string, Family, std::less<>> families_;
    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::size_t used_in_last_ = cells_per_worker;
    std::map<std::size_t, std::vector<Cell*>> free_;  // by number of cells
};

}  // namespace leasehold::daemon::metrics
