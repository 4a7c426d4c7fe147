// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/stats.hpp"

#include "daemon/metrics/names.hpp"

#include <algorithm>

namespace leasehold::daemon::admin {
namespace {

namespace names = metrics::names;
using Type = dialects::Column::Type;
using Columns = std::vector<dialects::Column>;

constexpr auto sample_every = std::chrono::seconds(5);
constexpr auto remembered = std::chrono::seconds(60);

// A figure, and the metric whose series are added up in it.
struct Statistic {
    std::string_view metric;
    bool sum = false;                 // a histogram's sum, in microseconds, instead of a count
    std::string_view total, average;  // the columns of STATS
    std::string_view plain;           // the column of STATS_TOTALS and STATS_AVERAGES
    std::string_view row;             // in TOTALS, behind total_ and avg_
};
constexpr std::array<Statistic, figures> statistics{{
    {names::transactions, false, "total_xact_count", "avg_xact_count", "xact_count", "xact_count"},
    {names::queries, false, "total_query_count", "avg_query_count", "query_count", "query_count"},
    {names::received_bytes, false, "total_received", "avg_recv", "bytes_received", "client_bytes"},
    {names::sent_bytes, false, "total_sent", "avg_sent", "bytes_sent", "server_bytes"},
    {names::transaction_seconds, true, "total_xact_time", "avg_xact_time", "xact_time", "xact_time"},
    {names::query_seconds, true, "total_query_time", "avg_query_time", "query_time", "query_time"},
    {names::wait_seconds, true, "total_wait_time", "avg_wait_time", "wait_time", "wait_time"},
}};
enum : std::size_t { transactions, queries, received, sent, transaction_time, query_time, wait_time };

// Ours, behind PgBouncer's columns of STATS.
struct Own {
    std::string_view column;
    std::string_view metric;
    bool sum = false;
};
constexpr std::array own{
    Own{"total_requests", names::queries},  // as PgBouncer called it before 1.8; exporters ask for it still
    Own{"total_lease_time", names::lease_seconds, true},
    Own{"checkouts", names::checkouts},
    Own{"checkins", names::checkins},
    Own{"timeouts", names::timeouts},
    Own{"connects", names::connects},
    Own{"connect_failures", names::connect_failures},
    Own{"resets", names::resets},
    Own{"invalidations", names::invalidations},
    Own{"closes", names::closes},
    Own{"quarantines", names::quarantines},
};

// By pool, the series of one metric added up.
std::map<std::string, std::int64_t, std::less<>> added_up(const metrics::Registry& registry, std::string_view metric,
                                                          bool sum) {
    std::map<std::string, std::int64_t, std::less<>> pools;
    registry.visit(metric, [&](const metrics::Sample& sample) {
        const std::string_view pool = sample.label("pool");
        if (pool.empty()) return;
        const auto microseconds = std::chrono::floor<std::chrono::microseconds>(sample.sum).count();
        pools[std::string(pool)] += sum ? microseconds : sample.value;
    });
    return pools;
}

std::int64_t rounded(double value) { return static_cast<std::int64_t>(value + 0.5); }

Figures average(const Figures& before, const Figures& now, double seconds) {
    Figures delta{};
    for (std::size_t i = 0; i < figures; ++i) delta[i] = std::max<std::int64_t>(now[i] - before[i], 0);
    const auto each = [&](std::size_t time, std::size_t count) {
        return delta[count] == 0 ? 0 : rounded(static_cast<double>(delta[time]) / static_cast<double>(delta[count]));
    };
    Figures result{};
    for (const std::size_t i : {transactions, queries, received, sent, wait_time}) {
        result[i] = rounded(static_cast<double>(delta[i]) / seconds);
    }
    result[transaction_time] = each(transaction_time, transactions);
    result[query_time] = each(query_time, queries);
    return result;
}

void append(Row& row, const Figures& values) {
    for (const std::int64_t value : values) row.emplace_back(std::to_string(value));
}

Rows plain_rows(const PoolFigures& pools) {
    Rows rows;
    for (const auto& [pool, values] : pools) append(rows.emplace_back(Row{pool}), values);
    return rows;
}

Rows stats_rows(const metrics::Registry& registry, const Averages& averages) {
    const PoolFigures all = totals(registry);
    const PoolFigures lately = averages.of(all);
    Rows rows;
    for (const auto& [pool, values] : all) {
        append(rows.emplace_back(Row{pool}), values);
        append(rows.back(), lately.at(pool));
    }
    for (const Own& statistic : own) {
        const auto pools = added_up(registry, statistic.metric, statistic.sum);
        for (Row& row : rows) {
            const auto found = pools.find(*row.front());
            row.emplace_back(std::to_string(found == pools.end() ? 0 : found->second));
        }
    }
    return rows;
}

Rows totals_rows(const metrics::Registry& registry, const Averages& averages) {
    Figures total{}, average_of{};
    std::array<double, figures> weighted{};
    const PoolFigures all = totals(registry);
    const PoolFigures lately = averages.of(all);
    for (const auto& [pool, values] : all) {
        const Figures& now = lately.at(pool);
        for (std::size_t i = 0; i < figures; ++i) total[i] += values[i];
        for (const std::size_t i : {transactions, queries, received, sent, wait_time}) average_of[i] += now[i];
        // The averages of times are per transaction and per query: each pool's has its share of these.
        weighted[transaction_time] +=
            static_cast<double>(now[transaction_time]) * static_cast<double>(now[transactions]);
        weighted[query_time] += static_cast<double>(now[query_time]) * static_cast<double>(now[queries]);
    }
    for (const auto& [time, count] : {std::pair{transaction_time, transactions}, std::pair{query_time, queries}}) {
        if (average_of[count] > 0) average_of[time] = rounded(weighted[time] / static_cast<double>(average_of[count]));
    }
    Rows rows;
    for (const auto& [prefix, values] : {std::pair{"total_", &total}, std::pair{"avg_", &average_of}}) {
        for (std::size_t i = 0; i < figures; ++i) {
            rows.push_back({prefix + std::string(statistics[i].row), std::to_string((*values)[i])});
        }
    }
    return rows;
}

Columns stats_columns() {
    Columns columns{{"database", Type::text}};
    for (const Statistic& one : statistics) columns.push_back({std::string(one.total), Type::integer});
    for (const Statistic& one : statistics) columns.push_back({std::string(one.average), Type::integer});
    for (const Own& one : own) columns.push_back({std::string(one.column), Type::integer});
    return columns;
}

Columns plain_columns() {
    Columns columns{{"database", Type::text}};
    for (const Statistic& one : statistics) columns.push_back({std::string(one.plain), Type::integer});
    return columns;
}

}  // namespace

PoolFigures totals(const metrics::Registry& registry) {
    PoolFigures pools;
    for (std::size_t i = 0; i < figures; ++i) {
        for (const auto& [pool, value] : added_up(registry, statistics[i].metric, statistics[i].sum)) {
            pools[pool][i] = value;
        }
    }
    return pools;
}

void Averages::sample(const metrics::Registry& registry, Time now) {
    {
        const std::lock_guard lock(mutex_);
        if (!samples_.empty() && now - samples_.back().at < sample_every) return;
    }
    PoolFigures totals_now = totals(registry);
    const std::lock_guard lock(mutex_);
    samples_.push_back({now, std::move(totals_now)});
    while (samples_.size() > 1 && now - samples_[1].at >= remembered) samples_.pop_front();
}

PoolFigures Averages::of(const PoolFigures& totals, Time now) const {
    PoolFigures result;
    const std::lock_guard lock(mutex_);
    const bool known = !samples_.empty() && now > samples_.front().at;
    for (const auto& [pool, values] : totals) {
        Figures& lately = result[pool];
        if (!known) continue;
        const Sample& oldest = samples_.front();
        const auto before = oldest.totals.find(pool);
        lately = average(before == oldest.totals.end() ? Figures{} : before->second, values,
                         std::chrono::duration<double>(now - oldest.at).count());
    }
    return result;
}

void register_stats(Tables& tables, const metrics::Registry& registry, const Averages& averages) {
    tables.add({"STATS", stats_columns(), Permission::read,
                "each pool's counters since the start, and averages of the last minute",
                [&](const Done& done) { done(stats_rows(registry, averages)); }});
    tables.add({"STATS_TOTALS", plain_columns(), Permission::read, "each pool's totals since the start",
                [&](const Done& done) { done(plain_rows(totals(registry))); }});
    tables.add({"STATS_AVERAGES", plain_columns(), Permission::read,
                "each pool's averages of the last minute, counts per second and times in microseconds",
                [&](const Done& done) { done(plain_rows(averages.of(totals(registry)))); }});
    tables.add({"TOTALS",
                {{"name", Type::text}, {"value", Type::integer}},
                Permission::read,
                "totals and averages of all pools together",
                [&](const Done& done) { done(totals_rows(registry, averages)); }});
}

}  // namespace leasehold::daemon::admin
