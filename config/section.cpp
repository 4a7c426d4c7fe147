// SPDX-License-Identifier: Apache-2.0
#include "config/section.hpp"

#include "config/nearest.hpp"
#include "config/units.hpp"

#include <algorithm>

namespace leasehold::config {

Section::Section(Reader& reader, const Value& value, Part part)
    : reader_(reader), value_(value), part_(part), pairs_(reader.mapping(value)) {
    const auto known = key_names(part);
    std::erase_if(pairs_, [&](const auto& pair) {
        if (std::ranges::find(known, pair.first) != known.end()) return false;
        std::string suggestion = did_you_mean(pair.first, known);
        if (pair.first == "<<") suggestion = "merge keys are not supported";
        reader_.findings().error(reader_.findings().place(pair.second.key), pair.second.key, "unknown key",
                                 std::move(suggestion));
        return true;
    });
}

const Value* Section::find(std::string_view name) const {
    const auto found = std::ranges::find(pairs_, name, [](const auto& pair) { return std::string_view(pair.first); });
    return found == pairs_.end() ? nullptr : &found->second;
}

std::string Section::key(std::string_view name) const {
    return value_.key.empty() ? std::string(name) : value_.key + "." + std::string(name);
}

const Value* Section::require(std::string_view name, std::string suggestion) {
    const Value* value = find(name);
    // A map of the wrong kind was reported already.
    if (value == nullptr && (value_.node.IsMap() || value_.node.IsNull())) {
        reader_.findings().error(value_.place, key(name), "is missing", std::move(suggestion));
    }
    return value;
}

void Section::refuse(const Value& value, const Scalar& scalar, std::string message, std::string suggestion) {
    message = (scalar.secret ? std::string("the value (a secret, not shown)") : shown(scalar.text)) + " " + message;
    reader_.findings().error(value.place, value.key, std::move(message), std::move(suggestion));
}

std::optional<Scalar> Section::number(const Value& value) {
    auto scalar = reader_.scalar(value);
    const bool digits = scalar && !scalar->text.empty() && std::ranges::all_of(scalar->text, [](char c) {
                            return (c >= '0' && c <= '9') || c == '.' || c == '-';
                        });
    if (scalar && scalar->quoted && !scalar->secret && digits) {
        refuse(value, *scalar, "is text, not a number", "remove the quotation marks");
        return std::nullopt;
    }
    return scalar;
}

void Section::text(std::string_view name, std::string& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    auto scalar = reader_.scalar(*value);
    if (!scalar) return;
    if (scalar->text.find('\0') != std::string::npos)
        refuse(*value, *scalar, "holds a NUL");
    else
        out = std::move(scalar->text);
}

void Section::flag(std::string_view name, bool& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    const auto scalar = reader_.scalar(*value);
    if (!scalar) return;
    const bool word = scalar->text == "true" || scalar->text == "false";
    if (word && (!scalar->quoted || scalar->secret))
        out = scalar->text == "true";
    else if (word)
        refuse(*value, *scalar, "is text, not a boolean", "remove the quotation marks");
    else
        refuse(*value, *scalar, "is no boolean", "write true or false");
}

void Section::count(std::string_view name, int& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    const auto least = config::key(part_, name).least;
    const auto most = std::min<std::int64_t>(config::key(part_, name).most, std::numeric_limits<int>::max());
    const auto scalar = number(*value);
    if (!scalar) return;
    const auto parsed = parse_count(scalar->text);
    if (!parsed.value) {
        refuse(*value, *scalar, parsed.message, parsed.suggestion);
    } else if (*parsed.value < least) {
        refuse(*value, *scalar, "is too small", "the least is " + std::to_string(least));
    } else if (*parsed.value > most) {
        refuse(*value, *scalar, "is too large", "the most is " + std::to_string(most));
    } else {
        out = static_cast<int>(*parsed.value);
    }
}

void Section::duration(std::string_view name, Duration& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    const auto scalar = number(*value);
    if (!scalar) return;
    const auto parsed = parse_duration(scalar->text);
    if (!parsed.value) {
        refuse(*value, *scalar, parsed.message,
               scalar->text == "-1" ? "-1 has a meaning for pool_recycle and max_overflow only" : parsed.suggestion);
    } else if (parsed.value->count() < config::key(part_, name).least) {
        refuse(*value, *scalar, "must be longer than nothing");
    } else {
        out = *parsed.value;
    }
}

void Section::duration_or_never(std::string_view name, std::optional<Duration>& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    const auto scalar = number(*value);
    if (!scalar) return;
    if (scalar->text == "-1") {
        out.reset();
        return;
    }
    const auto parsed = parse_duration(scalar->text);
    if (parsed.value)
        out = *parsed.value;
    else
        refuse(*value, *scalar, parsed.message, scalar->text.starts_with('-') ? "-1 means never" : parsed.suggestion);
}

void Section::size(std::string_view name, std::uint64_t& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    const auto least = static_cast<std::uint64_t>(config::key(part_, name).least);
    const auto most = static_cast<std::uint64_t>(config::key(part_, name).most);
    const auto scalar = number(*value);
    if (!scalar) return;
    const auto parsed = parse_size(scalar->text);
    if (!parsed.value)
        refuse(*value, *scalar, parsed.message, parsed.suggestion);
    else if (*parsed.value < least)
        refuse(*value, *scalar, "is too small", "the least is " + std::to_string(least) + "B");
    else if (*parsed.value > most)
        refuse(*value, *scalar, "is too large", "the most is " + std::to_string(most) + "B");
    else
        out = *parsed.value;
}

void Section::share(std::string_view name, double& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    const auto scalar = number(*value);
    if (!scalar) return;
    const auto parsed = parse_share(scalar->text);
    if (parsed.value)
        out = *parsed.value;
    else
        refuse(*value, *scalar, parsed.message, parsed.suggestion);
}

void Section::names(std::string_view name, std::vector<std::string>& out) {
    const Value* value = find(name);
    if (value == nullptr) return;
    for (const Value& element : reader_.sequence(*value)) {
        const auto scalar = reader_.scalar(element);
        if (!scalar) continue;
        if (scalar->text.empty())
            refuse(element, *scalar, "is an empty name");
        else if (std::ranges::find(out, scalar->text) != out.end())
            refuse(element, *scalar, "stands twice");
        else
            out.push_back(scalar->text);
    }
}

std::optional<std::size_t> Section::choose(std::string_view name, const std::vector<std::string_view>& words) {
    const Value* value = find(name);
    if (value == nullptr) return std::nullopt;
    const auto scalar = reader_.scalar(*value);
    if (!scalar) return std::nullopt;
    const auto found = std::ranges::find(words, scalar->text);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    std::string suggestion = scalar->secret ? std::string() : did_you_mean(scalar->text, words);
    refuse(*value, *scalar, "is not " + one_of(words), std::move(suggestion));
    return std::nullopt;
}

}  // namespace leasehold::config
