// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/cursor.hpp"
#include "dialects/wire/writer.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace leasehold::wire;

namespace {

TEST(Cursor, ReadsBackWhatAWriterWrote) {
    Writer out;
    out.u8(7);
    out.u16be(0x1234);
    out.u32be(0xDEADBEEF);
    out.u16le(0x1234);
    out.u24le(0xABCDEF);
    out.u32le(0xDEADBEEF);
    out.u64le(0x0123456789ABCDEF);
    out.cstring("hello");
    out.lenenc_text("world");
    Cursor in(out.bytes());
    EXPECT_EQ(in.u8(), 7);
    EXPECT_EQ(in.u16be(), 0x1234);
    EXPECT_EQ(in.u32be(), 0xDEADBEEF);
    EXPECT_EQ(in.u16le(), 0x1234);
    EXPECT_EQ(in.u24le(), 0xABCDEFu);
    EXPECT_EQ(in.u32le(), 0xDEADBEEF);
    EXPECT_EQ(in.u64le(), 0x0123456789ABCDEFull);
    EXPECT_EQ(in.cstring(), "hello");
    EXPECT_EQ(in.lenenc_text(), "world");
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.remaining(), 0u);
}

TEST(Cursor, RoundTripsLengthEncodedIntegersAtEveryEdge) {
    for (const std::uint64_t value : {0ull, 250ull, 251ull, 0xFFFFull, 0x10000ull, 0xFFFFFFull, 0x1000000ull, ~0ull}) {
        Writer out;
        out.lenenc(value);
        Cursor in(out.bytes());
        EXPECT_EQ(in.lenenc(), value);
        EXPECT_TRUE(in.ok());
        EXPECT_EQ(in.remaining(), 0u);
    }
}

TEST(Cursor, StaysFailedAfterTheFirstReadThatDoesNotFit) {
    const std::uint8_t bytes[] = {1, 2, 3};
    Cursor in{Bytes(bytes)};
    EXPECT_EQ(in.u32be(), 0u);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.u8(), 0);
    EXPECT_EQ(in.cstring(), "");
    EXPECT_EQ(in.remaining(), 0u);
}

TEST(Cursor, RefusesNullAndErrorMarksAsIntegers) {
    for (const std::uint8_t mark : {std::uint8_t{0xFB}, std::uint8_t{0xFF}}) {
        const std::uint8_t bytes[] = {mark, 0, 0, 0, 0, 0, 0, 0, 0};
        Cursor in{Bytes(bytes)};
        EXPECT_EQ(in.lenenc(), 0u);
        EXPECT_FALSE(in.ok());
    }
}

TEST(Cursor, RefusesATextLongerThanTheMessage) {
    Writer out;
    out.lenenc(~0ull);
    out.text("short");
    Cursor in(out.bytes());
    EXPECT_EQ(in.lenenc_text(), "");
    EXPECT_FALSE(in.ok());
}

TEST(Cursor, RefusesACstringWithoutItsEnd) {
    Cursor in(as_bytes("no end"));
    EXPECT_EQ(in.cstring(), "");
    EXPECT_FALSE(in.ok());
    Cursor empty{Bytes{}};
    EXPECT_EQ(empty.cstring(), "");
    EXPECT_FALSE(empty.ok());
}

TEST(Cursor, NeverReadsPastItsBytesWhateverIsAsked) {
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::uint8_t> bytes(random() % 24);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        Cursor in(bytes);
        for (int i = 0; i < 12; ++i) {
            switch (random() % 7) {
                case 0: in.u8(); break;
                case 1: in.u16be(); break;
                case 2: in.u32le(); break;
                case 3: in.u64le(); break;
                case 4: in.lenenc(); break;
                case 5: in.lenenc_text(); break;
                default: in.cstring(); break;
            }
            ASSERT_LE(in.position(), bytes.size());
        }
    }
}

}  // namespace
