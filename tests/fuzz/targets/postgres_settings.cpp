// SPDX-License-Identifier: Apache-2.0
// A startup packet's options, and the SQL that leasehold writes to make a backend hold a session's settings: no name and
// no value of a client's may become more than a name and a value in it.
#include "dialects/postgres/settings.hpp"
#include "dialects/postgres/statements.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

using postgres::Kind;
using postgres::Settings;

std::size_t statements(const std::string& sql, bool conforming) {
    std::size_t count = 0;
    postgres::each_statement(sql, conforming, [&count](const postgres::Statement& statement) {
        require(statement.kind == Kind::reset || statement.kind == Kind::other || statement.kind == Kind::set,
                "settings are set by SELECT set_config and RESET");
        ++count;
    });
    return count;
}

void fill(Settings& settings, Input& input) {
    for (int n = input.u8() % 8; n > 0; --n) {
        const Bytes name = input.take(input.u8() % 64);
        const Bytes value = input.take(input.u8());
        const std::size_t before = settings.size();
        if (!settings.set(wire::as_text(name), wire::as_text(value))) {
            require(settings.size() == before, "a setting that cannot be is not set");
            continue;
        }
        require(settings.find(wire::as_text(name)) == wire::as_text(value), "a setting that was set is found");
    }
}

const Registered registered("postgres_settings", [](Bytes data) {
    const std::string text(wire::as_text(data));
    const postgres::StartupOptions options = postgres::parse_options(text);
    std::size_t size = 0;
    for (const auto& [name, value] : options.settings) size += name.size() + value.size();
    // A switch of one letter stands for a setting.
    require(size <= 64 * text.size(), "options are bounded by their text");

    Input input(data);
    Settings held, wanted;
    fill(held, input);
    fill(wanted, input);
    require((held == wanted) == postgres::diff_sql(held, wanted).empty(), "only what differs needs SQL");
    const std::string sql = postgres::diff_sql(held, wanted);
    for (const char c : sql) require(static_cast<unsigned char>(c) - 1u < 0x7F, "what leasehold writes is ASCII");
    require(statements(sql, true) == statements(sql, false), "it means the same whatever a backslash is");

    const std::string_view value = wire::as_text(input.rest());
    if (value.find('\0') != value.npos) return;
    for (const bool conforming : {true, false}) {
        const std::string around = "SELECT " + postgres::quote_literal(value) + "; RESET a";
        require(statements(around, conforming) == 2, "a literal ends where it ends");
    }
});

}  // namespace
}  // namespace leasehold::fuzz
