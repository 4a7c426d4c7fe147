// SPDX-License-Identifier: Apache-2.0
// Settings that the server does not report, carried all the same: a SET or RESET that stands alone, outside of a
// transaction, and whose success was seen to the end. Until then nothing counts; whatever else comes in between pins.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {

// Outside of a transaction, and nothing has run or can still run in the same segment before it.
bool Tracker::stands_alone() const noexcept {
    if (change_ || status_ != 'I' || skipping_ || copy_in_) return false;
    if (!scope_open_) return outstanding_.empty();
    if ((front_ran_ & Request::executes) != 0) return false;
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
        const std::uint8_t type = outstanding_[i].type;
        if (type != frontend::parse && type != frontend::describe && type != frontend::close) return false;
    }
    return true;
}

// Whether the statement's setting is carried if it succeeds. Then it pins nothing.
bool Tracker::begin_change(const Digest& digest, std::string_view sql) {
    if (!digest.assigns() || !stands_alone()) return false;
    std::optional<Assignment> what = read_assignment(sql);
    if (!what || !repeatable(*what)) return false;
    const bool known = settings_.contains(what->name);
    if (what->reset && (!known || options_.startup.contains(what->name))) return false;
    if (!known && settings_.size() >= options_.max_settings) return false;
    change_ = std::make_unique<Change>(Change{std::move(*what), scope_});
    return true;
}

// Called before anything that runs beside it in its segment.
void Tracker::disturb_change() {
    if (!change_ || change_->scope != scope_) return;
    pin_fresh(PinKind::setting, change_->what.name);
    change_.reset();
}

// The request that was pushed last runs it.
void Tracker::run_change() noexcept {
    if (change_ && change_->scope == scope_) change_->request = outstanding_.pushed();
}

void Tracker::change_complete(std::string_view tag) noexcept {
    if (!change_ || change_->request == 0 || change_->request != outstanding_.pushed() - outstanding_.size() + 1)
        return;
    change_->done = tag == (change_->what.reset ? "RESET" : "SET");
}

// Its segment is answered.
void Tracker::end_change(const Request& ready) {
    if (!change_ || change_->scope != ready.number) return;
    const std::unique_ptr<const Change> change = std::move(change_);
    if (ready.has(Request::failed) || change->request == 0) return;  // nothing has changed
    const Assignment& what = change->what;
    if (!change->done || status_ != 'I') {
        pin_fresh(PinKind::setting, what.name);
    } else if (what.reset) {
        settings_.erase(what.name);
        lease_->held.erase(what.name);
    } else {
        (void)settings_.set(what.name, what.value);
        (void)lease_->held.set(what.name, what.value);
    }
}

}  // namespace leasehold::postgres
