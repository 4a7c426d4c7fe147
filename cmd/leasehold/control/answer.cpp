// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/answer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace leasehold::cmd {
namespace {

using Json = nlohmann::ordered_json;

// ASCII: in a terminal a control character of C1 would be a command, and JSON leaves those as they are.
std::string dump(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

std::string text_at(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Cell to_cell(const Json& value) {
    if (value.is_null()) return {};
    return {false, value.is_string() ? value.get<std::string>() : dump(value), dump(value)};
}

void read_columns(const Json& columns, Answer& answer) {
    for (const Json& column : columns) {
        const std::string type = text_at(column, "type");
        answer.columns.push_back({text_at(column, "name"), type == "integer" || type == "real" || type == "number"});
    }
}

}  // namespace

std::optional<std::size_t> Answer::column(std::string_view name) const {
    const auto found = std::ranges::find(columns, name, &Column::name);
    if (found == columns.end()) return std::nullopt;
    return static_cast<std::size_t>(found - columns.begin());
}

std::string_view Answer::text(const Row& row, std::string_view name) const {
    const auto index = column(name);
    return index ? std::string_view(row[*index].text) : std::string_view();
}

std::optional<Answer> parse_answer(std::string_view body) {
    const Json json = Json::parse(body, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    Answer out;
    if (const auto error = json.find("error"); error != json.end()) {
        if (!error->is_object()) return std::nullopt;
        out.refusal = {text_at(*error, "sqlstate"), text_at(*error, "message"), text_at(*error, "hint"),
                       text_at(*error, "detail")};
        return out;
    }
    out.tag = text_at(json, "tag");
    if (const auto notices = json.find("notices"); notices != json.end() && notices->is_array()) {
        for (const Json& notice : *notices) {
            if (notice.is_string()) out.notices.push_back(notice.get<std::string>());
        }
    }
    const auto columns = json.find("columns"), rows = json.find("rows");
    if (columns == json.end() || !columns->is_array() || rows == json.end() || !rows->is_array()) return std::nullopt;
    read_columns(*columns, out);
    for (const Json& cells : *rows) {
        if (!cells.is_array()) return std::nullopt;
        Row row;
        for (const Json& cell : cells) row.push_back(to_cell(cell));
        row.resize(out.columns.size());
        out.rows.push_back(std::move(row));
    }
    return out;
}

std::string json_text(std::string_view text) { return dump(Json(text)); }

std::string to_json(const Answer& answer) {
    std::string out = "[";
    for (const Row& row : answer.rows) {
        out += out.size() > 1 ? ", {" : "{";
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i > 0) out += ", ";
            out += json_text(answer.columns[i].name) + ": " + (row[i].null ? "null" : row[i].json);
        }
        out += "}";
    }
    return out + "]\n";
}

}  // namespace leasehold::cmd
