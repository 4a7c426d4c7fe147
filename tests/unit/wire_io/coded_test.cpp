// SPDX-License-Identifier: Apache-2.0
// A codec in a transport: what is read and sent goes through it, back-pressure and readiness keep their meaning, and it
// moves with its connection. The codec here masks bytes, in frames of at most nine.
#include "dialects/wire/transport.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

using namespace leasehold::wire;

namespace {

constexpr std::uint8_t mask = 0x55;
constexpr std::size_t largest = 9;

class Masked final : public Codec {
  public:
    [[nodiscard]] Decoded decode(Bytes in, std::span<std::uint8_t> into) noexcept override {
        Decoded done;
        full_ = false;
        for (; done.consumed < in.size(); ++done.consumed) {
            const std::uint8_t byte = in[done.consumed];
            if (left_ == 0 && byte > largest) {
                done.error = make_error_code(errc::protocol_violation);
                return done;
            }
            if (left_ == 0) {
                left_ = byte;
                continue;
            }
            full_ = done.produced == into.size();
            if (full_) return done;
            into[done.produced++] = byte ^ mask;
            --left_;
        }
        return done;
    }
    [[nodiscard]] bool more() const noexcept override { return full_; }
    [[nodiscard]] bool between() const noexcept override { return left_ == 0; }
    [[nodiscard]] std::size_t encode(Bytes plain, Writer& out) noexcept override {
        const std::size_t n = std::min(plain.size(), largest);
        out.u8(static_cast<std::uint8_t>(n));
        for (const std::uint8_t byte : plain.first(n)) out.u8(byte ^ mask);
        return n;
    }

  private:
    std::uint8_t left_ = 0;
    bool full_ = false;
};

struct CodedTest : testing::Test {
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        transport = std::make_unique<Transport>(io.get_executor(), ends[0]);
        peer = ends[1];
    }
    void TearDown() override { ::close(peer); }

    static std::string framed(std::string_view plain) {
        Masked codec;
        Writer out;
        while (!plain.empty()) plain.remove_prefix(codec.encode(as_bytes(plain), out));
        return std::string(as_text(out.bytes()));
    }
    void put(std::string_view raw) {
        ASSERT_EQ(::send(peer, raw.data(), raw.size(), 0), static_cast<ssize_t>(raw.size()));
    }
    std::string take() {
        std::string all;
        char piece[65536];
        for (ssize_t n = 0; (n = ::recv(peer, piece, sizeof piece, MSG_DONTWAIT)) > 0;)
            all.append(piece, static_cast<std::size_t>(n));
        return all;
    }
    std::string read(std::size_t room) {
        std::vector<std::uint8_t> into(room);
        const Transport::Io done = transport->recv(into);
        error = done.error;
        blocked = done.would_block;
        return std::string(as_text(Bytes(into).first(done.bytes)));
    }
    int ready_within_a_turn() {
        int calls = 0;
        transport->on_readable([&calls] { ++calls; });
        io.restart();
        while (io.poll() > 0) {
        }
        transport->on_readable({});
        return calls;
    }

    boost::asio::io_context io;
    std::unique_ptr<Transport> transport;
    int peer = -1;
    std::error_code error;
    bool blocked = false;
};

TEST_F(CodedTest, BytesGoThroughItBothWays) {
    transport->compress(std::make_unique<Masked>(), {});
    put(framed("a question that is longer than a frame"));
    EXPECT_EQ(read(1000), "a question that is longer than a frame");
    EXPECT_EQ(read(1000), "");
    EXPECT_TRUE(blocked);
    Outbox out;
    out.own().text("an answer ");
    const std::string passed = "in two parts";
    out.pass(as_bytes(passed));
    ASSERT_TRUE(transport->send(out));
    EXPECT_EQ(take(), framed("an answer in two parts"));
    EXPECT_EQ(transport->unsent(), 0u);
}

TEST_F(CodedTest, WhatWasReadBeforeComesFirst) {
    Inbox head;
    head.append(as_bytes(framed("one ")));
    transport->compress(std::make_unique<Masked>(), std::move(head));
    EXPECT_FALSE(transport->quiet());
    EXPECT_EQ(ready_within_a_turn(), 1);
    put(framed("two"));
    std::string got = read(1000);
    while (!blocked) got += read(1000);
    EXPECT_EQ(got, "one two");
    EXPECT_TRUE(transport->quiet());
}

TEST_F(CodedTest, WhatDidNotFitIsAnnouncedWithoutTheSocket) {
    transport->compress(std::make_unique<Masked>(), {});
    put(framed("0123456789"));
    EXPECT_EQ(read(4), "0123");
    EXPECT_FALSE(transport->quiet());
    EXPECT_EQ(ready_within_a_turn(), 1);
    EXPECT_EQ(read(4), "4567");
    EXPECT_EQ(read(4), "89");
    EXPECT_EQ(ready_within_a_turn(), 0);
    EXPECT_TRUE(transport->quiet());
}

TEST_F(CodedTest, HalfAFrameIsNotQuiet) {
    transport->compress(std::make_unique<Masked>(), {});
    put(framed("half").substr(0, 1));
    EXPECT_EQ(read(10), "");
    EXPECT_TRUE(blocked);
    EXPECT_FALSE(transport->quiet());
}

TEST_F(CodedTest, AnErrorAndTheEndAreToldBehindWhatCameBeforeThem) {
    transport->compress(std::make_unique<Masked>(), {});
    put(framed("last words") + "\x7F");
    EXPECT_EQ(read(100), "last words");
    EXPECT_FALSE(error);
    EXPECT_EQ(ready_within_a_turn(), 1);
    EXPECT_EQ(read(100), "");
    EXPECT_EQ(error, errc::protocol_violation);
    EXPECT_EQ(read(100), "");
    EXPECT_EQ(error, errc::protocol_violation);  // for good
}

TEST_F(CodedTest, WhatThePeerDoesNotTakeIsKeptAndStopsTheWriter) {
    transport->compress(std::make_unique<Masked>(), {});
    const std::string much(4u << 20, 'm');
    Outbox out;
    out.pass(as_bytes(much));
    ASSERT_TRUE(transport->send(out));
    EXPECT_GT(transport->unsent(), 1u << 20);
    const Transport::Io more = transport->send(as_bytes("more"));
    EXPECT_TRUE(more.would_block);
    std::string got;
    for (int turns = 0; transport->unsent() > 0 && turns < 100'000; ++turns) {
        got += take();
        ASSERT_TRUE(transport->flush());
    }
    got += take();
    EXPECT_EQ(got, framed(much));
}

TEST_F(CodedTest, ItMovesWithItsConnection) {
    transport->compress(std::make_unique<Masked>(), {});
    put(framed("0123456789"));
    EXPECT_EQ(read(4), "0123");
    const std::string much(1u << 20, 'm');
    Outbox out;
    out.pass(as_bytes(much));
    ASSERT_TRUE(transport->send(out));
    boost::asio::io_context other;
    transport = std::make_unique<Transport>(other.get_executor(), transport->release());
    EXPECT_EQ(read(100), "456789");
    std::string got;
    for (int turns = 0; transport->unsent() > 0 && turns < 100'000; ++turns) {
        got += take();
        ASSERT_TRUE(transport->flush());
    }
    got += take();
    EXPECT_EQ(got, framed(much));
    transport.reset();
}

TEST_F(CodedTest, WhatWaitedToBeSentGoesAsItIs) {
    const std::string much(4u << 20, 'p');
    Outbox out;
    out.pass(as_bytes(much));
    ASSERT_TRUE(transport->send(out));
    ASSERT_GT(transport->unsent(), 0u);
    transport->compress(std::make_unique<Masked>(), {});
    out.clear();
    out.own().text("coded");
    ASSERT_TRUE(transport->send(out));
    std::string got;
    for (int turns = 0; transport->unsent() > 0 && turns < 100'000; ++turns) {
        got += take();
        ASSERT_TRUE(transport->flush());
    }
    got += take();
    EXPECT_EQ(got, much + framed("coded"));
}

}  // namespace
