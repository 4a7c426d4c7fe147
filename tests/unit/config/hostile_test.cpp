// SPDX-License-Identifier: Apache-2.0
// What the fuzzers found in the reading of configurations.
#include "config/load.hpp"

#include <gtest/gtest.h>

namespace leasehold::config {
namespace {

// The YAML parser makes one empty document after the other of a character that it cannot use.
TEST(ConfigHostile, ComesToAnEndOfATextThatYamlCannotUse) {
    for (const std::string text : {",", ",s=c", "a: 1\n, b\n", "]", "}", "a: 1\n]\n"}) {
        const Loaded loaded = load_text(text, "f.yaml", {});
        EXPECT_FALSE(loaded.config) << text;
        ASSERT_FALSE(loaded.problems.empty()) << text;
        EXPECT_NE(loaded.problems.front().render().find("no valid YAML"), std::string::npos)
            << text << loaded.problems.front().render();
    }
}

TEST(ConfigHostile, WritesAFolderOfSocketsWithAColonAsItReadsIt) {
    const ParsedUrl parsed = parse_url("mysql://u@/d?host=/run/a:b");
    ASSERT_TRUE(parsed.url);
    const ParsedUrl again = parse_url(parsed.url->render(false));
    ASSERT_TRUE(again.url) << parsed.url->render(false);
    EXPECT_EQ(*again.url, *parsed.url);
}

}  // namespace
}  // namespace leasehold::config
