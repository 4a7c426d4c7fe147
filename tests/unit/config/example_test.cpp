// SPDX-License-Identifier: Apache-2.0
// The example file against the loader: as it is shipped, and with everything in it uncommented.
#include "config/diff.hpp"
#include "config/keys.hpp"
#include "tests/unit/config/loading.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace leasehold::config {
namespace {

std::string shipped() {
    const std::filesystem::path path = "systemd/leasehold.yaml";  // unit tests run in the top folder
    std::ifstream in(path);
    EXPECT_TRUE(in) << path;
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

// Prose has a space behind its number sign, a key has none.
std::string uncommented() { return std::regex_replace(shipped(), std::regex("(^|\n)( *)#(?=[^# \n])"), "$1$2"); }

std::set<std::string> words(const std::vector<std::string_view>& names) { return {names.begin(), names.end()}; }

std::set<std::string> words(const YAML::Node& map) {
    std::set<std::string> out;
    for (const auto& pair : map) out.insert(pair.first.Scalar());
    return out;
}

TEST(Example, IsValidAsItIsShipped) {
    const Loaded loaded = load(shipped());
    EXPECT_TRUE(loaded.config);
    EXPECT_EQ(rendered(loaded), "");
}

TEST(Example, NamesEveryKeyThatTheLoaderKnowsAndNoOther) {
    const YAML::Node root = YAML::Load(uncommented());
    EXPECT_EQ(words(root), words(key_names(Part::top)));
    EXPECT_EQ(words(root["listen"][0]), words(key_names(Part::listen)));
    EXPECT_EQ(words(root["listen"][0]["tls"]), words(key_names(Part::listen_tls)));
    EXPECT_EQ(words(root["pools"]["orders"]), words(key_names(Part::pool)));
    EXPECT_EQ(words(root["users"][0]), words(key_names(Part::user)));
    EXPECT_EQ(words(root["admin"]), words(key_names(Part::admin)));
    EXPECT_EQ(words(root["log"]), words(key_names(Part::log)));
    EXPECT_EQ(words(root["limits"]), words(key_names(Part::limits)));
    EXPECT_EQ(words(root["servers"]["127.0.0.1:5432"]), words(key_names(Part::server)));
}

TEST(Example, ShowsTheDefaultsThatTheTableSays) {
    const YAML::Node root = YAML::Load(uncommented());
    const auto compare = [](const YAML::Node& map, Part part) {
        for (const Key& key : keys(part)) {
            const YAML::Node value = map[std::string(key.name)];
            if (key.fallback.empty() || !value.IsScalar()) continue;
            EXPECT_EQ(value.Scalar(), key.fallback) << key.name;
        }
    };
    compare(root, Part::top);
    compare(root["listen"][0]["tls"], Part::listen_tls);
    compare(root["pools"]["orders"], Part::pool);
    compare(root["admin"], Part::admin);
    compare(root["log"], Part::log);
    compare(root["limits"], Part::limits);
    compare(root["servers"]["127.0.0.1:5432"], Part::server);
}

TEST(Example, ChangesNothingWhenItsDefaultsAreUncommented) {
    const Loaded plain = load(shipped());
    const Loaded full = load(uncommented());
    ASSERT_TRUE(plain.config);
    ASSERT_TRUE(full.config) << rendered(full);
    for (const Problem& problem : full.problems)
        EXPECT_NE(problem.message.find("later version"), std::string::npos) << problem.render();
    const Diff changes = diff(*plain.config, *full.config);
    EXPECT_TRUE(changes.pools.empty()) << changes.render();
    EXPECT_EQ(changes.settings, std::vector<std::string>{"servers.127.0.0.1:5432"});
    ASSERT_EQ(changes.listeners.changed.size(), 1u);
    EXPECT_EQ(changes.listeners.changed[0].keys, (std::vector<std::string>{"tls", "auth", "default_pool"}));
}

TEST(Example, TypesAndRemarksStandInTheTable) {
    for (const Part part : {Part::top, Part::listen, Part::listen_tls, Part::pool, Part::user, Part::admin, Part::log,
                            Part::limits, Part::server}) {
        EXPECT_FALSE(keys(part).empty());
        for (const Key& key : keys(part)) {
            EXPECT_FALSE(key.type.empty()) << key.name;
            EXPECT_FALSE(key.about.empty()) << key.name;
        }
    }
}

}  // namespace
}  // namespace leasehold::config
