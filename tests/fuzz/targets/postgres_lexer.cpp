// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's lexer against PostgreSQL's own parser: what that takes, ours reads alike or more cautiously.
#include "tests/fuzz/target.hpp"
#include "tests/support/lexer_and_parser.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_lexer", [](Bytes data) {
    const std::string text(wire::as_text(data));
    if (text.size() > 2000 || text.find('\0') != std::string::npos) return;
    const auto parsed = postgres::parse(text);
    if (!parsed) return;
    const std::string found = postgres::disagreement(*parsed, text);
    if (!found.empty()) violated("the lexer is never less cautious than the parser", found + "\n" + text);
});

}  // namespace
}  // namespace leasehold::fuzz
