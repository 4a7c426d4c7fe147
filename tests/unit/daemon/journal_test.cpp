// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal.hpp"

#include "daemon/orphans.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace leasehold::daemon {
namespace {

const OpenBackend one{"orders", "app", "db:5432", 4711, 50000, 1'767'268'800};

class JournalTest : public testing::Test {
  protected:
    JournalTest() {
        std::string folder = (std::filesystem::temp_directory_path() / "leasehold-journal-XXXXXX").string();
        folder_ = ::mkdtemp(folder.data());
        path = folder_ / "backends";
    }
    ~JournalTest() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path folder_;
    std::string path;
};

TEST_F(JournalTest, TellsTheNextProcessWhatThisOneHadOpen) {
    const OpenBackend two{"stock", "app", "[::1]:5432", 5, 0, 7}, three{"orders", "app", "db:5432", 12, 1, 8};
    {
        BackendJournal journal(path);
        EXPECT_EQ(journal.problem(), "");
        EXPECT_TRUE(journal.found().empty());
        const auto first = journal.add(one);
        (void)journal.add(two);
        journal.remove(first);
        EXPECT_EQ(journal.add(three), first) << "a place is used again";
    }
    {
        const BackendJournal next(path);
        EXPECT_EQ(next.found(), (std::vector<OpenBackend>{three, two}));
    }
    EXPECT_TRUE(BackendJournal(path).found().empty()) << "each is told once";
}

TEST_F(JournalTest, BelongsToOneProcessAtATime) {
    BackendJournal journal(path);
    BackendJournal other(path);
    EXPECT_NE(other.problem(), "");
    EXPECT_EQ(other.add(one), BackendJournal::nowhere);
    other.remove(BackendJournal::nowhere);
    EXPECT_NE(journal.add(one), BackendJournal::nowhere);
}

TEST_F(JournalTest, TakesNobodyElsesFile) {
    std::ofstream(path) << "somebody's";
    std::filesystem::permissions(path, std::filesystem::perms::all);
    EXPECT_NE(BackendJournal(path).problem(), "");
    EXPECT_EQ(std::filesystem::file_size(path), 10u);
    std::filesystem::remove(path);
    std::filesystem::create_symlink("elsewhere", path);
    EXPECT_NE(BackendJournal(path).problem(), "");
    EXPECT_EQ(BackendJournal("").problem(), "") << "none was wanted";
    EXPECT_NE(BackendJournal((folder_ / "no" / "such").string()).problem(), "");
}

TEST(Journal, PassesOverWhatIsNoWholePlace) {
    const std::string place = render(one);
    EXPECT_EQ(place.size(), BackendJournal::place_bytes);
    EXPECT_EQ(parse_journal(place + std::string(BackendJournal::place_bytes, '\0') + place).size(), 2u);
    for (std::size_t cut = 0; cut < place.size(); ++cut) EXPECT_TRUE(parse_journal(place.substr(0, cut)).empty());
    for (std::size_t at = 0; at < place.size(); ++at) {
        for (const char c : {'\0', '\t', '\n', '9', 'x'}) {
            std::string broken = place;
            broken[at] = c;
            EXPECT_LE(parse_journal(broken).size(), 1u);
        }
    }
    EXPECT_EQ(render({std::string(600, 'x'), "app", "db:1", 1, 1, 1}), "");
    EXPECT_EQ(render({"a\nb", "app", "db:1", 1, 1, 1}), "");
}

TEST(Orphans, AreAskedForWhereTheConfigurationStillNamesThem) {
    config::Config config;
    config.pools.resize(2);
    config.pools[0].name = "orders";
    config.pools[0].url.user = "app";
    config.pools[0].url.password = "secret";
    config.pools[0].url.hosts = {{"db", 5432}, {"db2", 5432}};
    config.pools[1] = config.pools[0];
    config.pools[1].name = "*";
    OpenBackend second = one, gone = one, others = one, templated = one;
    second.address = "db2:5432";
    gone.address = "db3:5432";
    others.user = "reports";
    templated.pool = "made";
    const auto servers = orphans_by_server(config, {one, second, gone, others, templated, one});
    ASSERT_EQ(servers.size(), 3u);
    EXPECT_EQ(servers[0].url.hosts.size(), 1u);
    EXPECT_EQ(servers[0].url.hosts[0].host, "db");
    EXPECT_EQ(servers[0].backends.size(), 2u);
    EXPECT_EQ(servers[1].url.hosts[0].host, "db2");
    EXPECT_EQ(servers[2].url.database, "made");
    config.pools[0].url.password.reset();
    config.pools.pop_back();
    EXPECT_TRUE(orphans_by_server(config, {one}).empty());
}

}  // namespace
}  // namespace leasehold::daemon
