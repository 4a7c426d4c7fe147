// SPDX-License-Identifier: Apache-2.0
// Requests that execute nothing: BEGIN, COMMIT or ROLLBACK alone, outside of a transaction. One whose backend is lost goes
// to another one, and its client notices nothing.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {
namespace {

constexpr std::size_t kept = 256;
constexpr int at_most = 3;  // each backend of a server that restarts may be dead

}  // namespace

bool Tracker::harmless(const Request& request, char status) noexcept {
    return status == 'I' && request.type == frontend::query && request.has(Request::single) &&
           request.has(Request::begins | Request::commits | Request::rolls_back);
}

// Whether nothing of the client's is outstanding but the last request.
bool Tracker::alone() const noexcept {
    for (std::size_t i = 0; i + 1 < outstanding_.size(); ++i) {
        if (outstanding_[i].reply != Request::Reply::swallow) return false;
    }
    return !outstanding_.empty();
}

// The last request, if it is harmless and goes to the server as it is. Its bytes are not another one's that are on their way.
void Tracker::keep_harmless(const Message& message) {
    if (!alone() || !harmless(outstanding_.back(), status_)) return;
    if (scope_open_ || listening_ || message.bytes.size() > kept) return;
    again_.request = outstanding_.pushed();
    if (message.bytes.data() == again_.bytes.data()) return;  // again, already
    again_.bytes.assign(message.bytes.begin(), message.bytes.end());
    again_.times = 0;
}

bool Tracker::goes_again(const wire::Loss& loss) const noexcept {
    if (loss.kind != wire::Loss::Kind::backend || !alone() || again_.request != outstanding_.pushed()) return false;
    if (again_.times >= at_most || scope_open_ || request_left_ > 0) return false;
    const Request& request = outstanding_[outstanding_.size() - 1];
    return harmless(request, status_) && !request.has(Request::done | Request::failed);
}

// In front of what the client sends: it has been taken already. `more`: it is on its way.
wire::Verdict::Kind Tracker::send_again(wire::Outbox& to_backend, wire::Outbox& to_client) {
    again_.due = false;
    const wire::Verdict verdict = from_client(again_.bytes, to_backend, to_client);
    again_.due = verdict.consumed == 0;
    return verdict.kind;
}

}  // namespace leasehold::postgres
