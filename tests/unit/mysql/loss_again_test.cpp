// SPDX-License-Identifier: Apache-2.0
// What executes nothing goes to another backend, unseen; what the server had not read is not said to be unknown.
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using wire::Aftermath;
using Kind = wire::Verdict::Kind;

struct InTransaction : PlayedSession {
    InTransaction() {
        client(query("BEGIN"));
        server(ok(1, in_trans | autocommit));
        take_client();
        take_backend();
    }
};

TEST(MysqlLossAgain, ABeginAloneGoesToAnotherBackendUnseen) {
    for (const bool bytewise : {false, true}) {
        PlayedSession s({}, bytewise);
        const Raw begin = query("START TRANSACTION READ ONLY");
        s.client(begin);
        EXPECT_EQ(s.take_backend(), begin);
        for (int again = 1; again <= 3; ++again) {
            EXPECT_EQ(s.lose("it died"), Aftermath::lives);
            EXPECT_TRUE(s.to_client.empty());
            ASSERT_TRUE(s.tracker.resumes());
            s.push();
            EXPECT_EQ(s.leases, 1 + again);
            EXPECT_EQ(s.take_backend(), begin);
            EXPECT_FALSE(s.tracker.resumes());
        }
        EXPECT_EQ(s.lose("it died"), Aftermath::lives);
        EXPECT_EQ(s.client_error(), 1213) << "no more often; but it has done nothing";
        (void)s.take_client();
        s.client(query("BEGIN"));
        (void)s.take_backend();
        (void)s.lose("it died");
        s.push();
        s.server(ok(1, in_trans | autocommit));
        EXPECT_EQ(s.take_client(), ok(1, in_trans | autocommit));
        EXPECT_EQ(s.tracker.status(), wire::TransactionStatus::active);
    }
    PlayedSession several;
    several.client(query("BEGIN; INSERT INTO t VALUES (1)"));
    EXPECT_EQ(several.lose("it died"), Aftermath::lives);
    EXPECT_EQ(several.client_error(), 1180);
    EXPECT_FALSE(several.tracker.resumes());
    InTransaction inside;
    inside.client(query("BEGIN"));
    EXPECT_EQ(inside.lose("it died"), Aftermath::lives);
    EXPECT_EQ(inside.client_error(), 1180) << "it commits what was open";
    EXPECT_FALSE(inside.tracker.resumes());
}

TEST(MysqlLossAgain, ABeginThatFindsNoOtherBackendIsRefusedOnce) {
    PlayedSession s;
    s.client(query("BEGIN"));
    s.gives_leases = false;
    (void)s.lose("it died");
    s.push();
    EXPECT_EQ(s.last, Kind::lease);
    EXPECT_EQ(s.tracker.refuse({{}, 1203, "none to be had"}, s.out_client), Aftermath::lives);
    s.push();
    EXPECT_EQ(s.client_error(), 1203);
    (void)s.take_client();
    EXPECT_FALSE(s.tracker.resumes());
    s.gives_leases = true;
    s.client(query("SELECT 2"));
    EXPECT_EQ(s.client_error(), 0);
    EXPECT_EQ(s.leases, 2);
}

TEST(MysqlLossAgain, WhatTheServerSaidBeforeItHadReadTheStatementTellsThatItDidNot) {
    for (const int number : {4031, 1053, 1927}) {
        PlayedSession s;
        s.client(query("INSERT INTO t VALUES (1)"));
        s.server(err(0, number, "08S01"));
        EXPECT_EQ(s.last, Kind::lost);
        EXPECT_EQ(s.lose("the server ended the connection"), Aftermath::lives);
        EXPECT_EQ(s.client_error(), 1213) << number;
        PlayedSession replied;
        replied.client(query("INSERT INTO t VALUES (1)"));
        replied.server(err(1, number, "08S01"));
        EXPECT_EQ(replied.lose("the server ended the connection"), Aftermath::lives);
        EXPECT_EQ(replied.client_error(), 1180) << number;
    }
}

}  // namespace
}  // namespace leasehold::mysql
