// SPDX-License-Identifier: Apache-2.0
#include "config/secrets.hpp"

#include "tests/unit/config/loading.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace leasehold::config {
namespace {

Config loaded_with(const std::string& rest, std::map<std::string, std::string> secrets) {
    Loaded loaded = load(with("", rest), std::move(secrets));
    EXPECT_TRUE(loaded.config) << rendered(loaded);
    return loaded.config.value_or(Config{});
}

TEST(Secrets, ComeFromTheEnvironmentAnywhereInAValue) {
    const std::string url =
        "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n  p:\n    url: "
        "postgresql://app:${PW}@${HOST}:5433/d\n";
    const Loaded loaded = load(url + "    pool_size: ${SIZE}\n    echo: ${ECHO}\n",
                               {{"$PW", "a%40b"}, {"$HOST", "db"}, {"$SIZE", "9"}, {"$ECHO", "true"}});
    ASSERT_TRUE(loaded.config) << rendered(loaded);
    EXPECT_EQ(loaded.config->pools[0].url.password, "a@b");
    EXPECT_EQ(loaded.config->pools[0].url.hosts, (std::vector<HostPort>{{"db", 5433}}));
    EXPECT_EQ(loaded.config->pools[0].pool_size, 9);
    EXPECT_TRUE(loaded.config->pools[0].echo);
}

TEST(Secrets, ComeFromFilesAndCredentials) {
    const Config config = loaded_with(
        "users: [{name: a, password: !credential one}, {name: b, password: !file /two}, {name: c, password: !file "
        "\"${D}/3\"}]\n",
        {{"credential:one", "1"}, {"file:/two", "2"}, {"$D", "/d"}, {"file:/d/3", "3"}});
    EXPECT_EQ(config.users[0].password, "1");
    EXPECT_EQ(config.users[1].password, "2");
    EXPECT_EQ(config.users[2].password, "3");
}

TEST(Secrets, AreLookedForBesideTheConfigurationWhenTheirPathIsRelative) {
    const Loaded loaded = load_text(with("", "users: [{name: a, password: !file secrets/a}]\n"),
                                    "/etc/leasehold/l.yaml", fake_secrets({{"file:/etc/leasehold/secrets/a", "1"}}));
    ASSERT_TRUE(loaded.config) << rendered(loaded);
    EXPECT_EQ(loaded.config->users[0].password, "1");
}

TEST(Secrets, ThatAreMissingAreNamedAllOfThem) {
    EXPECT_EQ(
        rendered(load(
            "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n  p:\n    url: "
            "postgresql://${USER}:${PW}@h/d\n"
            "    alias: [\"${A}\"]\nusers: [{name: a, password: !credential c}, {name: b, password: !file /f}]\n")),
        "f.yaml:4: pools.p.url: the environment variable USER is not set\n"
        "f.yaml:4: pools.p.url: the environment variable PW is not set\n"
        "f.yaml:5: pools.p.alias[0]: the environment variable A is not set\n"
        "f.yaml:6: users[0].password: there is no credential \"c\"; give it by LoadCredential= in the unit, or set "
        "CREDENTIALS_DIRECTORY\n"
        "f.yaml:6: users[1].password: the file \"/f\" cannot be read; it must exist and be readable by the daemon's "
        "user\n");
}

TEST(Secrets, AreNeverShown) {
    const std::map<std::string, std::string> secrets{
        {"$S", "geheim"}, {"file:/s", "geheim"}, {"credential:s", "geheim"}};
    for (const char* value : {"${S}", "\"${S}\"", "x${S}y", "!file /s", "!credential s"}) {
        for (const char* key :
             {"pool_size", "echo", "mode", "pool_timeout", "pool_recycle", "audit", "isolation_level", "url"}) {
            std::string text = with(std::string(key) + ": " + value);
            if (std::string(key) == "url")
                text = "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools: {p: {url: \"" +
                       std::string("postgresql://a:b@${S}@c") + "\"}}\n";
            const Loaded loaded = load(text, secrets);
            EXPECT_FALSE(loaded.config) << key << value;
            EXPECT_FALSE(loaded.problems.empty());
            EXPECT_EQ(rendered(loaded).find("geheim"), std::string::npos) << rendered(loaded);
        }
    }
    EXPECT_EQ(
        rendered(load(with("", "limits: {max_startup_bytes: \"${S}\"}\nadmin: {http: \"${S}\"}\nlisten: 1\n"), secrets))
            .find("geheim"),
        std::string::npos);
}

TEST(Secrets, ExpandLeavesEscapedAndOtherDollarsAlone) {
    const Secrets secrets = fake_secrets({{"$A", "1"}, {"$EMPTY", ""}});
    EXPECT_EQ(expand("$A $ $$ {A} 5$", secrets).text, "$A $ $$ {A} 5$");
    EXPECT_FALSE(expand("$A", secrets).secret);
    EXPECT_EQ(expand("$${A} ${A}", secrets).text, "${A} 1");
    EXPECT_EQ(expand("<${EMPTY}>", secrets).text, "<>");
    EXPECT_EQ(expand("${A}${A}", secrets).text, "11");
}

TEST(Secrets, ExpandDoesNotExpandWhatItPutIn) {
    EXPECT_EQ(expand("${A}", fake_secrets({{"$A", "${B}"}, {"$B", "no"}})).text, "${B}");
}

TEST(Secrets, ExpandRefusesWhatIsNoName) {
    const Secrets secrets = fake_secrets({{"$A", "1"}});
    EXPECT_EQ(expand("${A", secrets).errors, std::vector<std::string>{"${ without its }"});
    EXPECT_EQ(expand("${}", secrets).errors, std::vector<std::string>{"${} is no name of an environment variable"});
    EXPECT_EQ(expand("${A:-x}", secrets).errors,
              std::vector<std::string>{"${A:-x} is no name of an environment variable"});
    EXPECT_EQ(expand("${1}${B}", secrets).errors.size(), 2u);
    EXPECT_TRUE(expand("", secrets).errors.empty());
}

class SystemSecrets : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "leasehold-secrets-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        std::filesystem::remove_all(folder_);
    }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return (folder_ / name).string();
    }
    std::filesystem::path folder_;
    Secrets secrets_ = Secrets::system();
};

TEST_F(SystemSecrets, DropTheLastLinesEndAndNothingElse) {
    EXPECT_EQ(secrets_.file(write("a", "pw\n")), "pw");
    EXPECT_EQ(secrets_.file(write("b", "pw\r\n")), "pw");
    EXPECT_EQ(secrets_.file(write("c", " p w \n\n")), " p w \n");
    EXPECT_EQ(secrets_.file(write("d", "")), "");
    EXPECT_EQ(secrets_.file(write("e", std::string(64 * 1024, 'x'))).value_or("").size(), 64u * 1024);
}

TEST_F(SystemSecrets, DoNotReadFoldersOrFloods) {
    EXPECT_EQ(secrets_.file(folder_.string()), std::nullopt);
    EXPECT_EQ(secrets_.file((folder_ / "none").string()), std::nullopt);
    EXPECT_EQ(secrets_.file("/dev/zero"), std::nullopt);
    EXPECT_EQ(secrets_.file(write("big", std::string(64 * 1024 + 1, 'x'))), std::nullopt);
}

TEST_F(SystemSecrets, KeepCredentialsWithinTheirFolder) {
    (void)write("pw", "geheim");
    EXPECT_EQ(secrets_.credential("pw"), std::nullopt) << "no CREDENTIALS_DIRECTORY";
    ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
    EXPECT_EQ(secrets_.credential("pw"), "geheim");
    EXPECT_EQ(secrets_.credential("../pw"), std::nullopt);
    EXPECT_EQ(secrets_.credential(".."), std::nullopt);
    EXPECT_EQ(secrets_.credential(""), std::nullopt);
}

TEST_F(SystemSecrets, AskTheEnvironment) {
    ::setenv("LEASEHOLD_TEST_SECRET", "x", 1);
    EXPECT_EQ(secrets_.environment("LEASEHOLD_TEST_SECRET"), "x");
    ::unsetenv("LEASEHOLD_TEST_SECRET");
    EXPECT_EQ(secrets_.environment("LEASEHOLD_TEST_SECRET"), std::nullopt);
}

TEST_F(SystemSecrets, AFileWithAClearPasswordThatEverybodyReadsIsWarnedAbout) {
    const std::string path = write("l.yaml", with("", "admin: {http: off}\n"));
    ::chmod(path.c_str(), 0644);
    EXPECT_EQ(only_problem(load_file(path, secrets_)),
              path + ": warning: holds a password and can be read by everybody on this machine; chmod 0640 " + path +
                  " && chown root:leasehold " + path);
    ::chmod(path.c_str(), 0640);
    EXPECT_EQ(rendered(load_file(path, secrets_)), "");
    ::setenv("LEASEHOLD_TEST_SECRET", "x", 1);
    const std::string clean = write("c.yaml",
                                    "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n  p: {url: "
                                    "\"postgresql://a:${LEASEHOLD_TEST_SECRET}@h\"}\n"
                                    "users: [{name: b, password: SCRAM-SHA-256$4096:x}]\n");
    ::chmod(clean.c_str(), 0644);
    EXPECT_EQ(rendered(load_file(clean, secrets_)), "");
    ::unsetenv("LEASEHOLD_TEST_SECRET");
}

TEST_F(SystemSecrets, AFileThatCannotBeReadSaysWhatToDo) {
    const Loaded none = load_file((folder_ / "none.yaml").string(), secrets_);
    EXPECT_TRUE(none.unreadable);
    EXPECT_FALSE(none.config);
    EXPECT_EQ(only_problem(none),
              (folder_ / "none.yaml").string() +
                  ": cannot be read: No such file or directory; write it, or name another file by --config");
    const Loaded folder = load_file(folder_.string(), secrets_);
    EXPECT_TRUE(folder.unreadable);
    EXPECT_EQ(only_problem(folder),
              folder_.string() + ": cannot be read: Is a directory; name a file in it by --config");
}

TEST_F(SystemSecrets, AFileThatMayNotBeReadSaysWhatToDo) {
    if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
    const std::string path = write("p.yaml", with(""));
    ::chmod(path.c_str(), 0);
    const Loaded denied = load_file(path, secrets_);
    EXPECT_TRUE(denied.unreadable);
    EXPECT_NE(only_problem(denied).find("chmod 0640"), std::string::npos);
}

}  // namespace
}  // namespace leasehold::config
