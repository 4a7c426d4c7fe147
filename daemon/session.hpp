// SPDX-License-Identifier: Apache-2.0
// One client from accept to close: greet, authenticate, route, move to the pool's worker, then serve requests until
// the end. Everything here happens once per connection or per lease; the bytes in between are the relay's.
#pragma once

#include "daemon/lobby.hpp"
#include "daemon/pipe.hpp"
#include "daemon/relay.hpp"
#include "daemon/shared.hpp"
#include "daemon/statement_log.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace leasehold::daemon {

class Hub;
struct HubNews;

// What a session shows of itself.
struct SessionView {
    std::uint64_t id = 0;
    std::string user, database, address, application;
    std::string state;  // login, idle, waiting, active, transaction, console, replication
    std::string pin;
    std::string pin_statement;               // what made it, literals masked
    wire::Clock::time_point pinned_since{};  // min(): not pinned
    std::string transaction;                 // idle, active, failed
    wire::Clock::time_point connected{};
    wire::Clock::time_point waiting_since{};      // min(): not waiting
    wire::Clock::time_point transaction_since{};  // min(): no transaction
    std::string pool;
    bool leased = false;
    std::uint64_t server_id = 0;  // of the backend it holds
    std::string server_address;   // of a replication session's
    std::string listener;         // its address, and
    std::uint16_t listener_port = 0;
    wire::Clock::time_point requested{};  // when it last sent something for a backend; its epoch: never
    bool running = false;                 // a request's reply is due
    bool ending = false;                  // it goes at the end of its lease
    bool encrypted = false;
};

class Session final : private Lobby::Guest {
  public:
    // Takes the descriptor over.
    Session(Shared& shared, Worker& worker, std::shared_ptr<const config::Listen> listen,
            const dialects::Dialect& dialect, int descriptor, const std::shared_ptr<Lobby>& lobby);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    enum class Next : std::uint8_t { done, move };
    // On the accepting worker; ends with `move` when the session is to go on at home()'s worker.
    [[nodiscard]] wire::awaitable<Next> login();
    [[nodiscard]] const HomePtr& home() const noexcept { return home_; }
    // Between login() and serve(): leaves the old worker's loop, then joins the new one's (on its thread).
    void leave();
    void join(Worker& worker);
    // Likewise: its client has logged in again, and may be at home elsewhere now.
    [[nodiscard]] wire::awaitable<Next> serve();

    // Worker thread only, like everything else.
    void tick(wire::Clock::time_point now);
    // What it runs or waits for; `done` is called once the server has been told, or there was nothing to cancel.
    void cancel(std::function<void()> done);
    void stop(std::string reason);  // ends it now, with the protocol's farewell
    bool kill(std::string reason);  // the same, by an administrator; false: it was told already
    [[nodiscard]] bool killed() const noexcept { return killed_; }
    void drain(std::string reason);  // ends it when its lease ends; the console goes on
    enum class Standing : std::uint8_t { login, console, idle, waiting, holding };
    [[nodiscard]] Standing standing() const noexcept;
    void reconsider(const GenerationPtr& current);
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] SessionView view() const;
    // Where it stands, without a copy of anything.
    struct Glance {
        bool login = true;  // not yet let in
        bool console = false, waiting = false, leased = false, pinned = false, replicating = false;
        std::string_view pin;  // why, with a lease; valid until the session does anything
        wire::Clock::time_point transaction_since = wire::Clock::time_point::min();  // min(): no transaction
    };
    [[nodiscard]] Glance glance() const noexcept;
    // From the hub that hears for it (session_listen.cpp): each thing, then once for all of them.
    void hub_says(const Hub* hub, const HubNews& news);
    void pass_on_heard();
    [[nodiscard]] const std::string& user() const noexcept { return user_; }
    // Of its transaction, literals masked; empty without one.
    [[nodiscard]] std::string last_statement() const;
    [[nodiscard]] std::string_view dialect() const noexcept { return dialect_.name(); }

  private:
    [[nodiscard]] wire::awaitable<bool> greet();
    [[nodiscard]] wire::awaitable<void> refuse_greeting(std::string why);
    [[nodiscard]] wire::awaitable<bool> authenticate();
    [[nodiscard]] wire::awaitable<Next> go_on();
    [[nodiscard]] std::string client_host() const;  // as errors name it
    [[nodiscard]] std::optional<wire::Diagnostics> pool_closed() const;
    // session_console.cpp
    struct ConsoleWait;
    [[nodiscard]] wire::awaitable<void> run_console();
    [[nodiscard]] wire::awaitable<bool> answer(dialects::LocalService* service, std::string text, wire::Outbox* out);
    void watch_console();
    void stop_console();
    void say_goodbye();
    void cancel_console();
    [[nodiscard]] wire::awaitable<bool> write_all(wire::Outbox* out);
    [[nodiscard]] wire::awaitable<bool> read_some();
    [[nodiscard]] wire::awaitable<void> deliver_cancel();
    [[nodiscard]] wire::awaitable<Identity> identify();
    [[nodiscard]] wire::awaitable<void> end_login(std::error_code ec, wire::Diagnostics said);
    [[nodiscard]] wire::awaitable<void> refuse(wire::Diagnostics error, std::string_view hint = {});
    [[nodiscard]] wire::awaitable<void> linger();
    // session_places.cpp
    struct TurnedAway {
        Refusal why = Refusal::max_clients;
        wire::Diagnostics error;
        std::string_view limit;  // its key
        std::string who;         // of whom there are too many; empty: of all
    };
    [[nodiscard]] TurnedAway drained() const;
    [[nodiscard]] std::optional<TurnedAway> refuse_before_password();
    [[nodiscard]] std::optional<TurnedAway> take_places();
    [[nodiscard]] wire::awaitable<void> turn_away(TurnedAway refused);
    [[nodiscard]] wire::awaitable<void> say_refusal(wire::Diagnostics error);
    [[nodiscard]] bool silent() const noexcept override;
    void show_out() override;

    // session_welcome.cpp
    struct Trial {
        dialects::Facts facts;
        pool::Lease lease;  // session mode: the backend that the session keeps
        std::optional<wire::Diagnostics> error;
    };
    [[nodiscard]] wire::awaitable<bool> welcome();
    void watch_welcome();
    [[nodiscard]] bool leases_at_login() const noexcept;
    [[nodiscard]] wire::awaitable<pool::Checkout> lease_for_login();
    [[nodiscard]] wire::awaitable<Trial> try_login();
    [[nodiscard]] wire::Diagnostics login_failure(const pool::Checkout& checkout) const;
    void begin(const dialects::ServerFacts& facts, pool::Lease lease);

    // session_replication.cpp
    [[nodiscard]] wire::awaitable<void> replicate();
    [[nodiscard]] wire::awaitable<pool::Permit> permit_for_replication();
    [[nodiscard]] wire::awaitable<std::optional<wire::Diagnostics>> connect_replica();
    [[nodiscard]] wire::awaitable<void> run_pipe();
    [[nodiscard]] wire::awaitable<void> pipe_through();
    [[nodiscard]] wire::awaitable<bool> own_backend();
    [[nodiscard]] std::optional<wire::Diagnostics> no_place_for_replica() const;

    // session_reload.cpp
    [[nodiscard]] Relay::Limits limits() const;
    [[nodiscard]] bool route_anew(const Identity& identity);
    void leave_in_time(wire::Clock::time_point now);

    enum class Requests : std::uint8_t { over, logs_in_again };
    [[nodiscard]] wire::awaitable<Requests> serve_requests();
    [[nodiscard]] wire::awaitable<bool> checkout();
    [[nodiscard]] wire::awaitable<bool> align();
    // session_audit.cpp
    [[nodiscard]] wire::awaitable<bool> audit();
    void report_leaks();
    // session_errands.cpp
    struct Asker;
    [[nodiscard]] wire::awaitable<bool> carry_out();
    [[nodiscard]] wire::awaitable<std::optional<wire::Diagnostics>> end_another(wire::Errand errand);
    [[nodiscard]] bool say_carried_out(const wire::Diagnostics* error);
    [[nodiscard]] wire::awaitable<Next> log_in_again();
    // session_listen.cpp
    struct HubAnswer;
    [[nodiscard]] wire::awaitable<std::optional<wire::Diagnostics>> ask_hub(wire::Errand errand);
    void release_channels();
    void move_to_another_hub();
    void stop_overflowed();
    void leave_hub();
    void forget_session();
    // It has ended, and only its client's last bytes are waited for.
    [[nodiscard]] bool over() const noexcept { return home_ && !welcoming_ && !logged_in_; }
    [[nodiscard]] bool may_be_ended_by(const Asker& asker) const;
    void log_refusal(const wire::Diagnostics& error);
    [[nodiscard]] bool refuse_request(wire::Diagnostics error);
    [[nodiscard]] bool lose(const wire::Loss& loss);
    void end_lease(pool::EndReason reason);
    [[nodiscard]] pool::Holder holder(bool with_statements) const;
    [[nodiscard]] wire::Diagnostics failure(dialects::Dialect::Failure kind, std::string message) const;
    [[nodiscard]] wire::Diagnostics farewell() const;  // stop_reason_, as what it is
    // session_log.cpp
    void log_login(bool console);
    void log_end(std::string_view reason);
    void note_failed_login(const wire::Diagnostics& error, std::string_view hint);
    void watch(wire::Clock::time_point now);
    void tell_wait(wire::Clock::time_point now);
    void end_wait(const pool::Checkout& checkout);
    [[nodiscard]] std::string holders_of_pool() const;

    Shared& shared_;
    Worker* worker_;
    std::shared_ptr<const config::Listen> listen_;
    const dialects::Dialect& dialect_;
    const std::uint64_t id_;
    const wire::Clock::time_point connected_;
    wire::Clock::time_point login_began_;  // the last one
    std::string certified_name_;           // of the client's certificate
    std::optional<wire::Transport::Released> moving_;
    std::unique_ptr<wire::Transport> client_;
    std::string peer_;
    Lobby::Place lobby_place_;  // until it has logged in
    Places::Place address_place_, user_place_, client_place_;
    wire::Inbox inbox_;
    std::unique_ptr<dialects::Login> login_;
    dialects::CancelKey key_{};
    Route route_;
    HomePtr home_;
    std::string user_, database_, application_;

    std::unique_ptr<StatementLog> statements_;  // while they are logged
    std::unique_ptr<wire::Tracker> tracker_;
    std::unique_ptr<Relay> relay_;
    std::shared_ptr<Hub> hub_;               // since it first listened
    std::shared_ptr<HubAnswer> hub_answer_;  // while one is waited for
    std::uint64_t hub_requests_ = 0;
    pool::Permit replica_permit_;                 // outlives the connection that it stands for
    std::shared_ptr<dialects::Backend> replica_;  // a replication session's own connection; a cancel keeps it too
    dialects::Facts replica_facts_;
    std::unique_ptr<wire::Seam> seam_;
    std::unique_ptr<Pipe> pipe_;
    pool::Pool::Ticket ticket_ = 0;
    wire::Clock::time_point waiting_since_ = wire::Clock::time_point::min();
    int align_losses_ = 0;      // backends lost in a row while they were aligned
    GenerationPtr generation_;  // under which it was admitted, or that it was held against last
    wire::Clock::time_point leave_by_ = wire::Clock::time_point::max();
    unsigned replica_moves_ = 0;  // home_->moves when its replication began
    bool moved_out_ = false;
    bool waiting_ = false;
    bool welcoming_ = false;  // authenticated, not yet in
    bool gone_ = false;       // the client, before it had a relay
    bool cancelled_ = false;
    bool logged_in_ = false;  // the log knows of it, and waits for its end
    bool wait_told_ = false;  // the log knows of the wait
    bool console_ = false;
    std::optional<wire::Clock::time_point> login_until_;  // when draining
    bool killed_ = false;
    std::shared_ptr<ConsoleWait> console_wait_;  // while a command of its runs
    std::string stop_reason_;
};

}  // namespace leasehold::daemon
