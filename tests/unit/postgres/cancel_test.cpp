// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/cancel.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::Script;
using wire::errc;
using wire::Writer;

const auto request = built([](Writer& w) { cancel_request(w, 7, "key9"); });
const auto make = [] { return std::make_unique<Cancel>(7, "key9"); };

TEST(PostgresCancel, IsDeliveredWhenTheServerCloses) {
    test::play_all(Script().expect_write(request).read_end().expect_done(), make, true);
}

TEST(PostgresCancel, AStreamThatEndsBeforeTheRequestIsSentDeliversNothing) {
    Cancel cancel(7, "key9");
    ASSERT_EQ(cancel.resume({}, {}).kind, wire::Action::Kind::write);
    EXPECT_EQ(cancel.resume({}, make_error_code(errc::closed)).error, errc::closed);
}

TEST(PostgresCancel, AServerThatAnswersIsNoServer) {
    test::play_hostile(Script().expect_write(request).read({'N'}).expect_done(errc::protocol_violation), make, {'E'});
    Cancel cancel(7, "key9");
    test::play(Script().expect_write(request).read({'N'}).expect_done(errc::protocol_violation), cancel);
}

}  // namespace
}  // namespace leasehold::postgres
