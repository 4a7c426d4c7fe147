// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/table.hpp"

#include "cmd/leasehold/control/printable.hpp"

#include <algorithm>
#include <numeric>

namespace leasehold::cmd {
namespace {

constexpr std::size_t between = 2;         // columns of space
constexpr std::size_t shortest_text = 16;  // texts are not cut further

using Line = std::vector<std::string>;

std::vector<Line> printable_rows(const Answer& answer) {
    std::vector<Line> out;
    for (const Row& row : answer.rows) {
        Line& line = out.emplace_back();
        for (const Cell& cell : row) line.push_back(cell.null ? std::string() : printable(cell.text));
    }
    return out;
}

std::size_t total(const std::vector<std::size_t>& widths) {
    return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + between * (widths.size() - 1);
}

// Takes from the widest texts first. False: there is not enough to take.
bool fit(std::vector<std::size_t>& widths, const std::vector<std::size_t>& least, std::size_t width) {
    while (total(widths) > width) {
        std::size_t widest = widths.size();
        for (std::size_t i = 0; i < widths.size(); ++i) {
            if (widths[i] > least[i] && (widest == widths.size() || widths[i] > widths[widest])) widest = i;
        }
        if (widest == widths.size()) return false;
        --widths[widest];
    }
    return true;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const std::string cut_text = cut(text, width);
    const std::string space(width - std::min(width, columns_of(cut_text)), ' ');
    return right ? space + cut_text : cut_text + space;
}

std::string joined(const Line& line, const std::vector<Column>& columns, const std::vector<std::size_t>& widths) {
    std::string out;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) out += std::string(between, ' ');
        out += padded(line[i], widths[i], columns[i].numeric);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + '\n';
}

std::string blocks(const Line& names, const std::vector<Line>& rows) {
    std::size_t width = 0;
    for (const std::string& name : names) width = std::max(width, columns_of(name));
    std::string out;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        out += (i > 0 ? "\n" : "") + std::string("-- ") + std::to_string(i + 1) + " --\n";
        for (std::size_t column = 0; column < names.size(); ++column) {
            if (rows[i][column].empty()) continue;
            out += padded(names[column], width, false) + "  " + rows[i][column] + '\n';
        }
    }
    return out;
}

}  // namespace

std::string render_table(const Answer& answer, std::size_t width) {
    if (answer.columns.empty()) return {};
    Line names;
    for (const Column& column : answer.columns) names.push_back(printable(column.name));
    const std::vector<Line> rows = printable_rows(answer);
    std::vector<std::size_t> widths, least;
    for (std::size_t i = 0; i < names.size(); ++i) {
        std::size_t widest = columns_of(names[i]);
        for (const Line& row : rows) widest = std::max(widest, columns_of(row[i]));
        const std::size_t shortest = std::max(columns_of(names[i]), shortest_text);
        widths.push_back(widest);
        least.push_back(answer.columns[i].numeric ? widest : std::min(widest, shortest));
    }
    if (width > 0 && !fit(widths, least, width) && !rows.empty()) return blocks(names, rows);
    std::string out = joined(names, answer.columns, widths);
    for (const Line& row : rows) out += joined(row, answer.columns, widths);
    return out;
}

}  // namespace leasehold::cmd
