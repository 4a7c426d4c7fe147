// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/records.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

pool::QuarantineRecord record_of(std::string pool, std::uint64_t id = 1) {
    pool::QuarantineRecord record;
    record.id = id;
    record.pool = std::move(pool);
    return record;
}

TEST(QuarantineRecords, ShowTheNewestFirstUnderIdsOfTheirOwn) {
    QuarantineRecords records;
    EXPECT_EQ(records.add(record_of("orders", 7)), 1u);
    EXPECT_EQ(records.add(record_of("stock", 7)), 2u);  // pools number their own
    const auto all = records.snapshot();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].pool, "stock");
    EXPECT_EQ(all[0].id, 2u);
    EXPECT_EQ(all[1].id, 1u);
}

TEST(QuarantineRecords, AreCompletedInPlace) {
    QuarantineRecords records;
    const auto first = records.add(record_of("orders"));
    (void)records.add(record_of("stock"));
    auto done = record_of("orders");
    done.outcome = "readmitted";
    records.complete(first, done);
    const auto all = records.snapshot();
    EXPECT_EQ(all[1].outcome, "readmitted");
    EXPECT_EQ(all[1].id, first);
    EXPECT_EQ(all[0].outcome, "");
}

TEST(QuarantineRecords, KeepTheLastOnesOnly) {
    QuarantineRecords records(3);
    for (int i = 0; i < 1000; ++i) (void)records.add(record_of(std::to_string(i)));
    const auto all = records.snapshot();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].pool, "999");
    EXPECT_EQ(all[2].pool, "997");
    EXPECT_EQ(records.total(), 1000u);
}

TEST(QuarantineRecords, ForgetACompletionThatComesTooLate) {
    QuarantineRecords records(1);
    const auto first = records.add(record_of("first"));
    (void)records.add(record_of("second"));
    auto done = record_of("first");
    done.outcome = "readmitted";
    records.complete(first, done);
    records.complete(99, done);
    records.complete(0, done);
    ASSERT_EQ(records.snapshot().size(), 1u);
    EXPECT_EQ(records.snapshot()[0].pool, "second");
    EXPECT_EQ(records.snapshot()[0].outcome, "");
}

TEST(QuarantineRecords, CutWhatAPeerMadeLong) {
    QuarantineRecords records;
    auto record = record_of("orders");
    record.holder.application = std::string(5000, 'a');
    record.holder.user = std::string(255, 'u') + "\xc3\xa9";  // a character across the limit
    for (int i = 0; i < 100; ++i) record.holder.statements.push_back(std::to_string(i) + std::string(100000, ' '));
    (void)records.add(record);
    const auto kept = records.snapshot().front().holder;
    EXPECT_LT(kept.application.size(), 300u);
    EXPECT_EQ(kept.user, std::string(255, 'u') + "...");
    ASSERT_EQ(kept.statements.size(), 20u);
    EXPECT_LT(kept.statements.back().size(), 1100u);
    EXPECT_EQ(kept.statements.back().substr(0, 3), "99 ");
}

}  // namespace
}  // namespace leasehold::daemon::admin
