// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/attributes.hpp"

#include "tests/unit/mysql/packets.hpp"
#include "tests/unit/mysql/prepared_session.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = Stripped::Kind;

const Raw name_of_one = raw(std::string_view("\4name", 5));
// One attribute: "name" is the text "me".
const Raw one_text = Raw{1, 1, 0, 1, 0xFD, 0} + name_of_one + raw("\2me");

TEST(MysqlAttributes, ATextLosesItsAttributesAndNothingElse) {
    // An integer, a NULL, a time and a text, without names.
    const Raw several = Raw{4, 1, 0b0010, 1, 3, 0, 0, 3, 0, 0, 7, 0, 0, 0xFD, 0, 0} + Raw{1, 2, 3, 4} +
                        Raw{4, 1, 2, 3, 4} + raw("\2me");
    for (const Raw& attributes : {Raw{0, 1}, one_text, several}) {
        const Raw payload = Raw{3} + attributes + raw("SELECT 1");
        const Stripped whole = strip_query(payload);
        ASSERT_EQ(whole.kind, Kind::done);
        EXPECT_EQ(whole.beginning, Raw{3});
        EXPECT_EQ(whole.replaced, 1 + attributes.size());
        for (std::size_t n = 1; n < whole.replaced; ++n) {
            EXPECT_EQ(strip_query(Bytes(payload).first(n)).kind, Kind::more) << n;
        }
    }
    EXPECT_EQ(strip_query(Raw{3, 0, 2}).kind, Kind::malformed);
    EXPECT_EQ(strip_query(Raw{3, 1, 1, 0, 2}).kind, Kind::malformed);
    EXPECT_EQ(strip_query(Raw{3, 0xFD, 0xFF, 0xFF, 0xFF, 1}).kind, Kind::malformed);
}

TEST(MysqlAttributes, AnExecuteLosesCountNamesAndFurtherParameters) {
    const Raw head{23, 9, 0, 0, 0, 8, 1, 0, 0, 0}, plain{23, 9, 0, 0, 0, 0, 1, 0, 0, 0};
    const Raw values = Raw{5, 0, 0, 0} + raw("\2me");
    // Two parameters, the second of them an attribute.
    const Raw payload = head + Raw{2, 0, 1, 3, 0, 0, 0xFD, 0} + name_of_one + values;
    const Stripped one = strip_execute(payload, 1);
    ASSERT_EQ(one.kind, Kind::done);
    EXPECT_EQ(one.beginning, (plain + Raw{0, 1, 3, 0}));
    EXPECT_EQ(one.replaced, payload.size() - values.size());
    for (std::size_t n = 0; n < one.replaced; ++n) {
        EXPECT_EQ(strip_execute(Bytes(payload).first(n), 1).kind, Kind::more) << n;
    }
    EXPECT_EQ(strip_execute(payload, 0).beginning, plain);
    EXPECT_EQ(strip_execute(payload, 3).kind, Kind::malformed);
    // Types that have been sent before.
    EXPECT_EQ(strip_execute(head + Raw{1, 0, 0} + values, 1).beginning, (plain + Raw{0, 0}));
    EXPECT_EQ(strip_execute(plain, 0).beginning, plain);
}

TEST(MysqlAttributes, TheServerGetsWhatAClientWithoutThemWouldHaveSent) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    for (const bool bytewise : {false, true}) {
        PlayedSession s(options, bytewise);
        const auto with = [](const Raw& attributes, std::string_view text) {
            return packet(Raw{3} + attributes + raw(text), 0);
        };
        s.client(with({0, 1}, "BEGIN"));
        EXPECT_EQ(s.take_backend(), query("BEGIN"));
        s.server(ok(1, in_trans | autocommit));
        s.client(with(one_text, "SELECT 'me'"));
        EXPECT_EQ(s.take_backend(), query("SELECT 'me'"));
        s.server(rows("1", in_trans | autocommit));
        s.client(with({0, 1}, "COMMIT"));
        EXPECT_EQ(s.take_backend(), query("COMMIT"));
        s.server(ok(1));
        EXPECT_EQ(s.boundaries, 1);
        (void)s.take_client();
        s.client(with({0, 9}, "SELECT 1"));
        EXPECT_EQ(s.client_error(), 1835);
        EXPECT_EQ(s.take_backend(), Raw());
        // Nothing to end: answered without a backend.
        s.client(with({0, 1}, "ROLLBACK"));
        EXPECT_EQ(s.take_backend(), Raw());
    }
}

TEST(MysqlAttributes, ALongTextLosesThemAsItPasses) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    PlayedSession s(options);
    const std::string text = "SELECT '" + std::string(100000, 'x') + "'";
    const Raw sent = packet(Raw{3} + one_text + raw(text), 0);
    for (std::size_t at = 0; at < sent.size(); at += 30000) {
        s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at),
                     sent.begin() + static_cast<std::ptrdiff_t>(std::min(at + 30000, sent.size()))));
    }
    EXPECT_EQ(s.take_backend(), query(text));
}

TEST(MysqlAttributes, ATextOf16MegabytesHasBlanksInTheirPlace) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    PlayedSession s(options);
    const Raw front = Raw{3} + one_text + raw("SELECT '");
    const Raw first = packet(front + Raw(0xFFFFFF - front.size(), 'x'), 0);
    const Raw last = packet(raw("'"), 1);
    s.client(first + last);
    const Raw blanks = Raw{3} + Raw(one_text.size(), ' ') + raw("SELECT '");
    EXPECT_EQ(s.take_backend(), packet(blanks + Raw(0xFFFFFF - front.size(), 'x'), 0) + last);
}

// The value behind all others stays: servers do not read so far.
TEST(MysqlAttributes, AnExecuteOf16MegabytesLosesThemAsItPasses) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    for (const std::size_t tail : {std::size_t{1}, std::size_t{2}, std::size_t{500}}) {
        PlayedSession s(options);
        s.client(prepare("INSERT INTO t VALUES (?)"));
        s.server(prepared(70, 1));
        (void)s.take_backend();
        (void)s.take_client();
        const Raw counted = Raw{23} + u32(1) + Raw{8, 1, 0, 0, 0} + Raw{2, 0, 1, 0xFD, 0, 0, 0xFD, 0} + name_of_one;
        const Raw plain = Raw{23} + u32(70) + Raw{0, 1, 0, 0, 0} + Raw{0, 1, 0xFD, 0};
        const std::size_t less = counted.size() - plain.size();
        const Raw value(0xFFFFFF - counted.size(), 'v'), rest(tail, 'w');
        const Raw sent = packet(counted + value, 0) + packet(rest, 1);
        for (std::size_t at = 0; at < sent.size(); at += 3'000'000) {
            const auto end = static_cast<std::ptrdiff_t>(std::min(at + 3'000'000, sent.size()));
            s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at), sent.begin() + end));
        }
        Raw expected = plain + value + rest;
        if (tail < less) expected.resize(0xFFFFFF, 0);
        const auto all = static_cast<std::ptrdiff_t>(0xFFFFFF);
        EXPECT_TRUE(s.take_backend() == packet(Raw(expected.begin(), expected.begin() + all), 0) +
                                            packet(Raw(expected.begin() + all, expected.end()), 1))
            << tail;
        s.server(ok(2));
        EXPECT_EQ(s.take_client(), ok(2));
        EXPECT_EQ(s.boundaries, 2);
    }
}

TEST(MysqlAttributes, WhatIsRefusedOf16MegabytesIsReadToItsEnd) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    PlayedSession s(options);
    const Raw counted = Raw{23} + u32(5) + Raw{8, 1, 0, 0, 0} + Raw{1, 0, 1, 0xFD, 0} + name_of_one;
    s.client(packet(counted + Raw(0xFFFFFF - counted.size(), 'v'), 0) + packet(raw("end"), 1));
    EXPECT_EQ(s.client_error(), 1243);
    (void)s.take_client();
    s.client(command(14));
    EXPECT_EQ(s.take_client(), ok(1)) << "the next command is where it should be";
}

TEST(MysqlAttributes, AsManyParametersAsThereCanBeHaveRoomForTheirTypes) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    PlayedSession s(options);
    constexpr unsigned count = 65535;
    s.client(prepare("INSERT INTO t VALUES (...)"));
    s.server(prepared(70, count));
    (void)s.take_backend();
    Raw counted = Raw{23} + u32(1) + Raw{8, 1, 0, 0, 0, 0xFC, 0xFF, 0xFF} + Raw(8192, 0xFF) + Raw{1};
    Raw plain = Raw{23} + u32(70) + Raw{0, 1, 0, 0, 0} + Raw(8192, 0xFF) + Raw{1};
    for (unsigned n = 0; n < count; ++n) {
        counted.insert(counted.end(), {6, 0, 0});
        plain.insert(plain.end(), {6, 0});
    }
    const Raw sent = packet(counted, 0);
    for (std::size_t at = 0; at < sent.size(); at += 100'000) {
        const auto end = static_cast<std::ptrdiff_t>(std::min(at + 100'000, sent.size()));
        s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at), sent.begin() + end));
    }
    EXPECT_TRUE(s.take_backend() == packet(plain, 0));
}

TEST(MysqlAttributes, MoreThanAMebibyteOfThemIsRefused) {
    TrackerOptions options;
    options.capabilities = cap::query_attributes;
    const Raw value(1024 * 1024, 'v');
    const Raw sent =
        packet(Raw{3, 1, 1, 0, 1, 0xFD, 0} + name_of_one + Raw{0xFD, 0, 0, 0x10} + value + raw("SELECT 1"), 0);
    for (const std::size_t piece : {std::size_t{500'000}, sent.size()}) {
        PlayedSession s(options);
        for (std::size_t at = 0; at < sent.size(); at += piece) {
            const auto end = static_cast<std::ptrdiff_t>(std::min(at + piece, sent.size()));
            s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at), sent.begin() + end));
        }
        EXPECT_EQ(s.client_error(), 1235);
        EXPECT_EQ(s.take_backend(), Raw());
        s.client(command(14));
        EXPECT_EQ(s.client_error(), 0);
    }
}

}  // namespace
}  // namespace leasehold::mysql
