// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/json.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace leasehold::daemon::web {
namespace {

using Json = nlohmann::ordered_json;
using Type = dialects::Column::Type;

std::string_view name_of(Type type) noexcept {
    switch (type) {
        case Type::text: return "text";
        case Type::integer: return "integer";
        case Type::real: return "real";
    }
    return "text";
}

// What does not read as a number of its column's type stays text: a program must not lose it.
template <class Number>
Json number(const std::string& text) {
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size()) return text;
    return value;
}

Json cell(const std::optional<std::string>& value, Type type) {
    if (!value) return nullptr;
    switch (type) {
        case Type::text: return *value;
        case Type::integer: return number<std::int64_t>(*value);
        case Type::real: return number<double>(*value);
    }
    return *value;
}

// Names come from clients and need not be UTF-8.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'; }

unsigned status_of(std::string_view sqlstate) noexcept {
    if (sqlstate == "42501") return 403;
    if (sqlstate.starts_with("XX")) return 500;
    if (sqlstate.starts_with("53") || sqlstate.starts_with("57")) return 503;
    return 400;
}

constexpr auto json_type = "application/json";

}  // namespace

Response to_json(const admin::Answer& answer) {
    Json json;
    if (answer.error) {
        const wire::Diagnostics& error = *answer.error;
        json["error"] = {
            {"sqlstate", error.sqlstate}, {"message", error.message}, {"hint", error.hint}, {"detail", error.detail}};
        return {status_of(error.sqlstate), json_type, text_of(json)};
    }
    const dialects::Result& result = answer.result;
    json["columns"] = Json::array();
    for (const auto& column : result.columns) {
        json["columns"].push_back({{"name", column.name}, {"type", name_of(column.type)}});
    }
    json["rows"] = Json::array();
    for (const auto& row : result.rows) {
        Json& cells = json["rows"].emplace_back(Json::array());
        for (std::size_t i = 0; i < row.size() && i < result.columns.size(); ++i) {
            cells.push_back(cell(row[i], result.columns[i].type));
        }
    }
    json["tag"] = result.tag;
    if (!result.notices.empty()) json["notices"] = result.notices;
    return {200, json_type, text_of(json)};
}

Response to_json(const About& about, const std::vector<Section>& sections) {
    Json json{{"version", about.version},   {"uptime_seconds", about.uptime.count()},
              {"draining", about.draining}, {"workers", about.workers},
              {"clients", about.clients},   {"max_clients", about.clients_limit}};
    for (const Section& section : sections) {
        std::string key = section.name;
        for (char& c : key) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        Json& rows = json[key];
        if (!section.problem.empty()) continue;
        rows = Json::array();
        const auto& columns = section.result.columns;
        for (const auto& row : section.result.rows) {
            Json& object = rows.emplace_back(Json::object());
            for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i) {
                object[columns[i].name] = cell(row[i], columns[i].type);
            }
        }
    }
    return {200, json_type, text_of(json)};
}

}  // namespace leasehold::daemon::web
