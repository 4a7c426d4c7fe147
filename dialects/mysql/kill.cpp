// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/kill.hpp"

#include "dialects/mysql/statements.hpp"

#include <charconv>

namespace leasehold::mysql {
namespace {

constexpr std::string_view no_expression =
    "KILL takes the number of a session behind leasehold (the one of its greeting, CONNECTION_ID()), written out";

[[nodiscard]] Kill refused(std::string_view objection) {
    Kill kill;
    kill.objection = objection;
    return kill;
}

}  // namespace

Kill read_kill(const std::vector<Token>& tokens, bool lost) {
    std::size_t at = 1;
    const auto word = [&](std::string_view capitals) {
        const bool is = at < tokens.size() && tokens[at].kind == Token::Kind::word && tokens[at].text == capitals;
        if (is) ++at;
        return is;
    };
    const auto sign = [&](std::string_view text) {
        const bool is = at < tokens.size() && tokens[at].kind == Token::Kind::sign && tokens[at].text == text;
        if (is) ++at;
        return is;
    };
    Kill kill;
    if (!word("HARD")) (void)word("SOFT");
    kill.query = word("QUERY");
    if (!kill.query) (void)word("CONNECTION");
    if (kill.query && word("ID"))
        return refused("KILL QUERY ID takes a number of the server's, and the statement may be anybody's by now");
    if (word("USER")) return refused("KILL USER is not possible here: the user's sessions share backends with others");
    if (word("CONNECTION_ID")) {
        kill.itself = true;
        if (!sign("(") || !sign(")")) return refused(no_expression);
    } else {
        if (at >= tokens.size() || tokens[at].kind != Token::Kind::word) return refused(no_expression);
        const std::string& digits = tokens[at].text;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), kill.number);
        if (error != std::errc() || end != digits.data() + digits.size()) return refused(no_expression);
        ++at;
    }
    if (lost || at != tokens.size()) return refused(no_expression);
    return kill;
}

}  // namespace leasehold::mysql
