// SPDX-License-Identifier: Apache-2.0
#include "daemon/server_facts.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace leasehold::daemon {
namespace {

ServerFactsByName two_servers() {
    dialects::ServerFacts maria, mysql;
    maria.version = "10.11.6-MariaDB";
    maria.parameters = {{"greeting_version", "5.5.5-10.11.6-MariaDB-0+deb12u1"}, {"sql_mode", "A,B = %\n\xff"}};
    maria.capabilities = 0x1D81FFF7FEull;
    maria.charset = 45;
    maria.status = 0x4002;
    mysql.version = "9.7.4";
    return {{"mysql db1:3306,db2:3306", std::make_shared<const dialects::ServerFacts>(maria)},
            {"mysql /run/my sql.sock:3306", std::make_shared<const dialects::ServerFacts>(mysql)}};
}

struct Folder {
    std::string path;
    Folder() {
        char name[] = "/tmp/leasehold-facts-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file() const { return path + "/servers"; }
    void write(const std::string& text) const { std::ofstream(file()) << text; }
};

TEST(ServerFacts, ComeBackAsTheyWere) {
    const ServerFactsByName facts = two_servers();
    const ServerFactsByName back = parse_facts(render_facts(facts)).value();
    ASSERT_EQ(back.size(), 2u);
    for (const auto& [name, said] : facts) {
        const dialects::ServerFacts& read = *back.at(name);
        EXPECT_EQ(read.version, said->version);
        EXPECT_EQ(read.parameters, said->parameters);
        EXPECT_EQ(read.capabilities, said->capabilities);
        EXPECT_EQ(read.charset, said->charset);
        EXPECT_EQ(read.status, said->status);
    }
    EXPECT_TRUE(parse_facts(render_facts({})).value().empty());
}

TEST(ServerFacts, ThatAreNotWholeAreNone) {
    const std::string text = render_facts(two_servers());
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(parse_facts(text.substr(0, i))) << i;
        std::string other = text;
        other[i] = static_cast<char>(other[i] ^ 1);
        EXPECT_FALSE(parse_facts(other)) << i;
    }
    EXPECT_FALSE(parse_facts(text + text));
    EXPECT_FALSE(parse_facts("leasehold servers 2\nsum 0\n"));
}

TEST(ServerFacts, AreWrittenAsAWhole) {
    const Folder folder;
    EXPECT_EQ(read_facts(folder.file()).problem, "") << "none yet";
    EXPECT_EQ(write_facts(folder.file(), render_facts(two_servers())), "");
    EXPECT_EQ(read_facts(folder.file()).facts.size(), 2u);
    struct stat status {};
    ASSERT_EQ(::stat(folder.file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    // What an interrupted writer left is in nobody's way.
    std::ofstream(folder.file() + ".new") << "half";
    EXPECT_EQ(write_facts(folder.file(), render_facts({})), "");
    EXPECT_TRUE(read_facts(folder.file()).facts.empty());
    EXPECT_FALSE(std::filesystem::exists(folder.file() + ".new"));
    EXPECT_NE(write_facts(folder.path + "/nowhere/servers", "x"), "");
}

TEST(ServerFacts, OfABrokenOrForeignFileAreLeftAlone) {
    const Folder folder;
    for (const char* text : {"", "nonsense", "leasehold servers 1\n"}) {
        folder.write(text);
        const FactsRead read = read_facts(folder.file());
        EXPECT_TRUE(read.facts.empty());
        EXPECT_EQ(read.problem, folder.file() + ": is broken, or of another version");
    }
    folder.write(render_facts(two_servers()));
    ::chmod(folder.file().c_str(), 0666);
    EXPECT_EQ(read_facts(folder.file()).problem, folder.file() + ": is no file of leasehold's own");
    std::filesystem::remove(folder.file());
    std::filesystem::create_symlink("/etc/passwd", folder.file());
    EXPECT_NE(read_facts(folder.file()).problem, "");
    std::filesystem::remove(folder.file());
    std::filesystem::create_directory(folder.file());
    EXPECT_NE(read_facts(folder.file()).problem, "");
}

TEST(ServerFacts, LiveInTheStateDirectory) {
    ::setenv("STATE_DIRECTORY", "/var/lib/leasehold:/var/lib/other", 1);
    EXPECT_EQ(facts_path(), "/var/lib/leasehold/servers");
    ::setenv("STATE_DIRECTORY", "relative", 1);
    EXPECT_EQ(facts_path(), "");
    ::unsetenv("STATE_DIRECTORY");
    EXPECT_EQ(facts_path(), "");
}

}  // namespace
}  // namespace leasehold::daemon
