// SPDX-License-Identifier: Apache-2.0
// A client's message that is passed on with more or fewer bytes at its beginning than it came with, where it fills packets
// of the greatest length: its packets end elsewhere then. Streams; keeps no more than the difference. "MySQL Packets" of
// the manual.
#pragma once

#include "dialects/mysql/framing.hpp"
#include "dialects/wire/buffer.hpp"

#include <vector>

namespace leasehold::mysql {

class Reframe {
  public:
    // A packet of the client's begins; its payload follows by feed().
    void packet(const Header& header, wire::Outbox& out);
    // Bytes in front of what the client sends in its first packet, of which they take the place of `replaced`; `removed`
    // bytes of it are not presented at all. What gets shorter and goes on in a further packet may end in zeros: it fills
    // packets of which nobody knows yet whether they will be needed to the end.
    void begin(const Header& header, Bytes beginning, std::size_t replaced, wire::Outbox& out, std::size_t removed = 0);
    void feed(Bytes part, wire::Outbox& out);

    // The message is one packet longer than the client's: the server numbers its reply accordingly.
    [[nodiscard]] int longer() const noexcept { return written_ - read_; }

  private:
    void open(std::size_t length, wire::Outbox& out);
    void ended(wire::Outbox& out);

    std::size_t left_ = 0;    // of the client's packet
    std::size_t room_ = 0;    // in the packet that is being written
    bool continues_ = false;  // the client's message goes on
    bool full_ = false;       // the packet written last has the greatest length
    bool shrinks_ = false;    // the client's packets end in front of those that are written
    std::vector<std::uint8_t> carried_;
    int read_ = 0, written_ = 0;
};

}  // namespace leasehold::mysql
