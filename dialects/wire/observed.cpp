// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/observed.hpp"

#include <algorithm>

namespace leasehold::wire {

using End = StatementObserver::End;

std::string_view to_string(StatementObserver::Kind kind) noexcept {
    switch (kind) {
        case StatementObserver::Kind::query: return "query";
        case StatementObserver::Kind::prepare: return "prepare";
        case StatementObserver::Kind::execute: return "execute";
        case StatementObserver::Kind::call: return "call";
    }
    return "unknown";
}

std::string_view to_string(End how) noexcept {
    switch (how) {
        case End::done: return "done";
        case End::failed: return "failed";
        case End::skipped: return "skipped";
        case End::lost: return "lost";
    }
    return "unknown";
}

void Observed::begin(std::uint64_t request, const StatementObserver::Begun& statement) {
    if (first_ > 64 && first_ > marks_.size() / 2) {  // a pipeline that never runs dry
        marks_.erase(marks_.begin(), marks_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    marks_.push_back({request, statement.kind != StatementObserver::Kind::execute, {}});
    by_.began(statement);
}

void Observed::done(std::uint64_t request) noexcept {
    const auto from = marks_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto mark = std::ranges::lower_bound(from, marks_.end(), request, {}, &Mark::request);
    if (mark != marks_.end() && mark->request == request) mark->carried_out = true;
}

void Observed::failed(std::uint64_t request, std::string_view error) noexcept {
    const auto from = marks_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto mark = std::ranges::lower_bound(from, marks_.end(), request, {}, &Mark::request);
    if (mark == marks_.end()) return;
    const std::string_view said = error.empty() ? std::string_view("?") : error.substr(0, mark->error.size() - 1);
    std::ranges::copy(said, mark->error.begin());
}

void Observed::ended(std::uint64_t request) {
    while (first_ < marks_.size() && marks_[first_].request <= request) {
        const Mark mark = marks_[first_++];
        if (first_ == marks_.size()) {
            marks_.clear();
            first_ = 0;
        }
        const End how = mark.error[0] != 0 ? End::failed : mark.carried_out ? End::done : End::skipped;
        by_.ended(how, std::string_view(mark.error.data()));
    }
}

void Observed::lost() {
    std::size_t left = marks_.size() - first_;
    marks_.clear();
    first_ = 0;
    for (; left > 0; --left) by_.ended(End::lost, {});
}

}  // namespace leasehold::wire
