// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/reframe.hpp"

#include <algorithm>

namespace leasehold::mysql {

void Reframe::open(std::size_t length, wire::Outbox& out) {
    room_ = std::min<std::size_t>(length, max_payload);
    full_ = room_ == max_payload;
    wire::Writer& own = out.own();
    own.u24le(static_cast<std::uint32_t>(room_));
    own.u8(static_cast<std::uint8_t>(written_++));
}

void Reframe::begin(const Header& header, Bytes beginning, std::size_t replaced, wire::Outbox& out,
                    std::size_t removed) {
    ++read_;
    continues_ = header.continues();
    left_ = header.length - replaced - removed;
    shrinks_ = continues_ && beginning.size() + left_ < max_payload;
    open(shrinks_ ? max_payload : beginning.size() + left_, out);
    out.own().append(beginning);
    room_ -= beginning.size();
    if (left_ == 0) ended(out);
}

void Reframe::packet(const Header& header, wire::Outbox& out) {
    ++read_;
    continues_ = header.continues();
    left_ = header.length;
    if (shrinks_) {
        if (left_ == 0) ended(out);
        return;
    }
    open(carried_.size() + left_, out);
    const std::size_t n = std::min(carried_.size(), room_);
    out.own().append(Bytes(carried_).first(n));
    carried_.erase(carried_.begin(), carried_.begin() + static_cast<std::ptrdiff_t>(n));
    room_ -= n;
    if (left_ == 0) ended(out);
}

void Reframe::feed(Bytes part, wire::Outbox& out) {
    const std::size_t n = std::min(part.size(), room_);
    if (n > 0) out.pass(part.first(n));
    room_ -= n;
    left_ -= n;
    const Bytes rest = part.subspan(n);
    if (shrinks_ && !rest.empty()) {
        open(continues_ ? max_payload : left_, out);
        room_ -= rest.size();
        out.pass(rest);
    } else {
        carried_.insert(carried_.end(), rest.begin(), rest.end());
    }
    left_ -= rest.size();
    if (left_ == 0) ended(out);
}

// The client's packet has been read to its end; with the last one everything must be written.
void Reframe::ended(wire::Outbox& out) {
    if (continues_) return;
    if (shrinks_ && room_ > 0) {
        const std::vector<std::uint8_t> zeros(room_);
        out.own().append(zeros);
        room_ = 0;
    }
    if (!full_ && carried_.empty()) return;
    open(carried_.size(), out);
    out.own().append(Bytes(carried_));
    carried_.clear();
    room_ = 0;
    full_ = false;
}

}  // namespace leasehold::mysql
