// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/exposition.hpp"

#include "daemon/metrics/catalog.hpp"
#include "dialects/wire/text.hpp"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>

namespace leasehold::daemon::web {
namespace {

namespace names = metrics::names;
using metrics::Type;
using Label = prometheus::ClientMetric::Label;
using Labels = std::vector<Label>;

constexpr double per_second = 1e9;

prometheus::MetricType type_of(Type type) noexcept {
    switch (type) {
        case Type::counter: return prometheus::MetricType::Counter;
        case Type::gauge: return prometheus::MetricType::Gauge;
        case Type::histogram: return prometheus::MetricType::Histogram;
    }
    return prometheus::MetricType::Untyped;
}

using wire::as_utf8;  // label values are bytes that clients chose in part; the format is UTF-8

class Families {
  public:
    // Families stand in the order of their first sample.
    prometheus::ClientMetric& add(std::string_view name, Labels labels) {
        if (families_.empty() || families_.back().name != name) {
            const metrics::Metric* const known = metrics::find_metric(name);
            begin(name, known->help, known->type);
        }
        auto& metric = families_.back().metric.emplace_back();
        metric.label = std::move(labels);
        return metric;
    }

    void gauge(std::string_view name, double value, Labels labels = {}) {
        add(name, std::move(labels)).gauge.value = value;
    }
    void counter(std::string_view name, double value, Labels labels = {}) {
        add(name, std::move(labels)).counter.value = value;
    }

    void sample(const metrics::Sample& sample) {
        if (families_.empty() || families_.back().name != sample.name) {
            const metrics::Metric* const known = metrics::find_metric(sample.name);
            begin(sample.name, known != nullptr ? known->help : sample.help, sample.type);
        }
        auto& metric = families_.back().metric.emplace_back();
        for (const auto& [key, value] : *sample.labels) metric.label.push_back({key, as_utf8(value)});
        if (sample.type == Type::counter) {
            metric.counter.value = static_cast<double>(sample.value);
        } else if (sample.type == Type::gauge) {
            metric.gauge.value = static_cast<double>(sample.value);
        } else {
            histogram(sample, metric.histogram);
        }
    }

    [[nodiscard]] std::string text() const {
        std::ostringstream out;
        prometheus::TextSerializer{}.Serialize(out, families_);
        return std::move(out).str();
    }

  private:
    void begin(std::string_view name, std::string_view help, Type type) {
        auto& family = families_.emplace_back();
        family.name = name;
        family.help = help;
        family.type = type_of(type);
    }

    static void histogram(const metrics::Sample& sample, prometheus::ClientMetric::Histogram& to) {
        to.sample_count = static_cast<std::uint64_t>(sample.value);
        to.sample_sum = static_cast<double>(sample.sum.count()) / per_second;
        for (std::size_t i = 0; i < sample.buckets.size(); ++i) {
            const double bound = i < sample.bounds.size() ? static_cast<double>(sample.bounds[i]) / per_second
                                                          : std::numeric_limits<double>::infinity();
            to.bucket.push_back({sample.buckets[i], bound});
        }
    }

    std::vector<prometheus::MetricFamily> families_;
};

// One gauge of every pool.
template <class Value>
void pool_gauge(Families& families, const Figures& figures, std::string_view name, Value value) {
    for (const auto& [key, pool] : figures.pools) {
        families.gauge(name, static_cast<double>(value(pool)),
                       {{"pool", as_utf8(key.first)}, {"user", as_utf8(key.second)}});
    }
}

double in_seconds(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

void add_pools(Families& families, const Figures& figures) {
    const auto gauge = [&](std::string_view name, auto value) { pool_gauge(families, figures, name, value); };
    gauge(names::size, [](const PoolFigures& pool) { return pool.size; });
    gauge(names::limit, [](const PoolFigures& pool) {
        return pool.limit < 0 ? std::numeric_limits<double>::infinity() : static_cast<double>(pool.limit);
    });
    gauge(names::open, [](const PoolFigures& pool) { return pool.open; });
    gauge(names::checked_in, [](const PoolFigures& pool) { return pool.checked_in; });
    gauge(names::checked_out, [](const PoolFigures& pool) { return pool.checked_out; });
    gauge(names::overflow, [](const PoolFigures& pool) { return pool.overflow; });
    gauge(names::dialling, [](const PoolFigures& pool) { return pool.dialling; });
    gauge(names::quarantined, [](const PoolFigures& pool) { return pool.quarantined; });
    gauge(names::waiting, [](const PoolFigures& pool) { return pool.waiting; });
    gauge(names::oldest_wait, [](const PoolFigures& pool) { return in_seconds(pool.oldest_wait); });
    gauge(names::oldest_transaction, [](const PoolFigures& pool) { return in_seconds(pool.oldest_transaction); });
    gauge(names::paused, [](const PoolFigures& pool) { return pool.paused; });
    gauge(names::failing, [](const PoolFigures& pool) { return pool.failing; });
    for (const auto& [key, pool] : figures.pools) {
        for (const auto& [reason, count] : pool.pinned) {
            families.gauge(names::pinned, count,
                           {{"pool", as_utf8(key.first)}, {"user", as_utf8(key.second)}, {"reason", as_utf8(reason)}});
        }
    }
    for (const auto& [key, pool] : figures.pools) {
        const std::array states{std::pair("active", pool.clients_active), std::pair("waiting", pool.clients_waiting),
                                std::pair("idle", pool.clients_idle)};
        for (const auto& [state, count] : states) {
            families.gauge(names::pool_clients, count,
                           {{"pool", as_utf8(key.first)}, {"user", as_utf8(key.second)}, {"state", state}});
        }
    }
}

void add_daemon(Families& families, const Figures& figures, const Facts& facts) {
    for (std::size_t i = 0; i < figures.clients.size(); ++i) {
        families.gauge(names::clients, figures.clients[i],
                       {{"state", std::string(to_string(static_cast<ClientState>(i)))}});
    }
    families.gauge(names::clients_limit, facts.clients_limit);
    families.gauge(names::workers, static_cast<double>(facts.workers));
    families.gauge(names::draining, facts.draining ? 1 : 0);
    families.gauge(names::build_info, 1, {{"version", LEASEHOLD_VERSION}});
    families.gauge(names::scrape_incomplete, static_cast<double>(figures.missing.size()));
}

void add_process(Families& families, const Process& process) {
    families.counter(names::cpu_seconds, process.cpu_seconds);
    families.gauge(names::start_time, process.start_time);
    families.gauge(names::resident_memory, static_cast<double>(process.resident_bytes));
    families.gauge(names::virtual_memory, static_cast<double>(process.virtual_bytes));
    families.gauge(names::open_files, static_cast<double>(process.open_files));
    families.gauge(names::max_files, process.max_files ? static_cast<double>(*process.max_files)
                                                       : std::numeric_limits<double>::infinity());
}

}  // namespace

std::string exposition(const metrics::Registry& registry, const Figures& figures, const Facts& facts,
                       const Process& process) {
    Families families;
    add_pools(families, figures);
    registry.visit([&families](const metrics::Sample& sample) { families.sample(sample); });
    add_daemon(families, figures, facts);
    add_process(families, process);
    return families.text();
}

}  // namespace leasehold::daemon::web
