// SPDX-License-Identifier: Apache-2.0
// The one table of the configuration's keys: name, type, range, default, whether a reload takes it up, and what it is
// for. The loader knows no other keys and takes its ranges from here; the reference, the manual page, the schema for
// editors and the example file are printed from it.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace leasehold::config {

enum class Part : unsigned char { top, listen, listen_tls, pool, user, admin, log, limits, server };

struct Key {
    // How a key whose value has keys of its own holds them.
    enum class Holds : unsigned char { value, section, list, named };

    std::string_view name;
    std::string_view type;      // "duration", "count", "true or false", "a | b", ...: see value_types()
    std::string_view fallback;  // the default, as the file would say it; empty: none
    bool reloadable;
    std::string_view about;  // one line

    // What numbers may be: counts, bytes of a size, milliseconds of a duration.
    std::int64_t least = 0;
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
    std::string_view detail{};   // sentences, where one line does not say it
    std::string_view example{};  // what the example file shows where there is no default
    std::string_view aliases{};  // words that are taken beside those of the type, "a | b", and not advertised
    bool required = false;
    bool secret = false;
    Holds holds = Holds::value;
    Part inner = Part::top;     // whose keys its value has
    std::string_view sample{};  // a name that a map of names has in the example file
    std::string_view since = "0.1.0";

    // Each gives the key with one thing more said about it.
    [[nodiscard]] constexpr Key between(std::int64_t from, std::int64_t to) const {
        Key key = *this;
        key.least = from;
        key.most = to;
        return key;
    }
    [[nodiscard]] constexpr Key at_least(std::int64_t from) const { return between(from, most); }
    [[nodiscard]] constexpr Key explained(std::string_view text) const {
        Key key = *this;
        key.detail = text;
        return key;
    }
    [[nodiscard]] constexpr Key shown_as(std::string_view text) const {
        Key key = *this;
        key.example = text;
        return key;
    }
    [[nodiscard]] constexpr Key also_called(std::string_view words) const {
        Key key = *this;
        key.aliases = words;
        return key;
    }
    [[nodiscard]] constexpr Key must_stand() const {
        Key key = *this;
        key.required = true;
        return key;
    }
    [[nodiscard]] constexpr Key is_secret() const {
        Key key = *this;
        key.secret = true;
        return key;
    }
    [[nodiscard]] constexpr Key with(Holds how, Part part, std::string_view name_of_one = {}) const {
        Key key = *this;
        key.holds = how;
        key.inner = part;
        key.sample = name_of_one;
        return key;
    }
};

[[nodiscard]] std::span<const Key> keys(Part part);
[[nodiscard]] std::vector<std::string_view> key_names(Part part);
[[nodiscard]] const Key& key(Part part, std::string_view name);  // throws std::logic_error when there is none

// What a `Key::type` means, for people. Types that are a list of words ("a | b") are not among them.
struct ValueType {
    std::string_view type;
    std::string_view about;
};
[[nodiscard]] std::span<const ValueType> value_types();
// The words of a list of them, "a | b"; none if it is something else. "/path" among them stands for any path.
[[nodiscard]] std::vector<std::string_view> choices(std::string_view type);

}  // namespace leasehold::config
