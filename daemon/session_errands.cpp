// SPDX-License-Identifier: Apache-2.0
// What a client asks of its session that concerns others, or the login: ending a session, or what it runs, wherever it
// lives. The tracker describes it and tells the client how it went.
#include "daemon/logging.hpp"
#include "daemon/session.hpp"
#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

namespace leasehold::daemon {
namespace {

using Failure = dialects::Dialect::Failure;
using Kind = wire::Errand::Kind;

enum class Ended : std::uint8_t { nobody, forbidden, done };

// What another worker says, or nothing in time.
struct Answer : Wakeable {
    using Wakeable::Wakeable;
    std::optional<Ended> said;
};

}  // namespace

// Who wants another session's end, as that session sees it from its own thread.
struct Session::Asker {
    std::uint64_t session = 0;
    std::string name;  // for the log: "app@127.0.0.1:5012"
    std::string user, pool;
    const dialects::Dialect* dialect = nullptr;
    bool administers = false;
};

// One's own sessions of the same pool: a name is an account there only.
bool Session::may_be_ended_by(const Asker& asker) const {
    return asker.administers || (home_ && user_ == asker.user && home_->name() == asker.pool);
}

wire::awaitable<bool> Session::carry_out() {
    wire::Errand errand = tracker_->errand();
    const bool listens = errand.kind == Kind::listen || errand.kind == Kind::catch_up;
    std::optional<wire::Diagnostics> error;
    if (listens) {
        error = co_await ask_hub(std::move(errand));
    } else {
        error = co_await end_another(std::move(errand));
    }
    const bool lives = say_carried_out(error ? &*error : nullptr);
    if (listens) release_channels();
    co_return lives;
}

bool Session::say_carried_out(const wire::Diagnostics* error) {
    wire::Outbox out;
    const wire::Aftermath aftermath = tracker_->carried_out(error, out);
    relay_->say(out);
    return aftermath == wire::Aftermath::lives;  // that the client is gone shows at the next read
}

// The session that was ends here, with its transaction and its state. Who the client is from now on is asked as at its
// first login.
wire::awaitable<Session::Next> Session::log_in_again() {
    if (!stop_reason_.empty()) {  // it was to end with its lease
        const wire::Diagnostics error = farewell();
        (void)say_carried_out(&error);
        end_lease(killed_ ? pool::EndReason::killed : pool::EndReason::drained);
        log_end(killed_ ? "killed" : "stopped");
        relay_.reset();
        co_await linger();
        co_return Next::done;
    }
    const bool local = client_->is_unix();
    login_ = dialect_.login_again(*tracker_, {client_host(), local, client_->encrypted(), certified_name_});
    end_lease(pool::EndReason::orderly);
    log_end("logged_in_again");
    forget_session();
    const bool admitted = co_await authenticate();
    if (!admitted) co_return Next::done;
    co_return co_await go_on();
}

void Session::forget_session() {
    inbox_ = relay_->take_input();
    relay_.reset();
    leave_hub();
    tracker_->observe(nullptr);
    statements_.reset();
    tracker_.reset();
    if (home_->from_template) --home_->sessions;
    home_.reset();
    const dialects::LoginRequest& request = login_->request();
    if (request.user != user_) user_place_ = {};
    user_ = request.user;
    database_ = request.database;
    application_ = request.application;
    login_began_ = wire::Clock::now();
    leave_by_ = wire::Clock::time_point::max();
    moved_out_ = false;
}

// None: it was done.
wire::awaitable<std::optional<wire::Diagnostics>> Session::end_another(wire::Errand errand) {
    Asker asker{id_, user_ + "@" + peer_, user_, home_->name(), &dialect_, shared_.router()->administers(user_)};
    const wire::Executor executor = client_->executor();
    Ended ended = Ended::nobody;
    // One that is on its way between two workers is met by neither at first.
    for (int attempt = 0; attempt < 2 && ended == Ended::nobody; ++attempt) {
        const CancelRegistry::Target target = shared_.cancels.find(errand.number);
        if (target.worker == nullptr) break;
        const auto answer = std::make_shared<Answer>(executor, wire::Clock::now() + cancel_wait);
        auto ended_as = [weak = std::weak_ptr<Answer>(answer), executor](Ended said) {
            tell(weak, executor, [said](Answer& waiting) { waiting.said = said; });
        };
        target.worker->post([target, asker, errand, ended_as = std::move(ended_as)] {
            Session* session = target.worker->find(target.session);
            const bool lives = session != nullptr && &session->dialect_ == asker.dialect && !session->over();
            if (!lives) return ended_as(Ended::nobody);
            if (!session->may_be_ended_by(asker)) return ended_as(Ended::forbidden);
            const bool whole = errand.kind == Kind::kill;
            const LogField fields[] = {{"session", target.session},
                                       {"user", session->user_},
                                       {"client", session->peer_},
                                       {"command", whole ? "KILL" : "KILL QUERY"},
                                       {"by", asker.name}};
            log_kin(LogLevel::info, asker.name, whole ? "session_killed" : "cancel", fields);
            if (!whole) return session->cancel([ended_as] { ended_as(Ended::done); });
            (void)session->kill("KILL by leasehold session " + std::to_string(asker.session));
            ended_as(Ended::done);
        });
        co_await answer->wait();
        ended = answer->said.value_or(Ended::done);  // it was told to
    }
    if (ended == Ended::done) co_return std::nullopt;
    const bool nobody = ended == Ended::nobody;
    co_return failure(nobody ? Failure::no_such_session : Failure::not_owner, std::to_string(errand.number));
}

}  // namespace leasehold::daemon
