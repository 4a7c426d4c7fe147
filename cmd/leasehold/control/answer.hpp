// SPDX-License-Identifier: Apache-2.0
// What the daemon answered to a console command: a table, or why not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::cmd {

struct Cell {
    bool null = true;
    std::string text;  // as it came: not yet fit for a terminal
    std::string json;  // the value as JSON, ASCII only
};
using Row = std::vector<Cell>;

struct Column {
    std::string name;
    bool numeric = false;
};

struct Refusal {
    std::string sqlstate, message, hint, detail;
};

struct Answer {
    std::optional<Refusal> refusal;
    std::vector<Column> columns;
    std::vector<Row> rows;  // as many cells as there are columns
    std::string tag;
    std::vector<std::string> notices;

    [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
    // Empty when there is no such column or the cell is NULL.
    [[nodiscard]] std::string_view text(const Row& row, std::string_view column) const;
};

// None: the body is no answer of a console.
[[nodiscard]] std::optional<Answer> parse_answer(std::string_view body);

// One line: an array with an object for each row.
[[nodiscard]] std::string to_json(const Answer& answer);
[[nodiscard]] std::string json_text(std::string_view text);

}  // namespace leasehold::cmd
