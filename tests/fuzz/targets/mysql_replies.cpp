// SPDX-License-Identifier: Apache-2.0
// Replies of a server to commands of every kind, one behind the other, however their bytes arrive.
#include "dialects/mysql/replies.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

using mysql::Reply;

std::string follow(Input input, std::uint8_t cut) {
    std::string said;
    Reply reply;
    const std::uint8_t options = input.u8();
    const auto shape = [&] { return static_cast<mysql::Shape>(input.u8() % 6); };
    reply.start(shape(), (options & 1) != 0, (options & 2) != 0, (options & 4) != 0);
    const Bytes bytes = Input(input).rest();
    Pieces pieces(cut);
    Raw held;
    for (std::size_t from = 0; from < bytes.size();) {
        const std::size_t n = pieces.next(bytes.size() - from);
        held.insert(held.end(), bytes.begin() + static_cast<std::ptrdiff_t>(from),
                    bytes.begin() + static_cast<std::ptrdiff_t>(from + n));
        from += n;
        const Raw exact(held);
        std::size_t at = 0;
        for (bool more = false; !more;) {
            const Reply::Event event = reply.advance(exact, at);
            require(at <= exact.size(), "no more is used than was there");
            if (event == Reply::Event::more) {
                more = true;
                continue;
            }
            said +=
                std::to_string(static_cast<int>(event)) + (reply.failed() ? 'f' : '-') + (reply.warned() ? 'w' : '-');
            said += std::to_string(reply.status()) + ' ' + std::to_string(reply.insert_id()) + ' ' +
                    std::to_string(reply.next_sequence()) + ';' + reply.first_field() + ';' + reply.error_packet();
            require(reply.error_packet().size() <= 1024 && reply.first_field().size() <= 2048, "little is kept");
            if (event == Reply::Event::bad || event == Reply::Event::farewell) return said;
            if (event == Reply::Event::infile) continue;
            require(!reply.in_packet(), "a reply ends with a packet");
            if (said.size() > 4096) return said;
            reply.start(static_cast<mysql::Shape>(said.size() % 6), (options & 1) != 0);
        }
        held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return said;
}

const Registered registered("mysql_replies", [](Bytes data) {
    Input input(data);
    const std::uint8_t cut = input.u8();
    require_same(follow(input, Pieces::whole), follow(input, cut), "in pieces as whole");
});

}  // namespace
}  // namespace leasehold::fuzz
