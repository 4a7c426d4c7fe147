// SPDX-License-Identifier: Apache-2.0
// The checkin's checklist as a pure function, and the age of an entry.
#include "pool/entry.hpp"

#include <gtest/gtest.h>

namespace leasehold::pool {

using namespace std::chrono_literals;

namespace {

Returned clean(EndReason reason = EndReason::finished) { return {Condition{}, reason, false, ResetOnReturn::rollback}; }

}  // namespace

TEST(CheckinChecklist, LetsOnlyAnOrderlyEndInACleanConditionPass) {
    EXPECT_EQ(judge(clean()), Verdict::depart_or_settle);
    EXPECT_EQ(judge(clean(EndReason::orderly)), Verdict::depart_or_settle);
    for (const EndReason reason :
         {EndReason::client_gone, EndReason::killed, EndReason::transaction_idle_timeout,
          EndReason::transaction_timeout, EndReason::query_timeout, EndReason::pin_idle_timeout,
          EndReason::protocol_error, EndReason::backend_lost, EndReason::drained}) {
        EXPECT_EQ(judge(clean(reason)), Verdict::quarantine) << to_string(reason);
    }
}

TEST(CheckinChecklist, SendsEveryUnfinishedConditionToTheQuarantine) {
    for (bool Condition::*flag :
         {&Condition::half_message, &Condition::outstanding, &Condition::cancelling, &Condition::in_transaction}) {
        Returned returned = clean();
        returned.condition.*flag = true;
        EXPECT_EQ(judge(returned), Verdict::quarantine);
        returned.condition.dead = true;
        EXPECT_EQ(judge(returned), Verdict::close_lost);
    }
}

TEST(CheckinChecklist, ResetsWhatIsMerelyDirty) {
    Returned returned = clean();
    returned.condition.dirty = true;
    EXPECT_EQ(judge(returned), Verdict::depart_or_settle);
}

TEST(CheckinChecklist, ClosesWhatALostServerOrRefusedSettingsLeave) {
    Returned returned = clean();
    returned.server_lost = true;
    EXPECT_EQ(judge(returned), Verdict::close_lost);
    EXPECT_EQ(judge(clean(EndReason::settings_refused)), Verdict::close_refused);
}

TEST(CheckinChecklist, CommitsOnlyAfterAnOrderlyEndAndNothingElseOpen) {
    Returned returned = clean(EndReason::orderly);
    returned.reset_on_return = ResetOnReturn::commit;
    returned.condition.in_transaction = true;
    EXPECT_EQ(judge(returned), Verdict::commit);

    returned.reason = EndReason::finished;
    EXPECT_EQ(judge(returned), Verdict::quarantine);
    returned.reason = EndReason::client_gone;
    EXPECT_EQ(judge(returned), Verdict::quarantine);
    returned.reason = EndReason::orderly;
    returned.condition.outstanding = true;
    EXPECT_EQ(judge(returned), Verdict::quarantine);
    returned.condition.outstanding = false;
    returned.reset_on_return = ResetOnReturn::rollback;
    EXPECT_EQ(judge(returned), Verdict::quarantine);
    returned.reset_on_return = ResetOnReturn::none;
    EXPECT_EQ(judge(returned), Verdict::quarantine);
}

TEST(EntryAge, IsLimitedATenthEarlierAtMost) {
    Entry entry;
    entry.born_at = Clock::time_point(100h);
    entry.jitter = 0.1;
    entry.age_limit(1h);
    EXPECT_EQ(entry.recycle_at, Clock::time_point(100h) + 54min);
    entry.jitter = 0;
    entry.age_limit(1h);
    EXPECT_EQ(entry.recycle_at, Clock::time_point(101h));
    entry.age_limit(std::nullopt);
    EXPECT_EQ(entry.recycle_at, Clock::time_point::max());
    entry.age_limit(Duration(-1));
    EXPECT_EQ(entry.recycle_at, Clock::time_point::max());
}

}  // namespace leasehold::pool
