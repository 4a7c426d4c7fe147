// SPDX-License-Identifier: Apache-2.0
// Packets of both sides for the tests of this dialect, built byte by byte and independently of the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::mysql::test {

using Raw = std::vector<std::uint8_t>;

inline Raw operator+(Raw a, const Raw& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
inline Raw raw(std::string_view text) { return {text.begin(), text.end()}; }

inline Raw packet(const Raw& payload, std::uint8_t sequence) {
    Raw made{static_cast<std::uint8_t>(payload.size()), static_cast<std::uint8_t>(payload.size() >> 8),
             static_cast<std::uint8_t>(payload.size() >> 16), sequence};
    return made + payload;
}
inline Raw command(std::uint8_t number, std::string_view argument = {}) {
    return packet(Raw{number} + raw(argument), 0);
}
inline Raw query(std::string_view sql) { return command(3, sql); }

inline Raw u16(unsigned v) { return {static_cast<std::uint8_t>(v), static_cast<std::uint8_t>(v >> 8)}; }

inline constexpr unsigned autocommit = 2, in_trans = 1, more_results = 8;

inline Raw ok(std::uint8_t sequence, unsigned status = autocommit, std::uint8_t insert_id = 0, unsigned warnings = 0) {
    return packet(Raw{0, 0, insert_id} + u16(status) + u16(warnings), sequence);
}
inline Raw eof(std::uint8_t sequence, unsigned status = autocommit, unsigned warnings = 0) {
    return packet(Raw{0xFE} + u16(warnings) + u16(status), sequence);
}
// The end of rows with DEPRECATE_EOF.
inline Raw ok_eof(std::uint8_t sequence, unsigned status = autocommit) {
    return packet(Raw{0xFE, 0, 0} + u16(status) + u16(0), sequence);
}
inline Raw err(std::uint8_t sequence, unsigned number, std::string_view state = "HY000", std::string_view text = "no") {
    return packet(Raw{0xFF} + u16(number) + raw("#") + raw(state) + raw(text), sequence);
}
inline Raw column(std::uint8_t sequence) {
    return packet(raw("\x03"
                      "def") +
                      Raw{0, 0, 0, 1, 'c', 0, 0x0C} + Raw(12, 0),
                  sequence);
}
inline Raw row(std::uint8_t sequence, std::string_view value) {
    return packet(Raw{static_cast<std::uint8_t>(value.size())} + raw(value), sequence);
}
// One column, one row, ends by EOF.
inline Raw rows(std::string_view value, unsigned status = autocommit, std::uint8_t from = 1) {
    const auto at = [from](int n) { return static_cast<std::uint8_t>(from + n); };
    return packet({1}, at(0)) + column(at(1)) + eof(at(2), status) + row(at(3), value) + eof(at(4), status);
}

// For messages of failed tests.
inline std::string readable(const Raw& bytes) {
    std::string made;
    for (const std::uint8_t byte : bytes)
        made +=
            byte >= 0x20 && byte < 0x7F ? std::string(1, static_cast<char>(byte)) : "<" + std::to_string(byte) + ">";
    return made;
}

}  // namespace leasehold::mysql::test
