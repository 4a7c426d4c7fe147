// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/listen_text.hpp"

#include "dialects/postgres/statements.hpp"
#include "dialects/postgres/text_reader.hpp"

namespace leasehold::postgres {
namespace {

using Order = ListenOrder::Kind;

// Behind SELECT.
[[nodiscard]] bool reads_channels(TextReader& text, ListenOrder& order) {
    if (text.blanks().take('*')) {
        order.of = "*";
        if (!text.keyword("from")) return false;
    } else if (text.keyword("count")) {
        order.of = "pg_catalog.count(*)";
        if (!text.blanks().take('(') || !text.blanks().take('*') || !text.blanks().take(')')) return false;
        if (!text.keyword("from")) return false;
    }
    std::string name = text.blanks().word();
    if (name == "pg_catalog" && text.take('.')) name = text.word();
    if (name != "pg_listening_channels" || !text.blanks().take('(') || !text.blanks().take(')')) return false;
    text.blanks();
    if (text.at_letter()) {
        if (!text.keyword("order") || !text.keyword("by") || text.blanks().digits() != "1") return false;
        order.sorted = true;
    }
    return text.at_end();
}

}  // namespace

std::string_view ListenOrder::tag() const noexcept {
    switch (kind) {
        case Order::listen: return "LISTEN";
        case Order::unlisten:
        case Order::unlisten_all: return "UNLISTEN";
        case Order::none:
        case Order::channels: break;
    }
    return {};
}

ListenOrder read_listen(std::string_view sql) {
    TextReader text(sql);
    ListenOrder order;
    const std::string first = text.blanks().word();
    bool read = false;
    if (first == "listen" || first == "unlisten") {
        order.kind = first == "listen" ? Order::listen : Order::unlisten;
        text.blanks();
        if (order.kind == Order::unlisten && text.take('*')) {
            order.kind = Order::unlisten_all;
            read = text.at_end();
        } else {
            read = text.identifier(order.channel) && text.at_end();
        }
    } else if (first == "select") {
        order.kind = Order::channels;
        read = reads_channels(text, order);
    }
    return read ? order : ListenOrder{};
}

std::string about_channel(std::string_view verb, std::string_view channel) {
    std::string sql(verb);
    sql += " \"";
    for (const char c : channel) sql.append(c == '"' ? 2 : 1, c);
    return sql += '"';
}

std::vector<ListenPart> read_listens(std::string_view sql, bool standard_conforming_strings) {
    constexpr std::string_view blanks = " \t\n\r\f";
    std::vector<ListenPart> parts;
    Scanner scanner(standard_conforming_strings);
    std::size_t at = 0, number = 0;
    while (at < sql.size()) {
        const std::size_t length = scanner.feed(sql.substr(at));
        const std::string_view text = sql.substr(at, length);
        if (!scanner.ended()) scanner.finish();
        const Kind kind = scanner.statement().kind;
        const bool acts = kind == Kind::listen || kind == Kind::unlisten;
        if (acts || kind == Kind::other) {
            ListenPart part{at + text.find_first_not_of(blanks), at + text.find_last_not_of(blanks) + 1, number,
                            read_listen(text)};
            if (acts && !part.order) return {};
            if (sql[part.end - 1] == ';') --part.end;
            if (part.order) parts.push_back(std::move(part));
        }
        if (kind != Kind::none) ++number;
        at += length;
    }
    return parts;
}

}  // namespace leasehold::postgres
