// SPDX-License-Identifier: Apache-2.0
// A session's backend is asked what it holds of it, at a boundary; what nobody's text had told of is put on record.
#include "daemon/admin/leaks.hpp"
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {

// Whether what pins it is still there, and what else is.
wire::awaitable<bool> Session::audit() {
    const auto deadline = wire::Clock::now() + std::chrono::seconds(10);
    wire::Outbox out;
    const std::error_code ec = co_await relay_->backend()->audit(*tracker_, deadline, out);
    relay_->say(out);
    relay_->audited();
    report_leaks();
    if (!ec) co_return true;
    wire::Loss loss;
    loss.reason = ec == wire::errc::closed ? "the server closed the connection" : ec.message();
    co_return lose(loss);
}

void Session::report_leaks() {
    const std::vector<wire::Leak> leaks = tracker_->take_leaks();
    if (leaks.empty()) return;
    const pool::Holder who = holder(false);
    for (const wire::Leak& leak : leaks) {
        home_->traffic->leaked(leak.kind);
        admin::leak_records().add({std::chrono::system_clock::now(), home_->name(), who, leak.function, leak.kind,
                                   leak.what, leak.statement});
        const LogField fields[] = {{"session", id_},
                                   {"pool", home_->name()},
                                   {"user", user_},
                                   {"client", peer_},
                                   {"application", who.application},
                                   {"function", leak.function},
                                   {"kind", leak.kind},
                                   {"what", leak.what}};
        log_kin(LogLevel::warn, home_->name() + '\0' + leak.function + '\0' + leak.kind, "leak", fields);
    }
}

}  // namespace leasehold::daemon
