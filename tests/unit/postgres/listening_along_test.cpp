// SPDX-License-Identifier: Apache-2.0
// What a session is told that came to listen to another channel in a transaction: by the ear and by its backend.
#include "tests/unit/postgres/listening_fixture.hpp"

namespace leasehold::postgres {
namespace {

class ListensAlong : public Listens {
  protected:
    void SetUp() override {
        listen("LISTEN news");
        EXPECT_TRUE(listening.may_begin_along());
        EXPECT_EQ(listening.begin_along(), (std::vector<std::string>{"news", "marks"}));
    }
    std::string listen_too(std::string_view sql) {
        EXPECT_TRUE(listening.add_along(read_listen(sql).channel));
        return order(sql);
    }
    // The backend says so.
    bool tells(std::string_view channel, std::string_view payload, std::uint32_t from = 8, bool idle = false) {
        wire::Writer out;
        out.u32be(from);
        out.cstring(channel);
        out.cstring(payload);
        return listening.heard_along(out.bytes(), idle);
    }
    void ends() {
        listening.over(true);
        listening.caught_up();
    }
};

TEST_F(ListensAlong, ToWhatWasSaidBeforeTheEarHeardIt) {
    hear(said("news", "before it began", 8));
    hear(said("news", "1", 8));
    const std::string mark = listen_too("LISTEN other");
    hear(said("other", "3", 8));
    hear(said("news", "4", 8));
    comes_back(mark);
    hear(said("other", "after", 8));
    EXPECT_TRUE(tells("news", "1"));
    EXPECT_TRUE(tells("other", "2"));
    EXPECT_TRUE(tells("other", "3"));
    EXPECT_TRUE(tells("marks", "18 of another session"));
    EXPECT_TRUE(tells("marks", "nobody's"));
    EXPECT_TRUE(tells("news", "4"));
    EXPECT_TRUE(tells("marks", "17 " + mark));
    EXPECT_TRUE(tells("other", "after"));
    EXPECT_FALSE(tells("elsewhere", "the client's own"));
    ends();
    EXPECT_EQ(delivered(), "news before it began;news 1;other 2;other 3;news 4;other after;");
    EXPECT_TRUE(tells("other", "later", 8, true));
    ends();
    EXPECT_EQ(delivered(), "");
}

TEST_F(ListensAlong, WhoeverSpeaksFirst) {
    const std::string first = listen_too("LISTEN other"), last = listen_too("LISTEN third");
    for (const auto& [channel, payload] : {std::pair<std::string, std::string>{"third", "1"},
                                           {"other", "2"},
                                           {"marks", "17 " + first},
                                           {"other", "3"},
                                           {"marks", "17 " + last}})
        EXPECT_TRUE(tells(channel, payload));
    listening.over(true);
    hear(said("other", "2", 8));
    comes_back(first);
    hear(said("other", "3", 8));
    comes_back(last);
    hear(said("third", "4", 8));
    listening.caught_up();
    EXPECT_EQ(delivered(), "third 1;other 2;other 3;third 4;");
}

TEST_F(ListensAlong, ToNothingThatWasRolledBack) {
    (void)listen_too("LISTEN other");
    hear(said("news", "1", 8));
    EXPECT_TRUE(tells("news", "1"));
    listening.over(false);
    listening.caught_up();
    EXPECT_EQ(delivered(), "news 1;");
    EXPECT_TRUE(listening.add_along("other"));  // which was rolled back there as well
    EXPECT_TRUE(listening.begin_along().empty());
    const std::string mark = listen_too("LISTEN other");
    comes_back(mark);
    EXPECT_TRUE(tells("other", "2"));
    EXPECT_TRUE(tells("marks", "17 " + mark));
    ends();
    EXPECT_EQ(delivered(), "other 2;");
}

TEST_F(ListensAlong, NotToWhatItGivesUp) {
    const std::string gone = order("UNLISTEN *"), mark = listen_too("LISTEN other");
    hear(said("news", "1", 8));
    comes_back(gone);
    comes_back(mark);
    EXPECT_TRUE(tells("news", "1"));
    EXPECT_TRUE(tells("other", "2"));
    EXPECT_TRUE(tells("marks", "17 " + mark));
    ends();
    EXPECT_EQ(delivered(), "other 2;");
}

// What was said before the transaction began is its own, though the ear was late.
TEST_F(ListensAlong, ToWhatItGivesUpUpToItsBeginning) {
    hear(said("news", "before it began", 8));
    hear(said("news", "1", 8));
    const std::string gone = order("UNLISTEN news");
    comes_back(gone);
    EXPECT_TRUE(tells("news", "1"));
    EXPECT_TRUE(tells("marks", "17 " + gone));
    ends();
    EXPECT_EQ(delivered(), "news before it began;");
}

// Then it is told what the ear heard, once.
TEST_F(ListensAlong, UnlessItsBackendMissesSomething) {
    const std::string mark = listen_too("LISTEN other");
    hear(said("other", "1", 8));
    comes_back(mark);
    EXPECT_TRUE(tells("other", "0"));
    EXPECT_TRUE(tells("other", "1"));
    ends();  // without the mark
    EXPECT_EQ(delivered(), "other 1;");
    EXPECT_EQ(listening.begin_along(), std::vector<std::string>{"other"});
    const std::string alone = order("LISTEN third"), both = listen_too("LISTEN fourth");
    hear(said("third", "2", 8));
    comes_back(alone);
    comes_back(both);
    EXPECT_TRUE(tells("fourth", "3"));
    EXPECT_TRUE(tells("marks", "17 " + both));
    ends();
    EXPECT_EQ(delivered(), "third 2;");
    listening.leave_along();
    EXPECT_FALSE(tells("news", "of another backend's"));
}

TEST_F(ListensAlong, UnlessTheEarWasLost) {
    const std::string mark = listen_too("LISTEN other");
    hear(said("news", "1", 8));
    listening.lost();
    EXPECT_FALSE(listening.may_begin_along());
    EXPECT_TRUE(tells("other", "2"));
    EXPECT_TRUE(tells("marks", "17 " + mark));
    listening.over(true);
    listening.restored("marks");
    EXPECT_EQ(delivered(), "news 1;N;");
}

TEST_F(ListensAlong, ToSoMuchAtMost) {
    const std::string large(7900, 'x');
    for (std::size_t bytes = 0; bytes < Listening::most_waiting; bytes += large.size())
        EXPECT_TRUE(tells("news", large));
    EXPECT_TRUE(listening.overflowed());
}

TEST_F(Listens, AloneOnTooManyChannels) {
    for (std::size_t i = 0; i < Listening::most_along; ++i) listen("LISTEN c" + std::to_string(i));
    EXPECT_TRUE(listening.may_begin_along());
    listen("LISTEN another");
    EXPECT_FALSE(listening.may_begin_along());
}

}  // namespace
}  // namespace leasehold::postgres
