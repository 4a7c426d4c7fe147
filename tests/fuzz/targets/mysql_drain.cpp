// SPDX-License-Identifier: Apache-2.0
// The replies that a server still owes a session that is gone.
#include "dialects/mysql/drain.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

// The lease is the exchange's own here.
class Draining final : public wire::Exchange {
  public:
    explicit Draining(Input input) {
        lease.capabilities = input.u8() % 2 != 0 ? mysql::cap::deprecate_eof : 0;
        for (int i = input.u8() % 4; i > 0; --i) lease.due.push_back({static_cast<mysql::Shape>(input.u8() % 6)});
    }
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override {
        const wire::Action action = drain_.resume(input, ec);
        diagnostics_ = drain_.diagnostics();
        return action;
    }
    mysql::MysqlLease lease;

  private:
    mysql::Drain drain_{lease};
};

const Registered registered("mysql_drain", [](Bytes data) {
    Input choices(data), input(data);
    (void)input.take(5);
    play(
        input, [&] { return std::make_unique<Draining>(choices); },
        [](const Draining& exchange) { return std::to_string(exchange.lease.status); });
});

}  // namespace
}  // namespace leasehold::fuzz
