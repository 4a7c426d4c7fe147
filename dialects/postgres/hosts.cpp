// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/hosts.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {
namespace {

constexpr std::chrono::hours old_for(1);

constexpr std::array<std::string_view, 6> words{"any",     "read-write", "read-only",
                                                "primary", "standby",    "prefer-standby"};

}  // namespace

void OldServers::note_old(const std::string& host, Time now) {
    const std::lock_guard lock(mutex_);
    until_[host] = now + old_for;
}

bool OldServers::found_old(const std::string& host, Time now) const {
    const std::lock_guard lock(mutex_);
    const auto at = until_.find(host);
    return at != until_.end() && now < at->second;
}

OldServers& old_servers() {
    static OldServers servers;
    return servers;
}

TargetSession target_session(std::string_view word) noexcept {
    const auto at = std::find(words.begin(), words.end(), word);
    return at == words.end() ? TargetSession::any : static_cast<TargetSession>(at - words.begin());
}

Fit judge(TargetSession wanted, const ServerRole& role) noexcept {
    switch (wanted) {
        case TargetSession::any: return Fit::fits;
        case TargetSession::read_write:
        case TargetSession::read_only: {
            if (role.in_hot_standby.empty() || role.default_transaction_read_only.empty()) return Fit::ask_read_only;
            const bool read_only = role.in_hot_standby == "on" || role.default_transaction_read_only == "on";
            return judge(wanted, read_only) ? Fit::fits : Fit::unfit;
        }
        case TargetSession::primary:
        case TargetSession::standby:
        case TargetSession::prefer_standby: break;
    }
    if (role.in_hot_standby.empty()) return Fit::ask_recovery;
    return judge(wanted, role.in_hot_standby == "on") ? Fit::fits : Fit::unfit;
}

bool judge(TargetSession wanted, bool answer) noexcept {
    switch (wanted) {
        case TargetSession::any: return true;
        case TargetSession::read_write:
        case TargetSession::primary: return !answer;
        case TargetSession::read_only:
        case TargetSession::standby:
        case TargetSession::prefer_standby: break;
    }
    return answer;
}

std::string_view unfit_because(TargetSession wanted) noexcept {
    switch (wanted) {
        case TargetSession::any: break;
        case TargetSession::read_write: return "its sessions are read-only (target_session_attrs=read-write)";
        case TargetSession::read_only: return "its sessions are not read-only (target_session_attrs=read-only)";
        case TargetSession::primary: return "the server is a standby (target_session_attrs=primary)";
        case TargetSession::standby: return "the server is no standby (target_session_attrs=standby)";
        case TargetSession::prefer_standby: return "the server is no standby (target_session_attrs=prefer-standby)";
    }
    return {};
}

// The count of rows in the command tag is the answer: no row has to be read.
AskRole::AskRole(Fit question)
    : Round(question == Fit::ask_read_only ? "SELECT 1 WHERE pg_catalog.current_setting('transaction_read_only') = 'on'"
                                           : "SELECT 1 WHERE pg_catalog.pg_is_in_recovery()") {}

std::error_code AskRole::judge() {
    if (tag() != "SELECT 1" && tag() != "SELECT 0") {
        diagnostics_ = {"08P01", 0, "the reply does not answer what was asked", false};
        return wire::errc::protocol_violation;
    }
    answer_ = tag() == "SELECT 1";
    return must_be_idle();
}

}  // namespace leasehold::postgres
