// SPDX-License-Identifier: Apache-2.0
// The session's statements for whoever observes it: those that come as text, and prepared ones by the text that they were
// prepared from. Nothing here decides anything; without an observer nothing of it is called.
#include "dialects/mysql/tracker.hpp"

#include <utility>

namespace leasehold::mysql {
namespace {

using Kind = wire::StatementObserver::Kind;

}  // namespace

struct Tracker::Watching {
    wire::Observed statements;
    std::uint64_t requests = 0;
    bool active = false;  // the request under way is a statement
};

void Tracker::observe(wire::StatementObserver* observer) {
    watching_.reset();
    if (observer == nullptr) return;
    watching_ = std::make_shared<Watching>(Watching{wire::Observed(*observer), 0, false});
}

// A command is about to be forwarded.
void Tracker::watch_request(const Incoming& packet) {
    Watching& watching = *watching_;
    const Bytes body = packet.visible().subspan(1);
    Kind kind = Kind::query;
    std::string_view text = wire::as_text(body);
    std::size_t length = packet.header.length - 1u;
    switch (packet.command) {
        case Command::query: break;
        case Command::stmt_prepare: kind = Kind::prepare; break;
        case Command::stmt_execute:
        case Command::stmt_bulk_execute: {
            std::uint32_t number = preparing_.number;
            const ClientStatement* named = prepared_.find(number, false);
            kind = Kind::execute;
            text = named == nullptr ? std::string_view() : std::string_view(named->text->text);
            length = text.size();
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
    if (!std::exchange(watching.active, false)) return;
    if (reply.failed()) {
        watching.statements.failed(watching.requests, std::to_string(reply.error()));
    } else {
        watching.statements.done(watching.requests);
    }
    watching.statements.ended(watching.requests);
}

// The lease ends.
void Tracker::watch_loss() {
    watching_->active = false;
    watching_->statements.lost();
}

}  // namespace leasehold::mysql
