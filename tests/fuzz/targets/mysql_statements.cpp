// SPDX-License-Identifier: Apache-2.0
// MySQL's lexer: the same in pieces; texts for records; and what a client has set is set again as exactly that.
#include "dialects/mysql/settings.hpp"
#include "dialects/mysql/statements.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

using mysql::LexMode;
using mysql::Statement;

Statement lexed(std::string_view text, LexMode mode, std::uint8_t cut) {
    Pieces pieces(cut);
    mysql::Lexer lexer(mode);
    while (!text.empty()) {
        const std::string part(text.substr(0, pieces.next(text.size())));
        text.remove_prefix(part.size());
        lexer.feed(wire::as_bytes(part));
    }
    return lexer.finish();
}

std::string said(const Statement& statement) {
    std::string all = std::to_string(statement.count) + '/';
    (all += statement.pin) += '/';
    for (const bool flag : {statement.begins, statement.rolls_back, statement.ends, statement.may_commit,
                            statement.savepoint, statement.one_shot, statement.kill.has_value(), statement.may_insert,
                            statement.calls, statement.asks_counts, statement.asks_found_rows, statement.only_sets}) {
        all += flag ? '1' : '0';
    }
    (all += '/') += statement.database.value_or("-");
    for (const auto& [name, literal] : statement.sets) (((all += ';') += name) += '=') += literal;
    return all;
}

const Registered registered("mysql_statements", [](Bytes data) {
    Input input(data);
    const std::uint8_t choice = input.u8();
    const LexMode mode{choice % 2 != 0, choice / 2 % 2 != 0};
    const std::uint8_t cut = input.u8();
    const std::string text(wire::as_text(input.rest()));
    const Statement statement = lexed(text, mode, Pieces::whole);
    require_same(said(statement), said(lexed(text, mode, cut)), "statements");
    for (const std::size_t limit : {std::size_t{0}, std::size_t{7}, std::size_t{256}}) {
        require(mysql::masked(text, false, limit).size() <= limit + 4, "a text for records is short");
    }

    // What is carried to another backend, as leasehold writes it there.
    if (!statement.pin.empty() || statement.sets.empty()) return;
    mysql::Settings wanted;
    for (const auto& [name, literal] : statement.sets) {
        if (name.starts_with("transaction ")) return;  // by another name there
        wanted.set(name, literal);
    }
    const mysql::Alignment plan = mysql::alignment({}, wanted, {});
    const Statement again = lexed(plan.sql, mode, Pieces::whole);
    require(again.count == 1 && again.only_sets && again.pin.empty(), "what is carried is one SET");
    mysql::Settings there;
    for (const auto& [name, literal] : again.sets) there.set(name, literal);
    require(there == wanted, "what is set again is what was set");
});

}  // namespace
}  // namespace leasehold::fuzz
