// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's lexer, and what is made of its statements: digests, and texts for records.
#include "dialects/postgres/digest.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>

namespace leasehold::fuzz {
namespace {

using postgres::Statement;

std::string scanned(std::string_view text, bool conforming, std::uint8_t cut) {
    Pieces pieces(cut);
    postgres::Scanner scanner(conforming);
    postgres::Digester digester([](const void*, std::string_view name) { return name == "a"; }, nullptr);
    std::string said;
    const auto say = [&](const Statement& statement) {
        said += to_string(statement.kind);
        (said += '/') += std::to_string(statement.marks);
        ((said += '/') += statement.variable()) += statement.may_commit() ? "!;" : ";";
        digester.take(statement);
    };
    while (!text.empty()) {
        std::string_view part = text.substr(0, pieces.next(text.size()));
        text.remove_prefix(part.size());
        while (!part.empty()) {
            const std::size_t taken = scanner.feed(std::string(part));
            require(taken > 0 && taken <= part.size(), "the scanner gets on");
            part.remove_prefix(taken);
            if (scanner.ended()) say(scanner.statement());
        }
    }
    if (!scanner.ended()) {
        scanner.finish();
        say(scanner.statement());
    }
    const postgres::Digest& digest = digester.digest();
    said += std::to_string(digest.statements) + describe_pin(digest.pin, digest.variable());
    return said + (digest.begins ? 'b' : '-') + (digest.may_commit ? 'c' : '-') + (digest.ends ? 'e' : '-') +
           (digest.soils ? 's' : '-') + (digest.rolls_back() ? 'r' : '-') + (digest.discards ? 'd' : '-');
}

// Whatever function the careful look at a text names, the quick one has noticed.
void require_noticed(const std::string& text, bool conforming) {
    const postgres::Calls calls = postgres::read_calls(text, conforming);
    require(std::max(calls.functions.size(), calls.customs.size()) <= postgres::Calls::most, "calls are bounded");
    bool noticed = false;
    postgres::each_statement(text, conforming, [&noticed](const Statement& statement) {
        noticed |= (statement.marks & (postgres::mark::calls | postgres::mark::obscure)) != 0 ||
                   statement.kind == postgres::Kind::run_do || statement.kind == postgres::Kind::execute;
    });
    require(noticed || calls.functions.empty(), "a call is noticed");
}

const Registered registered("postgres_statements", [](Bytes data) {
    Input input(data);
    const bool conforming = input.u8() % 2 == 0;
    const std::uint8_t cut = input.u8();
    const std::string text(wire::as_text(input.rest()));
    require_same(scanned(text, conforming, Pieces::whole), scanned(text, conforming, cut), "statements");
    for (const std::size_t limit : {std::size_t{0}, std::size_t{7}, std::size_t{256}}) {
        require(postgres::mask(text, limit).size() <= limit + 4, "a text for records is short");
    }
    require_noticed(text, conforming);
    // A literal's content never reaches a record, whatever stands in front of it.
    const std::string secret = "hunter2hunter2";
    if (text.find("hunter") == text.npos) {
        const std::string quoted = "SELECT '" + secret + "', $x$" + secret + "$x$, " + text;
        require(postgres::mask(quoted, 4096).find(secret) == std::string::npos, "literals are masked");
    }
});

}  // namespace
}  // namespace leasehold::fuzz
