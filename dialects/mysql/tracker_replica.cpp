// SPDX-License-Identifier: Apache-2.0
// The tracker's half of replicas and of programs that read binary logs: they prepare a connection by settings and user
// variables like any session, and then keep it. From the dump on its bytes are nobody's business but theirs.
#include "dialects/mysql/tracker.hpp"

namespace leasehold::mysql {
namespace {

// A dump's command names a file, or a set of GTIDs; longer than this one it is none.
constexpr std::size_t longest_dump = 1024 * 1024;

}  // namespace

// COM_REGISTER_SLAVE: the server lists the connection among its replicas.
Tracker::Step Tracker::on_register_replica(Incoming& packet) {
    if (!attached()) return want_lease(packet);
    Statement statement;
    statement.pin = "replica";
    return forward(packet, Shape::simple, std::move(statement));
}

// COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID.
Tracker::Step Tracker::on_binlog_dump(Incoming& packet) {
    if (packet.header.length > longest_dump)
        return answer(packet, Fault::not_supported, "the dump's command is too long");
    if (!packet.whole()) return Step::wait;
    if (!attached()) return want_lease(packet);
    if (in_transaction()) return answer(packet, Fault::not_supported, "a dump within a transaction");
    wanted_whole_ = true;
    return Step::own;
}

}  // namespace leasehold::mysql
