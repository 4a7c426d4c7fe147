// SPDX-License-Identifier: Apache-2.0
#include "config/values.hpp"

#include "tests/unit/config/loading.hpp"

#include <gtest/gtest.h>

#include <map>

namespace leasehold::config {
namespace {

std::map<std::string, InForce> values_of(const std::string& text) {
    const Loaded loaded = load(text);
    EXPECT_TRUE(loaded.config) << rendered(loaded);
    std::map<std::string, InForce> all;
    for (InForce& value : values(loaded.config.value_or(Config{}))) {
        const std::string key = value.key;
        EXPECT_TRUE(all.emplace(key, std::move(value)).second) << key << " twice";
    }
    return all;
}

TEST(Values, AnswerForEveryKey) {
    const auto all = values_of(with("", "users: [{name: a, password: x}]\nservers: {\"db:5432\": {}}\n"));
    const auto expect = [&](Part part, const std::string& prefix) {
        for (const Key& key : keys(part)) {
            if (key.holds != Key::Holds::value) continue;
            EXPECT_TRUE(all.contains(prefix + std::string(key.name))) << prefix << key.name;
        }
    };
    expect(Part::listen, "listen[0].");
    expect(Part::listen_tls, "listen[0].tls.");
    expect(Part::pool, "pools.orders.");
    expect(Part::user, "users[0].");
    expect(Part::admin, "admin.");
    expect(Part::log, "log.");
    expect(Part::limits, "limits.");
    expect(Part::server, "servers.db:5432.");
    EXPECT_TRUE(all.contains("workers"));
    EXPECT_TRUE(all.contains("drain_timeout"));
}

// What the reference calls the default is what is in force where the file says nothing, in the same words.
TEST(Values, ReadLikeTheirDefaults) {
    for (const auto& [key, value] : values_of(with("", "users: [{name: a}]\nservers: {\"db:5432\": {}}\n"))) {
        if (value.fallback.empty()) continue;
        EXPECT_EQ(value.value, value.fallback) << key;
    }
}

TEST(Values, SayWhatTheFileSays) {
    auto all = values_of(with("pool_recycle: -1",
                              "log: {target: /var/log/leasehold.log, level: warn}\nadmin: {http: off, users: [a, b]}\n"
                              "limits: {max_startup_bytes: 12345}\nusers: [{name: a, password: x, as: pool}]\n"
                              "workers: 3\n"));
    EXPECT_EQ(all["pools.orders.pool_recycle"].value, "-1");
    EXPECT_EQ(all["pools.orders.pool_recycle"].fallback, "1h");
    EXPECT_EQ(all["log.target"].value, "/var/log/leasehold.log");
    EXPECT_EQ(all["log.level"].value, "warn");
    EXPECT_EQ(all["admin.http"].value, "off");
    EXPECT_EQ(all["admin.users"].value, "[a, b]");
    EXPECT_EQ(all["limits.max_startup_bytes"].value, "12345B");
    EXPECT_EQ(all["users[0].as"].value, "pool");
    EXPECT_EQ(all["workers"].value, "3");
    EXPECT_FALSE(all["workers"].reloadable);
    EXPECT_EQ(all["listen[0].address"].value, "127.0.0.1:6432");
}

TEST(Values, ShowNoSecret) {
    for (const auto& [key, value] : values_of(with("", "users: [{name: a, password: geheim}]\n"))) {
        EXPECT_EQ(value.value.find("geheim"), std::string::npos) << key;
        EXPECT_EQ(value.value.find(":pw@"), std::string::npos) << key;
    }
}

}  // namespace
}  // namespace leasehold::config
