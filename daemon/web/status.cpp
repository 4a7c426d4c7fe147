// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/status.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace leasehold::daemon::web {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> shown{{
    {"POOLS", "Pools"},
    {"LEASES", "Who holds what, since when"},
    {"WAITERS", "Who waits"},
    {"QUARANTINE", "Unfinished transactions that were ended, newest first"},
    {"EVENTS", "Events, newest first"},
}};
constexpr std::size_t most_rows = 200;
// Of POOLS, which has a column for every program that reads it.
constexpr std::array<std::string_view, 14> pool_columns{
    "database", "user",    "pool_mode",   "size",   "checkedin", "checkedout", "overflow",
    "waiting",  "maxwait", "quarantined", "pinned", "cl_idle",   "status",     "last_error"};

constexpr std::string_view style =
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}"
    "h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .4rem}p{margin:.2rem 0;color:#555}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;white-space:nowrap}"
    "th,td{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.long{white-space:normal;min-width:20rem}"
    "tr.bad td{background:#fff0ee}.bad{color:#a30}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}p{color:#aaa}th,td{border-color:#444}"
    "tr.bad td{background:#411}}";

bool numeric(const dialects::Column& column) { return column.type != dialects::Column::Type::text; }

std::vector<std::size_t> columns_of(const Section& section) {
    std::vector<std::size_t> indexes;
    for (std::size_t i = 0; i < section.result.columns.size(); ++i) {
        const std::string& name = section.result.columns[i].name;
        if (section.name != "POOLS" || std::ranges::find(pool_columns, name) != pool_columns.end())
            indexes.push_back(i);
    }
    return indexes;
}

// A pool that serves nobody, or makes somebody wait.
bool bad(const Section& section, const std::vector<std::optional<std::string>>& row) {
    if (section.name != "POOLS") return false;
    for (std::size_t i = 0; i < row.size() && i < section.result.columns.size(); ++i) {
        const std::string& name = section.result.columns[i].name;
        if (name == "status" && row[i] != "ok") return true;
        if (name == "waiting" && row[i] != "0") return true;
    }
    return false;
}

void add_table(std::string& html, const Section& section) {
    const std::vector<std::size_t> columns = columns_of(section);
    html += "<div class=wide><table><tr>";
    for (const std::size_t i : columns) {
        const dialects::Column& column = section.result.columns[i];
        html += (numeric(column) ? "<th class=n>" : "<th>") + escaped(column.name) + "</th>";
    }
    html += "</tr>\n";
    const std::size_t count = std::min(section.result.rows.size(), most_rows);
    for (std::size_t r = 0; r < count; ++r) {
        const auto& row = section.result.rows[r];
        html += bad(section, row) ? "<tr class=bad>" : "<tr>";
        for (const std::size_t i : columns) {
            const std::string text = i < row.size() ? row[i].value_or(std::string()) : std::string();
            html += numeric(section.result.columns[i]) ? "<td class=n>" : text.size() > 60 ? "<td class=long>" : "<td>";
            html += escaped(text) + "</td>";
        }
        html += "</tr>\n";
    }
    html += "</table></div>\n";
    if (section.result.rows.size() > count) {
        html +=
            "<p>and " + std::to_string(section.result.rows.size() - count) + " more: SHOW " + section.name + "</p>\n";
    }
}

std::string duration(std::chrono::seconds time) {
    const auto seconds = time.count();
    const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    const std::string clock = two(seconds / 3600 % 24) + ':' + two(seconds / 60 % 60) + ':' + two(seconds % 60);
    return seconds < 86400 ? clock : std::to_string(seconds / 86400) + " d " + clock;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default: result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
        }
    }
    return result;
}

std::string page(const About& about, const std::vector<Section>& sections) {
    std::string html = "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><title>leasehold</title><style>";
    html += style;
    html += "</style></head><body>\n<h1>leasehold " + escaped(about.version) + "</h1>\n<p>up " +
            duration(about.uptime) + ", " + std::to_string(about.workers) + " workers, " +
            std::to_string(about.clients) + " of " + std::to_string(about.clients_limit) + " clients";
    if (about.draining) html += ", <b class=bad>shutting down</b>";
    html +=
        "</p>\n<p><a href=/metrics>/metrics</a> <a href=/healthz>/healthz</a> <a href=/readyz>/readyz</a> "
        "<a href=/status.json>/status.json</a></p>\n";
    for (const Section& section : sections) {
        html += "<h2>" + escaped(section.title) + "</h2>\n";
        if (!section.problem.empty()) {
            html += "<p class=bad>" + escaped(section.problem) + "</p>\n";
        } else if (section.result.rows.empty()) {
            html += "<p>none</p>\n";
        } else {
            add_table(html, section);
        }
    }
    return html + "</body></html>\n";
}

StatusTables::StatusTables(wire::Executor loop, const admin::Console& console, std::chrono::milliseconds patience)
    : loop_(loop), console_(console), patience_(patience), timer_(loop) {}

StatusTables::~StatusTables() = default;

void StatusTables::take(Then then) {
    next_.push_back(std::move(then));
    if (!running_) begin();
}

void StatusTables::begin() {
    running_ = true;
    served_.swap(next_);
    ++round_;
    sections_.clear();
    for (const auto& [name, title] : shown) sections_.push_back({std::string(name), std::string(title), {}, {}});
    missing_.assign(sections_.size(), true);
    timer_.expires_after(patience_);
    timer_.async_wait([this, round = round_](const boost::system::error_code& ec) {
        if (!ec && running_ && round == round_) finish();
    });
    for (std::size_t i = 0; i < sections_.size(); ++i) {
        // An answer may come from any thread, and before execute() returns.
        console_.execute("SHOW " + sections_[i].name, admin::Permission::read,
                         [this, round = round_, i](admin::Answer answer) {
                             boost::asio::post(loop_, [this, round, i, answer = std::move(answer)]() mutable {
                                 told(round, i, std::move(answer));
                             });
                         });
    }
}

void StatusTables::told(std::uint64_t round, std::size_t index, admin::Answer answer) {
    if (!running_ || round != round_) return;
    missing_[index] = false;
    sections_[index].result = std::move(answer.result);
    if (answer.error) sections_[index].problem = answer.error->message;
    if (std::ranges::find(missing_, true) == missing_.end()) finish();
}

void StatusTables::finish() {
    for (std::size_t i = 0; i < missing_.size(); ++i) {
        if (missing_[i]) sections_[i].problem = "not every worker answered in time; see /healthz";
    }
    timer_.cancel();
    running_ = false;
    const std::vector<Section> sections = std::exchange(sections_, {});
    const std::vector<Then> served = std::exchange(served_, {});
    for (const Then& then : served) then(sections);
    if (!next_.empty() && !running_) begin();
}

}  // namespace leasehold::daemon::web
