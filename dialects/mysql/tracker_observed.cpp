// SPDX-License-Identifier: Apache-2.0
// The session's statements for whoever observes it: those that come as text, and prepared ones by the text that they were
// prepared from. Nothing here decides anything; without an observer nothing of it is called.
#include "dialects/mysql/tracker.hpp"

#include <map>
#include <utility>

namespace leasehold::mysql {
namespace {

using Kind = wire::StatementObserver::Kind;

constexpr std::size_t kept_bytes = 1024;               // of a prepared statement's text
constexpr std::uint32_t last_prepared = 0xFFFF'FFFFu;  // MariaDB: the one prepared just before

struct Text {
    std::string text;
    std::size_t length = 0;
};

}  // namespace

struct Tracker::Watching {
    wire::Observed statements;
    std::uint64_t requests = 0;
    bool active = false;  // the request under way is a statement
    Text preparing;
    std::uint32_t last = 0;
    std::map<std::uint32_t, Text> prepared;
};

void Tracker::observe(wire::StatementObserver* observer) {
    watching_.reset();
    if (observer == nullptr) return;
    watching_ = std::make_shared<Watching>(Watching{wire::Observed(*observer), 0, false, {}, 0, {}});
}

// A command is about to be forwarded.
void Tracker::watch_request(const Incoming& packet) {
    static const Text unknown;
    Watching& watching = *watching_;
    const Bytes body = packet.visible().subspan(1);
    Kind kind = Kind::query;
    std::string_view text = wire::as_text(body);
    std::size_t length = packet.header.length - 1u;
    switch (packet.command) {
        case Command::query: break;
        case Command::stmt_prepare:
            kind = Kind::prepare;
            watching.preparing = {std::string(text.substr(0, kept_bytes)), length};
            break;
        case Command::stmt_execute: {
            wire::Cursor cursor(body);
            const std::uint32_t number = cursor.u32le();
            const auto known = watching.prepared.find(number == last_prepared ? watching.last : number);
            const Text& of = known == watching.prepared.end() ? unknown : known->second;
            kind = Kind::execute;
            text = of.text;
            length = of.length;
            break;
        }
        default: return;
    }
    watching.active = true;
    watching.statements.begin(++watching.requests, {kind, text, length});
}

// Its reply is complete.
void Tracker::watch_reply() {
    Watching& watching = *watching_;
    const Reply& reply = lease_->reply;
    if (request_.command == Command::reset_connection && !reply.failed()) watching.prepared.clear();
    if (!std::exchange(watching.active, false)) return;
    if (reply.failed()) {
        watching.statements.failed(watching.requests, std::to_string(reply.error()));
    } else {
        watching.statements.done(watching.requests);
        if (request_.command == Command::stmt_prepare) {
            // As many as the session may have; numbers that were closed are not used again.
            if (watching.prepared.size() >= options_.prepared_per_client)
                watching.prepared.erase(watching.prepared.begin());
            watching.last = reply.statement();
            watching.prepared[watching.last] = std::move(watching.preparing);
        }
    }
    watching.statements.ended(watching.requests);
}

// The lease ends, and prepared statements with it.
void Tracker::watch_loss() {
    watching_->active = false;
    watching_->statements.lost();
    watching_->prepared.clear();
}

}  // namespace leasehold::mysql
