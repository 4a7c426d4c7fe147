// SPDX-License-Identifier: Apache-2.0
// Walks the nodes of a YAML document with places and dotted keys; every surprise becomes a problem, none an exception.
// It knows YAML and secrets, and no key of the configuration. Private to this folder.
#pragma once

#include "config/findings.hpp"

#include <yaml-cpp/yaml.h>

namespace leasehold::config {

struct Value {
    YAML::Node node;
    std::string key;  // dotted: "pools.orders.pool_size"
    Place place;
};

struct Scalar {
    std::string text;
    bool quoted = false;  // text by the writer's wish: no number and no boolean
    bool secret = false;  // from the environment or a file: never shown
};

class Reader {
  public:
    // `text` and `secrets` outlive the reader.
    Reader(std::string_view text, const Secrets& secrets, Findings& findings)
        : text_(text), secrets_(secrets), findings_(findings) {}

    // The document's root; none after reporting why (syntax, several documents, nothing in it).
    [[nodiscard]] std::optional<Value> document();

    // With its secrets resolved; none after reporting why not.
    [[nodiscard]] std::optional<Scalar> scalar(const Value& value);
    // Empty for a null; reports anything else that is no list.
    [[nodiscard]] std::vector<Value> sequence(const Value& value);
    // In the file's order, empty for a null; a key that stands twice is reported and its first value kept.
    [[nodiscard]] std::vector<std::pair<std::string, Value>> mapping(const Value& value);

    [[nodiscard]] Findings& findings() noexcept { return findings_; }

  private:
    void syntax_error(const YAML::Exception& error);
    bool unterminated(const YAML::Node& node) const;
    std::optional<Scalar> tagged(const Value& value);

    std::string_view text_;
    const Secrets& secrets_;
    Findings& findings_;
};

[[nodiscard]] Place place_of(const YAML::Node& node);

}  // namespace leasehold::config
