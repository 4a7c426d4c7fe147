// SPDX-License-Identifier: Apache-2.0
#include "daemon/lobby.hpp"

#include <gtest/gtest.h>

using namespace leasehold::daemon;

namespace {

struct Visitor final : Lobby::Guest {
    explicit Visitor(Lobby& lobby) : place(lobby.enter(*this)) {}
    [[nodiscard]] bool silent() const noexcept override { return !spoke; }
    void show_out() override { out = true; }
    bool spoke = false;
    bool out = false;
    Lobby::Place place;
};

TEST(Lobby, LetsInAsManyAsItHolds) {
    const auto lobby = std::make_shared<Lobby>(2);
    EXPECT_TRUE(lobby->has_room());
    Visitor one(*lobby);
    one.spoke = true;
    EXPECT_TRUE(lobby->has_room());
    Visitor two(*lobby);
    two.spoke = true;
    EXPECT_FALSE(lobby->has_room());
    one.place = {};
    EXPECT_TRUE(lobby->has_room());
    EXPECT_FALSE(one.out || two.out);
}

TEST(Lobby, ShowsOutWhoHasBeenSilentForTheLongestAndNobodyWhoSpoke) {
    const auto lobby = std::make_shared<Lobby>(3);
    Visitor first(*lobby), second(*lobby), third(*lobby);
    first.spoke = true;
    EXPECT_TRUE(lobby->has_room());
    EXPECT_TRUE(second.out);
    EXPECT_FALSE(first.out || third.out);
    EXPECT_EQ(lobby->size(), 2u);
    second.place = {};  // its end comes later and takes nobody else's place along
    EXPECT_EQ(lobby->size(), 2u);
}

TEST(Lobby, OutlivesItsListenerForThoseWhoAreInIt) {
    auto lobby = std::make_shared<Lobby>(3);
    Visitor guest(*lobby);
    const std::weak_ptr<Lobby> kept = lobby;
    lobby.reset();
    EXPECT_FALSE(kept.expired());
    guest.place = {};
    EXPECT_TRUE(kept.expired());
}

}  // namespace
