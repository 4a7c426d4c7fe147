// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/registry.hpp"

#include <algorithm>
#include <stdexcept>

namespace leasehold::daemon::metrics {
namespace {

constexpr std::size_t cache_line = 64;

bool starts_name(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_name(std::string_view text) noexcept {
    if (text.empty() || !starts_name(text.front())) return false;
    return std::ranges::all_of(text, [](char c) { return starts_name(c) || (c >= '0' && c <= '9'); });
}

void check_names(std::string_view name, Type type, const Labels& labels) {
    const bool counts = type == Type::counter;
    if (!is_name(name) || counts != name.ends_with("_total")) {
        throw std::invalid_argument("not a metric's name: " + std::string(name));
    }
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::string& key = labels[i].first;
        if (!is_name(key) || key == "le" || (i > 0 && key == labels[i - 1].first)) {
            throw std::invalid_argument("not a label's name in " + std::string(name) + ": " + key);
        }
    }
}

std::vector<std::int64_t> in_nanoseconds(const std::vector<std::chrono::nanoseconds>& bounds) {
    std::vector<std::int64_t> result;
    result.reserve(bounds.size());
    for (const auto bound : bounds) {
        if (!result.empty() && bound.count() <= result.back()) {
            throw std::invalid_argument("a histogram's bounds must rise");
        }
        result.push_back(bound.count());
    }
    if (result.size() + 2 > cells_per_worker) throw std::invalid_argument("too many bounds in a histogram");
    return result;
}

}  // namespace

const std::vector<std::chrono::nanoseconds>& default_bounds() {
    using namespace std::chrono_literals;
    static const std::vector<std::chrono::nanoseconds> bounds{500us, 1ms,   2500us, 5ms,    10ms, 25ms, 50ms, 100ms,
                                                              250ms, 500ms, 1s,     2500ms, 5s,   10s,  30s,  60s};
    return bounds;
}

const std::vector<std::chrono::nanoseconds>& short_bounds() {
    using namespace std::chrono_literals;
    static const std::vector<std::chrono::nanoseconds> bounds = [] {
        std::vector<std::chrono::nanoseconds> all{100us, 250us};
        all.insert(all.end(), default_bounds().begin(), default_bounds().end());
        return all;
    }();
    return bounds;
}

std::string_view Sample::label(std::string_view key) const noexcept {
    for (const auto& [name_of, value_of] : *labels) {
        if (name_of == key) return value_of;
    }
    return {};
}

// One allocation for all workers: worker w's cells begin at w * cells_per_worker. One more for elsewhere().
struct Registry::Chunk {
    explicit Chunk(int workers)
        : size(static_cast<std::size_t>(workers + 1) * cells_per_worker),
          cells(static_cast<Cell*>(::operator new (size * sizeof(Cell), std::align_val_t{cache_line}))) {
        std::uninitialized_value_construct_n(cells, size);
    }
    ~Chunk() { ::operator delete (cells, std::align_val_t{cache_line}); }
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;

    const std::size_t size;
    Cell* const cells;
};

Registry::Registry(int workers, std::size_t max_series) : workers_(std::max(workers, 1)), max_series_(max_series) {}

Registry::~Registry() = default;

Counter Registry::counter(std::string_view name, std::string_view help, Labels labels) {
    Counter handle;
    handle.first_ = enter(name, help, Type::counter, std::move(labels), {}).first;
    return handle;
}

Gauge Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
    Gauge handle;
    handle.first_ = enter(name, help, Type::gauge, std::move(labels), {}).first;
    return handle;
}

Histogram Registry::histogram(std::string_view name, std::string_view help, Labels labels,
                              const std::vector<std::chrono::nanoseconds>& bounds) {
    const Registered entered = enter(name, help, Type::histogram, std::move(labels), in_nanoseconds(bounds));
    Histogram handle;
    handle.first_ = entered.first;
    handle.bounds_ = entered.bounds;
    return handle;
}

Registry::Registered Registry::enter(std::string_view name, std::string_view help, Type type, Labels labels,
                                     std::vector<std::int64_t> bounds) {
    std::ranges::sort(labels);
    check_names(name, type, labels);
    const std::lock_guard lock(mutex_);
    auto [at, is_new] = families_.try_emplace(std::string(name));
    Family& family = at->second;
    if (is_new) {
        family.help = help;
        family.type = type;
        family.bounds = std::move(bounds);
    } else if (family.type != type || family.bounds != bounds) {
        throw std::logic_error("registered before with another type or other bounds: " + std::string(name));
    }
    if (family.series.size() >= max_series_ && !family.series.contains(labels)) {
        for (auto& label : labels) label.second = "other";
    }
    Series& series = family.series[labels];
    if (series.owners == 0) series.first = allocate(family.cells());
    ++series.owners;
    return {series.first, family.bounds, std::move(labels)};
}

void Registry::leave(const std::string& name, const Labels& labels) noexcept {
    const std::lock_guard lock(mutex_);
    const auto family = families_.find(name);
    if (family == families_.end()) return;
    const auto series = family->second.series.find(labels);
    if (series == family->second.series.end() || --series->second.owners > 0) return;
    release(series->second.first, family->second.cells());
    family->second.series.erase(series);
}

Cell* Registry::allocate(std::size_t cells) {
    if (auto& same_size = free_[cells]; !same_size.empty()) {
        Cell* const first = same_size.back();
        same_size.pop_back();
        return first;
    }
    if (used_in_last_ + cells > cells_per_worker) {
        chunks_.push_back(std::make_unique<Chunk>(workers_));
        used_in_last_ = 0;
    }
    Cell* const first = chunks_.back()->cells + used_in_last_;
    used_in_last_ += cells;
    return first;
}

void Registry::release(Cell* first, std::size_t cells) noexcept {
    for (std::size_t worker = 0; worker <= static_cast<std::size_t>(workers_); ++worker) {
        for (std::size_t i = 0; i < cells; ++i) {
            first[worker * cells_per_worker + i].store(0, std::memory_order_relaxed);
        }
    }
    free_[cells].push_back(first);
}

std::uint64_t Registry::total(const Cell* first) const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t worker = 0; worker <= static_cast<std::size_t>(workers_); ++worker) {
        sum += first[worker * cells_per_worker].load(std::memory_order_relaxed);
    }
    return sum;
}

Sample Registry::sample(std::string_view name, const Family& family, const Labels& labels, const Series& series) const {
    Sample result;
    result.name = name;
    result.help = family.help;
    result.type = family.type;
    result.labels = &labels;
    if (family.type != Type::histogram) {
        result.value = static_cast<std::int64_t>(total(series.first));
        return result;
    }
    result.bounds = family.bounds;
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket <= family.bounds.size(); ++bucket) {
        below += total(series.first + bucket);
        result.buckets.push_back(below);
    }
    result.value = static_cast<std::int64_t>(below);
    result.sum = std::chrono::nanoseconds(static_cast<std::int64_t>(total(series.first + family.bounds.size() + 1)));
    return result;
}

void Registry::visit(const std::function<void(const Sample&)>& visitor) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
        for (const auto& [labels, series] : family.series) visitor(sample(name, family, labels, series));
    }
}

void Registry::visit(std::string_view name, const std::function<void(const Sample&)>& visitor) const {
    const std::lock_guard lock(mutex_);
    const auto family = families_.find(name);
    if (family == families_.end()) return;
    for (const auto& [labels, series] : family->second.series) visitor(sample(name, family->second, labels, series));
}

std::optional<std::int64_t> Registry::value(std::string_view name, Labels labels) const {
    std::ranges::sort(labels);
    const std::lock_guard lock(mutex_);
    const auto family = families_.find(name);
    if (family == families_.end()) return std::nullopt;
    const auto series = family->second.series.find(labels);
    if (series == family->second.series.end()) return std::nullopt;
    return sample(name, family->second, labels, series->second).value;
}

std::size_t Registry::size() const {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [name, family] : families_) count += family.series.size();
    return count;
}

Scope::Scope(Registry& registry, Labels labels) : registry_(&registry), labels_(std::move(labels)) {}

Scope::Scope(Scope&& other) noexcept
    : registry_(std::exchange(other.registry_, nullptr)), labels_(std::move(other.labels_)),
      series_(std::move(other.series_)) {}

Scope& Scope::operator=(Scope&& other) noexcept {
    if (this != &other) {
        close();
        registry_ = std::exchange(other.registry_, nullptr);
        labels_ = std::move(other.labels_);
        series_ = std::move(other.series_);
    }
    return *this;
}

Scope::~Scope() { close(); }

void Scope::close() noexcept {
    if (registry_ == nullptr) return;
    for (const auto& [name, labels] : series_) registry_->leave(name, labels);
    series_.clear();
    registry_ = nullptr;
}

Labels Scope::with_own(Labels labels) const {
    labels.insert(labels.end(), labels_.begin(), labels_.end());
    return labels;
}

Counter Scope::counter(std::string_view name, std::string_view help, Labels labels) {
    auto entered = registry_->enter(name, help, Type::counter, with_own(std::move(labels)), {});
    series_.emplace_back(std::string(name), std::move(entered.labels));
    Counter handle;
    handle.first_ = entered.first;
    return handle;
}

Gauge Scope::gauge(std::string_view name, std::string_view help, Labels labels) {
    auto entered = registry_->enter(name, help, Type::gauge, with_own(std::move(labels)), {});
    series_.emplace_back(std::string(name), std::move(entered.labels));
    Gauge handle;
    handle.first_ = entered.first;
    return handle;
}

Histogram Scope::histogram(std::string_view name, std::string_view help, Labels labels,
                           const std::vector<std::chrono::nanoseconds>& bounds) {
    auto entered = registry_->enter(name, help, Type::histogram, with_own(std::move(labels)), in_nanoseconds(bounds));
    series_.emplace_back(std::string(name), std::move(entered.labels));
    Histogram handle;
    handle.first_ = entered.first;
    handle.bounds_ = entered.bounds;
    return handle;
}

}  // namespace leasehold::daemon::metrics
