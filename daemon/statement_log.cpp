// SPDX-License-Identifier: Apache-2.0
#include "daemon/statement_log.hpp"

#include "daemon/logging.hpp"

#include <algorithm>

namespace leasehold::daemon {
namespace {

constexpr std::size_t kept_bytes = 4096;       // of a statement as the client wrote it
constexpr std::size_t shown_bytes = 2048;      // of it, masked
constexpr std::size_t held_bytes = 64 * 1024;  // of all that a pipeline has under way

double milliseconds(wire::Clock::duration time) noexcept {
    return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

bool logs_statements(const Home& home) noexcept {
    return home.echoes.load(std::memory_order_relaxed) || slow_statement().count() > 0;
}

StatementLog::StatementLog(const Home& home, const wire::Tracker& tracker, std::uint64_t session,
                           const std::string& user, const std::string& client)
    : home_(home), tracker_(tracker), session_(session), user_(user), client_(client) {}

void StatementLog::began(const Begun& statement) {
    Running& added = running_.emplace_back();
    added.since = wire::Clock::now();
    added.kind = statement.kind;
    added.length = statement.length;
    if (held_ > held_bytes) return;
    added.text.assign(statement.text.substr(0, kept_bytes));
    held_ += added.text.size();
}

void StatementLog::ended(End how, std::string_view error) {
    if (running_.empty()) return;
    const Running statement = std::move(running_.front());
    running_.pop_front();
    held_ -= statement.text.size();
    // In a pipeline a statement's time begins when the one in front of it has ended.
    const auto now = wire::Clock::now();
    const auto took = now - std::max(statement.since, free_since_);
    free_since_ = now;
    const auto limit = slow_statement();
    const bool slow = limit.count() > 0 && took >= limit && how != End::skipped;
    if (slow || home_.echoes.load(std::memory_order_relaxed)) write(statement, took, how, error);
}

void StatementLog::write(const Running& statement, wire::Clock::duration took, End how, std::string_view error) const {
    std::string shown = tracker_.masked(statement.text, shown_bytes);
    const bool whole = statement.length <= statement.text.size() && shown.size() + 4 <= shown_bytes;
    if (!whole && !shown.empty()) shown += " ...";
    if (shown.empty()) shown = statement.length == 0 ? "(empty, or its text is not known)" : "(not kept)";
    const std::string_view application = tracker_.application();
    std::vector<LogField> fields{
        {"session", session_},      {"pool", home_.name()},           {"user", user_},
        {"client", client_},        {"application", application},     {"kind", wire::to_string(statement.kind)},
        {"ms", milliseconds(took)}, {"outcome", wire::to_string(how)}};
    if (how == End::failed) fields.push_back({"error", error});
    if (!whole) fields.push_back({"length", statement.length});
    fields.push_back({"statement", LogValue::whole(shown)});
    if (home_.echoes.load(std::memory_order_relaxed)) log_each(LogLevel::info, "statement", fields);
    const auto limit = slow_statement();
    if (limit.count() == 0 || took < limit || how == End::skipped) return;
    log_kin(LogLevel::warn, home_.name() + '\0' + shown, "slow_statement", fields);
}

}  // namespace leasehold::daemon
