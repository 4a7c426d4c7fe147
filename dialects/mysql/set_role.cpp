// SPDX-License-Identifier: Apache-2.0
// The lexer's part that reads SET ROLE: NONE or a name; of MySQL DEFAULT, ALL, ALL EXCEPT and several names, with their hosts.
#include "dialects/mysql/statements.hpp"

namespace leasehold::mysql {
namespace {

using Kind = Token::Kind;

constexpr std::size_t longest = 2048;

// `name`; false: it cannot be written so.
bool quote(std::string_view name, std::string& into) {
    if (name.empty() || name.find_first_of("`\\") != std::string_view::npos) return false;
    ((into += '`') += name) += '`';
    return true;
}

bool add_name(const std::vector<Token>& tokens, std::size_t& at, std::string& into) {
    if (at >= tokens.size()) return false;
    const Token& token = tokens[at];
    const bool named = token.kind == Kind::word || token.kind == Kind::name || token.kind == Kind::text;
    if (!named || !token.plain || !quote(token.kind == Kind::word ? token.raw : token.text, into)) return false;
    ++at;
    if (at >= tokens.size() || tokens[at].kind != Kind::user_variable) return true;
    into += '@';
    return tokens[at].plain && quote(tokens[at++].text, into);
}

}  // namespace

std::optional<std::string> read_role(const std::vector<Token>& tokens, std::size_t at) {
    std::string made;
    const std::string_view first = word_at(tokens, at);
    const bool except = first == "ALL" && word_at(tokens, at + 1) == "EXCEPT";
    if (first == "NONE" || first == "DEFAULT" || first == "ALL") {
        made = except ? "ALL EXCEPT " : first;
        at += except ? 2 : 1;
    }
    for (bool more = made.empty() || except; more && made.size() < longest;) {
        if (!add_name(tokens, at, made)) return std::nullopt;
        more = at < tokens.size() && tokens[at].kind == Kind::sign && tokens[at].text == ",";
        if (more) {
            ++at;
            made += ',';
        }
    }
    if (at != tokens.size()) return std::nullopt;
    return made;
}

}  // namespace leasehold::mysql
