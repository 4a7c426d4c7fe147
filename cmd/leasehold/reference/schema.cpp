// SPDX-License-Identifier: Apache-2.0
// The schema for editors (JSON schema, draft-07): keys, words, and what durations and sizes look like. What only the
// loader can know (that a pool of that name exists, that two listeners collide) it does not say.
#include "cmd/leasehold/reference/reference.hpp"
#include "cmd/leasehold/reference/text.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <stdexcept>

namespace leasehold::cmd {
namespace {

using config::Key;
using config::Part;
using Json = nlohmann::ordered_json;

constexpr std::int64_t longest_seconds = 10ll * 366 * 24 * 3600;

// One keyword; braces alone would be taken for a list.
Json only(const char* keyword, Json value) {
    Json out;
    out[keyword] = std::move(value);
    return out;
}

Json of_definition(const std::string& name) { return {{"$ref", "#/definitions/" + name}}; }

// From the environment, or by a tag, which editors give as the text behind it.
Json any_of(std::vector<Json> kinds) {
    kinds.push_back(of_definition("from_environment"));
    return {{"anyOf", std::move(kinds)}};
}

Json pattern(const std::string& text) { return {{"type", "string"}, {"pattern", text}}; }

// SQLAlchemy's words, in any case, with spaces or underscores.
std::string any_case(std::string_view words) {
    std::string out;
    for (const char c : words) {
        if (c == ' ')
            out += "[ _]";
        else
            out += std::string("[") + c + static_cast<char>(c - 'A' + 'a') + "]";
    }
    return out;
}

Json isolation_level() {
    std::string all;
    for (const std::string_view level :
         {"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"})
        all += (all.empty() ? "" : "|") + any_case(level);
    return any_of({pattern("^(" + all + ")$"), only("type", "null")});
}

Json count(const Key& key) { return {{"type", "integer"}, {"minimum", key.least}, {"maximum", key.most}}; }

Json duration(const Key& key) { return of_definition(key.least > 0 ? "duration_above_zero" : "duration"); }

Json size(const Key& key) { return any_of({count(key), pattern("^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB)$")}); }

Json words(const Key& key) {
    Json list = Json::array();
    std::vector<Json> kinds;
    for (const std::string_view word : config::choices(key.type)) {
        if (word.starts_with('/'))
            kinds.push_back(pattern("^/"));
        else
            list.push_back(word);
    }
    for (const std::string_view alias : config::choices(key.aliases)) kinds.push_back(only("const", alias));
    Json plain;
    plain["enum"] = std::move(list);
    kinds.insert(kinds.begin(), std::move(plain));
    return any_of(std::move(kinds));
}

Json value(const Key& key) {
    const std::string_view type = key.type;
    if (!config::choices(type).empty()) return words(key);
    if (type == "true or false") return any_of({only("type", "boolean")});
    if (type == "count" || type == "count or -1") return any_of({count(key)});
    if (type == "auto or count") return any_of({only("const", "auto"), count(key)});
    if (type == "duration") return duration(key);
    if (type == "duration or -1") return only("anyOf", Json::array({only("const", -1), duration(key)}));
    if (type == "size") return size(key);
    if (type == "share") return any_of({pattern("^((100(\\.0+)?|[0-9]{1,2}(\\.[0-9]+)?)%|all)$")});
    if (type == "level") return isolation_level();
    if (type == "list of names") return of_definition("names");
    if (type == "name" || type == "text" || type == "path") return of_definition("text");
    if (type == "URL") return {{"type", "string"}, {"minLength", 1}};
    if (type == "pool") return any_of({only("const", "pool")});
    if (type == "host:port or unix:/path") return any_of({of_definition("address")});
    if (type == "host:port or off") return any_of({only("const", "off"), of_definition("tcp_address")});
    if (type == "auto, off or path") return any_of({only("enum", Json::array({"auto", "off"})), pattern("^/")});
    // servers' and listeners' maps of words
    if (type == "map") return {{"type", {"object", "null"}}, {"additionalProperties", of_definition("text")}};
    throw std::logic_error("the schema does not know the type " + std::string(type));
}

// As an editor shows it: a number is one, [] is a list.
Json typed(std::string_view text) {
    if (text == "true" || text == "false") return text == "true";
    if (text == "[]") return Json::array();
    if (text == "{}") return Json::object();
    std::int64_t number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && at == text.data() + text.size()) return number;
    return text;
}

std::string description(const Key& key) {
    std::string out = key.detail.empty() ? sentence(key.about) : std::string(key.detail);
    if (!key.reloadable) out += " Needs a restart.";
    return out;
}

Json object(Part part);

Json held(const Key& key) {
    Json inner = object(key.inner);
    switch (key.holds) {
        case Key::Holds::value: return value(key);
        case Key::Holds::section: return inner;
        case Key::Holds::list:
            if (key.required) return {{"type", "array"}, {"minItems", 1}, {"items", std::move(inner)}};
            return {{"type", {"array", "null"}}, {"items", std::move(inner)}};
        case Key::Holds::named: break;
    }
    Json out;
    out["type"] = key.required ? Json("object") : Json({"object", "null"});
    if (key.required) out["minProperties"] = 1;
    out["propertyNames"] = {{"pattern", "^[^\\u0000-\\u001f\\u007f]+$"}};
    out["additionalProperties"] = std::move(inner);
    return out;
}

Json object(Part part) {
    Json properties = Json::object(), required = Json::array();
    for (const Key& key : config::keys(part)) {
        Json property;
        property["description"] = description(key);
        property.update(key.holds == Key::Holds::value ? value(key) : held(key));
        if (!key.fallback.empty()) property["default"] = typed(key.fallback);
        if (!key.example.empty() && key.fallback.empty()) property["examples"] = Json::array({typed(key.example)});
        properties[std::string(key.name)] = std::move(property);
        if (key.required) required.push_back(key.name);
    }
    Json out;
    out["type"] = required.empty() && part != Part::top ? Json({"object", "null"}) : Json("object");
    out["additionalProperties"] = false;
    if (!required.empty()) out["required"] = std::move(required);
    out["properties"] = std::move(properties);
    return out;
}

Json definitions() {
    const std::string units = "(\\.[0-9]+)?(ms|s|m|h)$";
    Json seconds = {{"type", "number"}, {"minimum", 0}, {"maximum", longest_seconds}};
    Json above = {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", longest_seconds}};
    Json out;
    out["from_environment"] = pattern("\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}");
    out["text"] = {{"type", {"string", "number", "boolean"}}};  // numbers and booleans are read as the text they are
    out["names"] = {{"type", {"array", "null"}},
                    {"uniqueItems", true},
                    {"items", {{"type", {"string", "number", "boolean"}}, {"minLength", 1}}}};
    out["duration"] = any_of({std::move(seconds), pattern("^[0-9]+" + units)});
    out["duration_above_zero"] = any_of({std::move(above), pattern("^(?!0+(\\.0+)?[a-z])[0-9]+" + units)});
    out["tcp_address"] = pattern("^([0-9.]+|localhost|\\[[0-9A-Fa-f:.]+\\]):[1-9][0-9]{0,4}$");
    out["address"] = {{"anyOf", {of_definition("tcp_address"), pattern("^(unix:)?/(.*[^/])$")}}};
    return out;
}

}  // namespace

std::string reference_schema() {
    Json out;
    out["$schema"] = "http://json-schema.org/draft-07/schema#";
    out["title"] = "leasehold.yaml";
    out["description"] =
        "The configuration of leasehold. Values may come from the environment (${NAME}), a file "
        "(!file /path) or a systemd credential (!credential name).";
    out.update(object(Part::top));
    out["definitions"] = definitions();
    return out.dump(2) + "\n";
}

}  // namespace leasehold::cmd
