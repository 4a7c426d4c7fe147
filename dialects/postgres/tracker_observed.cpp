// SPDX-License-Identifier: Apache-2.0
// The session's statements for whoever observes it: what a Query says, what an Execute executes, and a Parse that nothing
// follows before its Sync. Nothing here decides anything; without an observer nothing of it is called.
#include "dialects/postgres/tracker.hpp"

#include <map>
#include <utility>

namespace leasehold::postgres {
namespace {

using Sort = wire::StatementObserver::Kind;

constexpr std::size_t kept_bytes = 4096;  // of a portal's text
constexpr std::size_t kept_portals = 64;

struct Text {
    std::string text;
    std::size_t length = 0;
    void assign(std::string_view sql, std::size_t all) {
        text.assign(sql.substr(0, kept_bytes));
        length = all;
    }
};

}  // namespace

struct TrackerState::Watching {
    wire::Observed statements;
    Text unnamed_portal;
    std::map<std::string, Text, std::less<>> portals;
    Text parsed;
    bool parses = false;  // since the last Sync, and nothing was executed
};

void Tracker::observe(wire::StatementObserver* observer) {
    watching_.reset();
    if (observer == nullptr) return;
    watching_ = std::make_shared<Watching>(Watching{wire::Observed(*observer), {}, {}, {}, false});
}

void Tracker::watch_query(std::string_view sql, std::size_t length) {
    watching_->parses = false;
    watching_->statements.begin(outstanding_.pushed(), {Sort::query, sql, length});
}

void Tracker::watch_call() {
    constexpr std::string_view text = "function call";
    watching_->statements.begin(outstanding_.pushed(), {Sort::call, text, text.size()});
}

void Tracker::watch_parse(std::string_view sql, std::size_t length) {
    watching_->parsed.assign(sql, length);
    watching_->parses = true;
}

// The text may be gone, or known by name only, when the portal is executed.
void Tracker::watch_bind(std::string_view portal, std::string_view sql) {
    if (portal.empty()) {
        watching_->unnamed_portal.assign(sql, sql.size());
        return;
    }
    auto& portals = watching_->portals;
    if (status_ == 'I' && !scope_open_) portals.clear();  // portals end with their transaction
    if (portals.size() < kept_portals || portals.contains(portal)) portals[std::string(portal)].assign(sql, sql.size());
}

void Tracker::watch_execute(std::string_view portal) {
    static const Text unknown;
    const auto named = watching_->portals.find(portal);
    const Text& text = portal.empty()                      ? watching_->unnamed_portal
                       : named == watching_->portals.end() ? unknown
                                                           : named->second;
    watching_->parses = false;
    watching_->statements.begin(outstanding_.pushed(), {Sort::execute, text.text, text.length});
}

void Tracker::watch_sync() {
    if (!std::exchange(watching_->parses, false) || outstanding_.back().has(Request::failed)) return;
    watching_->statements.begin(outstanding_.pushed(),
                                {Sort::prepare, watching_->parsed.text, watching_->parsed.length});
}

void Tracker::watch_done() noexcept { watching_->statements.done(outstanding_.first()); }

void Tracker::watch_error(Bytes body) noexcept {
    watching_->statements.failed(outstanding_.first(), sqlstate_in(body));
}

void Tracker::watch_ends() { watching_->statements.ended(outstanding_.first() - 1); }

void Tracker::watch_loss() {
    watch_ends();
    watching_->statements.lost();
}

}  // namespace leasehold::postgres
