// SPDX-License-Identifier: Apache-2.0
// A transport over TLS that was closed while bytes of it were still to be read or written: its descriptor's number may be
// somebody else's by now, whose bytes must be neither taken nor added to.
#include "tests/unit/wire_io/tls_fixture.hpp"
using namespace leasehold::testing;
namespace {
struct TlsClosed : TlsTest {
    void SetUp() override {
        TlsTest::SetUp();
        contexts(identities().server(), identities().client());
        secured();
    }
    // Another connection gets the number of the one that was closed.
    void reuse(int number) {
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other), 0);
        if (other[0] != number) {
            ASSERT_EQ(::dup2(other[0], number), number);
            ::close(other[0]);
            other[0] = number;
        }
    }
    int other[2]{-1, -1};
};
TEST_F(TlsClosed, NeverReadsFromWhoHasItsDescriptorNow) {
    const int number = server->descriptor();
    server->close();
    reuse(number);
    put_all(other[1], "somebody else's");
    std::array<std::uint8_t, 64> buffer{};
    const Transport::Io io_ = server->recv(buffer);
    EXPECT_TRUE(io_.error);
    EXPECT_EQ(waiting(other[0]), 15u);
    ::close(other[0]);
    ::close(other[1]);
}
TEST_F(TlsClosed, NeverFlushesToWhoHasItsDescriptorNow) {
    const int number = server->descriptor();
    const std::string large(4 << 20, 'x');
    Outbox out;
    out.pass(as_bytes(large));
    ASSERT_TRUE(server->send(out));
    ASSERT_GT(server->unsent(), 0u);
    server->close();
    reuse(number);
    (void)server->flush();
    EXPECT_EQ(waiting(other[1]), 0u);
    ::close(other[0]);
    ::close(other[1]);
}
}  // namespace
