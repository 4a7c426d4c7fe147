// SPDX-License-Identifier: Apache-2.0
// What executes nothing goes to another backend, unseen.
#include "tests/unit/postgres/loss_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

class Again : public Losing {
  protected:
    // Its backend dies before it has answered.
    void send_and_lose(Client& of) {
        session->send(of.take());
        EXPECT_EQ(lose(), "");
        EXPECT_TRUE(session->tracker.resumes());
    }
    std::string go_on() {
        session->send(client.flush().take());
        session->pump();
        return readable(session->received());
    }
};

TEST_F(Again, BeginAloneGoesToAnotherBackend) {
    send_and_lose(client.query("BEGIN"));
    EXPECT_EQ(go_on(), "C(BEGIN) Z(T)");
    EXPECT_FALSE(session->tracker.resumes());
    EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::active);
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Again, OneAfterTheOtherButNotForEver) {
    session->send(client.query("BEGIN").take());
    const std::size_t before = backends.size();
    for (int again = 1; again <= 3; ++again) {
        EXPECT_EQ(lose(), "");
        session->send(client.flush().take());
        EXPECT_EQ(backends.size(), before + static_cast<std::size_t>(again));
        EXPECT_FALSE(session->tracker.resumes());
    }
    EXPECT_EQ(lose(), "E(E 40001 transaction lost: not executed: " + gone + ") Z(I)") << "it is not unknown either";
    EXPECT_FALSE(session->tracker.resumes());
    works();
    send_and_lose(client.query("BEGIN"));
    EXPECT_EQ(go_on(), "C(BEGIN) Z(T)") << "the next one may as often";
}

TEST_F(Again, WhatItsClientSentBehindItFollows) {
    session->send(client.query("BEGIN").take());
    EXPECT_EQ(lose(), "");
    session->send(client.query("SELECT 1").take());
    session->pump();
    EXPECT_EQ(readable(session->received()), "C(BEGIN) Z(T) T D(SELECT 1) C(SELECT 1) Z(T)");
    EXPECT_EQ(ask(client.query("COMMIT")), "C(COMMIT) Z(I)");
}

TEST_F(Again, OthersBehindItDoNotTakeItsBytes) {
    send_and_lose(client.query("BEGIN"));
    session->send(client.query("COMMIT").query("BEGIN").query("ROLLBACK").take());
    session->pump();
    EXPECT_EQ(readable(session->received()), "C(BEGIN) Z(T) C(COMMIT) Z(I) C(BEGIN) Z(T) C(ROLLBACK) Z(I)");
}

TEST_F(Again, NothingElseDoes) {
    for (const char* sql : {"SELECT 1", "BEGIN; SELECT 1", "INSERT", "SET a TO b", ""}) {
        session->send(client.query(sql).take());
        EXPECT_NE(lose(), "") << sql;
        EXPECT_FALSE(session->tracker.resumes());
        works();
    }
    ask(client.query("BEGIN"));
    session->send(client.query("BEGIN").take());
    EXPECT_EQ(lose(), lost_error + " Z(E)") << "it was in a transaction";
    ask(client.query("ROLLBACK"));
    session->send(client.query("BEGIN").query("SELECT 1").take());
    EXPECT_NE(lose(), "") << "two requests are on their way";
    EXPECT_FALSE(session->tracker.resumes());
}

TEST_F(Again, NothingBehindALoneBeginIsUnknown) {
    session->send(client.query("BEGIN").query("INSERT").take());
    EXPECT_EQ(lose().find("40003"), std::string::npos);
    works();
    session->send(client.query("BEGIN").query("COMMIT").take());
    EXPECT_NE(lose().find("40003"), std::string::npos);
}

TEST_F(Again, WhereNoneIsToBeHadItIsRefused) {
    send_and_lose(client.query("BEGIN"));
    wire::Outbox out;
    EXPECT_EQ(session->tracker.refuse(failure(Fault::pool_timeout, "none"), out), wire::Aftermath::lives);
    std::vector<std::uint8_t> told;
    out.flatten(told);
    EXPECT_NE(readable(told).find("53300"), std::string::npos) << readable(told);
    session->send(client.flush().take());
    EXPECT_EQ(readable(session->received()), "Z(I)");
    EXPECT_FALSE(session->tracker.resumes());
    works();
}

TEST_F(Again, WithOnBackendLossDisconnectItsSessionEnds) {
    TrackerOptions with = options();
    with.disconnect_on_loss = true;
    open(with);
    session->send(client.query("BEGIN").take());
    EXPECT_NE(lose(wire::Aftermath::ends), "");
}

TEST_F(Again, CutAtEachByteOfItsReply) {
    for (std::size_t cut = 0;; ++cut) {
        open(options());
        session->send(client.query("BEGIN").take());
        const auto reply = session->backend->server.take_output();
        if (cut >= reply.size()) break;
        std::vector<std::uint8_t> got;
        wire::Outbox to_client, to_backend;
        for (std::size_t n = 1, used = 0; n <= cut; ++n) {
            used += session->tracker.from_backend(wire::Bytes(reply).subspan(used, n - used), to_client, to_backend)
                        .consumed;
        }
        to_client.flatten(got);
        std::string told = readable(got);
        told += (told.empty() ? "" : " ") + lose();
        if (session->tracker.resumes()) told += go_on();
        EXPECT_TRUE(told == "C(BEGIN) Z(T)" ||
                    told == "C(BEGIN) E(E 40001 transaction lost: not executed: " + gone + ") Z(I)")
            << cut << ": " << told;
    }
}

}  // namespace
}  // namespace leasehold::postgres::model
