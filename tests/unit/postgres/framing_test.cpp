// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/framing.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

std::vector<std::uint8_t> header_bytes(char type, std::uint32_t length) {
    wire::Writer w;
    w.u8(static_cast<std::uint8_t>(type));
    w.u32be(length);
    return {w.bytes().begin(), w.bytes().end()};
}

Message::Kind kind_of(char type, std::uint32_t length, Sender sender, Stage stage) {
    return first_message(header_bytes(type, length), sender, stage).kind;
}

TEST(PostgresFraming, DataMayBeAGigabyteAndASyncMayNot) {
    EXPECT_EQ(kind_of('Q', 0x3FFFFFFF, Sender::client, Stage::session), Message::Kind::incomplete);
    EXPECT_EQ(kind_of('Q', 0x40000000, Sender::client, Stage::session), Message::Kind::oversized);
    EXPECT_EQ(kind_of('S', 20'000, Sender::client, Stage::session), Message::Kind::oversized);
    EXPECT_EQ(kind_of('D', 0x3FFFFFFF, Sender::server, Stage::session), Message::Kind::incomplete);
    EXPECT_EQ(kind_of('Z', 20'000, Sender::server, Stage::session), Message::Kind::oversized);
}

TEST(PostgresFraming, NothingLargeIsAcceptedBeforeTheLoginIsOver) {
    EXPECT_EQ(kind_of('p', 65'535, Sender::client, Stage::login), Message::Kind::incomplete);
    EXPECT_EQ(kind_of('p', 65'536, Sender::client, Stage::login), Message::Kind::oversized);
    EXPECT_EQ(kind_of('Q', 10, Sender::client, Stage::login), Message::Kind::unknown);
    EXPECT_EQ(kind_of('E', 65'536, Sender::server, Stage::login), Message::Kind::oversized);
    EXPECT_EQ(kind_of('D', 10, Sender::server, Stage::login), Message::Kind::unknown);
}

TEST(PostgresFraming, ALengthBelowFourIsNoLength) {
    for (std::uint32_t length = 0; length < 4; ++length) {
        EXPECT_EQ(kind_of('Q', length, Sender::client, Stage::session), Message::Kind::unknown) << length;
        EXPECT_FALSE(acceptable({'Q', length}, Sender::client, Stage::session)) << length;
    }
    EXPECT_EQ(kind_of('S', 4, Sender::client, Stage::session), Message::Kind::whole);
}

TEST(PostgresFraming, TheSendersTypesAreKeptApart) {
    // 'S' is Sync from a client and ParameterStatus from a server; 'T' is no client's.
    EXPECT_EQ(max_length(Sender::client, Stage::session, 'T'), 0u);
    EXPECT_NE(max_length(Sender::server, Stage::session, 'T'), 0u);
    EXPECT_EQ(max_length(Sender::server, Stage::session, 'Q'), 0u);
    EXPECT_EQ(max_length(Sender::client, Stage::session, 'p'), 0u);
}

TEST(PostgresFraming, AMessageIsWholeAtItsLastByteOnly) {
    wire::Writer w;
    query(w, "SELECT 1");
    for (std::size_t n = 0; n < w.size(); ++n) {
        EXPECT_EQ(first_message(w.bytes().first(n), Sender::client, Stage::session).kind, Message::Kind::incomplete);
    }
    sync(w);  // what stands behind is not its body
    const Message message = first_message(w.bytes(), Sender::client, Stage::session);
    ASSERT_EQ(message.kind, Message::Kind::whole);
    EXPECT_EQ(wire::as_text(message.body), std::string_view("SELECT 1\0", 9));
    EXPECT_EQ(message.size() + 5, w.size());
}

TEST(PostgresFraming, AnUnknownTypeIsRefusedAtItsFirstByte) {
    const std::uint8_t byte = 0x16;  // a TLS handshake
    EXPECT_EQ(first_message({&byte, 1}, Sender::client, Stage::session).kind, Message::Kind::unknown);
}

}  // namespace
}  // namespace leasehold::postgres
