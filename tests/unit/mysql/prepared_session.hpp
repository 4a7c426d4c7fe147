// SPDX-License-Identifier: Apache-2.0
// Commands about prepared statements and their replies, and the fixture of the tests about them.
#pragma once

#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql::test {

inline constexpr unsigned cursor_exists = 0x40, last_row_sent = 0x80;

inline Raw u32(std::uint32_t v) { return u16(v & 0xFFFF) + u16(v >> 16); }
inline Raw prepare(std::string_view sql) { return command(22, sql); }
inline Raw prepared(std::uint32_t number, unsigned parameters = 0) {
    Raw made = packet(Raw{0} + u32(number) + u16(0) + u16(parameters) + Raw{0, 0, 0}, 1);
    std::uint8_t sequence = 2;
    for (unsigned n = 0; n < parameters; ++n) {
        const Raw one = column(sequence++);
        made.insert(made.end(), one.begin(), one.end());
    }
    return parameters == 0 ? made : made + eof(sequence);
}
inline Raw execute(std::uint32_t number, const Raw& rest = {}, std::uint8_t flags = 0) {
    return packet(Raw{23} + u32(number) + Raw{flags, 1, 0, 0, 0} + rest, 0);
}
// One parameter, an int: with its type, and without.
inline Raw typed(std::uint8_t value) { return Raw{0, 1, 8, 0, value, 0, 0, 0, 0, 0, 0, 0}; }
inline Raw untyped(std::uint8_t value) { return Raw{0, 0, value, 0, 0, 0, 0, 0, 0, 0}; }
inline Raw of(std::uint8_t number, std::uint32_t statement, const Raw& rest = {}) {
    return packet(Raw{number} + u32(statement) + rest, 0);
}
inline Raw chunk(std::string_view data) { return u16(0) + raw(data); }
inline Raw close(std::uint32_t statement) { return of(25, statement); }

class MysqlStatements : public ::testing::TestWithParam<bool> {
  protected:
    PlayedSession session(TrackerOptions options = {}) { return PlayedSession(std::move(options), GetParam()); }
    // Prepared by the session's first statement; its backend's number is 70.
    static void with(PlayedSession& s, std::string_view sql, unsigned parameters = 0) {
        s.client(prepare(sql));
        s.server(prepared(70, parameters));
        EXPECT_EQ(s.take_client(), prepared(1, parameters));
        EXPECT_EQ(s.take_backend(), prepare(sql));
        EXPECT_FALSE(s.tracker.attached());
    }
};

}  // namespace leasehold::mysql::test
