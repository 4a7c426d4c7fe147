// SPDX-License-Identifier: Apache-2.0
// The texts that are printed from the tables: nothing is left out of any of them.
#include "cmd/leasehold/reference/reference.hpp"
#include "cmd/leasehold/command_line.hpp"
#include "cmd/leasehold/reference/text.hpp"

#include "config/load.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace leasehold::cmd {
namespace {

using nlohmann::json;

TEST(Reference, EveryKeyStandsInEveryText) {
    const std::string markdown = reference_markdown(describe_program());
    const std::string manual = reference_file_manual();
    const std::string example = reference_example();
    for (const Section& section : sections()) {
        EXPECT_NE(markdown.find("### " + (section.path.empty() ? "Top level" : section.path) + "\n"), std::string::npos)
            << section.path;
        for (const config::Key& key : config::keys(section.part)) {
            const std::string name(key.name);
            EXPECT_NE(markdown.find("| `" + name + "` |"), std::string::npos) << name;
            EXPECT_NE(manual.find(".B \"" + name + "\"\n"), std::string::npos) << name;
            EXPECT_NE(example.find(name + ":"), std::string::npos) << name;
        }
    }
}

TEST(Reference, EveryCommandAndOptionStandsInTheManual) {
    const Usage program = describe_program();
    const std::string manual = reference_program_manual(program);
    ASSERT_FALSE(program.commands.empty());
    for (const Usage& command : program.commands) {
        EXPECT_NE(manual.find(".SS \"leasehold " + replaced(command.name, "-", "\\-")), std::string::npos)
            << command.name;
        EXPECT_FALSE(command.about.empty()) << command.name;
        for (const Usage::Option& option : command.options) {
            EXPECT_NE(manual.find(replaced(option.names.back(), "-", "\\-")), std::string::npos) << option.names.back();
            EXPECT_FALSE(option.about.empty()) << command.name << " " << option.names.back();
        }
    }
}

TEST(Reference, EveryTypeOfAKeyIsExplained) {
    std::set<std::string_view> explained;
    for (const config::ValueType& type : config::value_types()) explained.insert(type.type);
    std::set<std::string_view> used;
    for (const Section& section : sections()) {
        for (const config::Key& key : config::keys(section.part)) {
            if (config::choices(key.type).empty()) used.insert(key.type);
        }
    }
    EXPECT_EQ(used, explained);
}

TEST(Reference, TheSchemaHasEveryKeyAndNoOther) {
    const json schema = json::parse(reference_schema());
    const auto properties = [&](const json& object, config::Part part) {
        std::set<std::string> names, known;
        for (const auto& [name, value] : object.at("properties").items()) names.insert(name);
        for (const std::string_view name : config::key_names(part)) known.emplace(name);
        EXPECT_EQ(names, known);
        EXPECT_FALSE(object.at("additionalProperties").get<bool>());
    };
    const json& top = schema.at("properties");
    properties(schema, config::Part::top);
    properties(top.at("listen").at("items"), config::Part::listen);
    properties(top.at("listen").at("items").at("properties").at("tls"), config::Part::listen_tls);
    properties(top.at("pools").at("additionalProperties"), config::Part::pool);
    properties(top.at("users").at("items"), config::Part::user);
    properties(top.at("admin"), config::Part::admin);
    properties(top.at("log"), config::Part::log);
    properties(top.at("limits"), config::Part::limits);
    properties(top.at("servers").at("additionalProperties"), config::Part::server);
}

config::Loaded load(const std::string& text) { return config::load_text(text, "f.yaml", config::Secrets{}); }

TEST(Reference, TheExampleIsAFileThatLoads) {
    const config::Loaded loaded = load(reference_example());
    EXPECT_TRUE(loaded.config);
    for (const config::Problem& problem : loaded.problems) ADD_FAILURE() << problem.render();
}

// The words that the table promises are those that the loader takes.
TEST(Reference, EveryWordOfAChoiceIsTaken) {
    for (const config::Key& key : config::keys(config::Part::pool)) {
        for (const std::string_view word : config::choices(key.type)) {
            const config::Loaded loaded = load(
                "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools: {a: {url: "
                "\"postgresql://u:p@h/a\", " +
                std::string(key.name) + ": " + std::string(word) + "}}\n");
            EXPECT_TRUE(loaded.config) << key.name << " " << word;
        }
    }
    for (const std::string_view part : {"log", "admin", "limits"}) {
        const config::Key& holder = config::key(config::Part::top, part);
        for (const config::Key& key : config::keys(holder.inner)) {
            for (const std::string_view word : config::choices(key.type)) {
                const config::Loaded loaded = load(
                    "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools: {a: {url: "
                    "\"postgresql://u:p@h/a\"}}\n" +
                    std::string(part) + ": {" + std::string(key.name) + ": " + std::string(word) + "}\n");
                EXPECT_TRUE(loaded.config) << key.name << " " << word;
            }
        }
    }
}

TEST(Reference, TheRangesThatItTellsAreThoseOfTheLoader) {
    for (const config::Key& key : config::keys(config::Part::limits)) {
        if (key.type != "count") continue;
        const auto with = [&](std::int64_t value) {
            return load(
                       "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools: {a: {url: "
                       "\"postgresql://u:p@h/a\"}}\nlimits: {" +
                       std::string(key.name) + ": " + std::to_string(value) + "}\n")
                .config.has_value();
        };
        EXPECT_EQ(range(key), std::to_string(key.least) + " to " + std::to_string(key.most));
        EXPECT_TRUE(with(key.least)) << key.name;
        EXPECT_TRUE(with(key.most)) << key.name;
        EXPECT_FALSE(with(key.least - 1)) << key.name;
        EXPECT_FALSE(with(key.most + 1)) << key.name;
    }
}

TEST(Wrapping, BreaksAtSpacesAndKeepsLongWords) {
    EXPECT_EQ(wrapped("a bb ccc", 4), (std::vector<std::string>{"a bb", "ccc"}));
    EXPECT_EQ(wrapped("abcdefgh ij", 4), (std::vector<std::string>{"abcdefgh", "ij"}));
    EXPECT_TRUE(wrapped("", 4).empty());
}

}  // namespace
}  // namespace leasehold::cmd
