// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/console.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>
#include <atomic>
#include <charconv>

namespace leasehold::daemon::web {
namespace {

using Json = nlohmann::ordered_json;
using Type = dialects::Column::Type;

constexpr int at_once = 16;  // commands that run: the socket keeps places for others

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

admin::Permission permission_of(std::optional<std::uint32_t> uid, std::uint32_t own) noexcept {
    return uid && (*uid == 0 || *uid == own) ? admin::Permission::administer : admin::Permission::read;
}

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
    return {200, json_type, text_of(json)};
}

Route console_route(const admin::Console& console) {
    Route route{"/console", Method::post, true, true, {}};
    route.serve = [&console, running = std::make_shared<std::atomic<int>>(0)](const Request& request,
                                                                              const Respond& respond) {
        if (running->fetch_add(1) >= at_once) {
            --*running;
            return respond(to_json(admin::Answer::failed("53300", 1040, "too many console commands run at once")));
        }
        // A command goes on when its client has gone: what it did is not undone by that.
        console.execute(request.body, permission_of(request.uid, ::geteuid()),
                        [running, respond](const admin::Answer& answer) {
                            --*running;
                            respond(to_json(answer));
                        });
    };
    return route;
}

}  // namespace leasehold::daemon::web
