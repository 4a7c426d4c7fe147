// SPDX-License-Identifier: Apache-2.0
#include "daemon/server.hpp"

#include "daemon/admin/console.hpp"
#include "daemon/admin/records.hpp"
#include "daemon/admin/stats.hpp"
#include "daemon/capacity.hpp"
#include "daemon/commands.hpp"
#include "daemon/descriptors.hpp"
#include "daemon/drain.hpp"
#include "daemon/greetings.hpp"
#include "daemon/homes.hpp"
#include "daemon/journal.hpp"
#include "daemon/listeners.hpp"
#include "daemon/logging.hpp"
#include "daemon/metrics/names.hpp"
#include "daemon/metrics/registry.hpp"
#include "daemon/metrics/reloads.hpp"
#include "daemon/orphans.hpp"
#include "daemon/passed_sockets.hpp"
#include "daemon/reload.hpp"
#include "daemon/roles.hpp"
#include "daemon/show.hpp"
#include "daemon/supervision.hpp"
#include "daemon/web/server.hpp"
#include "daemon/worker.hpp"
#include "dialects/registry.hpp"

#include <boost/asio/signal_set.hpp>

#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;

int worker_count(const config::Config& config) {
    if (config.workers > 0) return config.workers;
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : static_cast<int>(std::min(cores, 64u));
}

}  // namespace

class Server {
  public:
    explicit Server(std::shared_ptr<const config::Config> config);
    ~Server();
    [[nodiscard]] int run();

  private:
    [[nodiscard]] bool listen();
    [[nodiscard]] bool open_web();
    void make_console();
    [[nodiscard]] bool read_certificates();
    void on_signal(int signal);
    void end(Shutdown how);

    std::shared_ptr<const config::Config> config_;
    asio::io_context main_;
    asio::signal_set signals_{main_, SIGTERM, SIGINT, SIGHUP};
    asio::steady_timer log_timer_{main_};
    metrics::Registry metrics_;
    metrics::Reloads reloads_{metrics_};
    admin::QuarantineRecords records_;
    admin::Averages averages_;
    admin::Tables tables_;
    std::unique_ptr<admin::Console> console_;
    std::unique_ptr<Commands> commands_;
    Capacity capacity_;
    BackendJournal journal_;
    Orphans orphans_;
    Roles roles_;
    std::unique_ptr<Homes> homes_;
    Shared shared_;
    Greetings greetings_{shared_.reports, shared_.computing};
    std::vector<std::unique_ptr<Worker>> workers_;
    std::unique_ptr<PassedSockets> passed_;
    Listeners listeners_{shared_.workers};
    std::unique_ptr<Reload> reload_;
    std::unique_ptr<web::Server> web_;
    Drain drain_;
    Supervision supervision_;
};

Server::Server(std::shared_ptr<const config::Config> config)
    : config_(std::move(config)), metrics_(worker_count(*config_)), capacity_(config_),
      journal_(journal_path(config_->admin.socket)), shared_(metrics_),
      drain_(main_, shared_,
             {[this] { listeners_.close_for_drain(); }, [this] { listeners_.close(); }, [this] { main_.stop(); }}),
      supervision_(main_, shared_, drain_) {
    shared_.descriptors = raise_open_files();
    shared_.publish({config_, nullptr});
    shared_.login_failures = metrics_.counter(metrics::names::login_failures, "logins that failed");
    shared_.counts = metrics::Sessions(metrics_);
    reloads_.done(true);
    for (int i = 0; i < worker_count(*config_); ++i) {
        workers_.push_back(std::make_unique<Worker>(shared_, i));
        shared_.workers.push_back(workers_.back().get());
    }
}

Server::~Server() {
    reload_.reset();
    orphans_.stop();
    capacity_.stop();
    roles_.stop();
    for (const auto& worker : workers_) worker->stop();
    for (const auto& worker : workers_) worker->join();
    shared_.computing.join();
    shared_.lookups.join();
    shared_.reports.join();
    listeners_.close();
    shared_.publish({});
    shared_.homes = nullptr;
    homes_.reset();
    shared_.hubs.clear();
    workers_.clear();
}

bool Server::listen() {
    Listeners::Prepared prepared = listeners_.prepare(*config_);
    for (const std::string& message : prepared.errors) log_error("listen_failed", {{"message", message}});
    if (!prepared.errors.empty()) return false;
    listeners_.commit(config_, std::move(prepared));
    return true;
}

bool Server::open_web() {
    web_ = std::make_unique<web::Server>(main_.get_executor(),
                                         web::Server::Sources{shared_, *console_, metrics_, records_});
    web::Prepared prepared = web_->prepare(*config_);
    for (const std::string& message : prepared.warnings) log_warn("listen_failed", {{"message", message}});
    for (const std::string& message : prepared.errors) log_error("listen_failed", {{"message", message}});
    if (!prepared.errors.empty()) return false;
    web_->commit(std::move(prepared));
    return true;
}

void Server::make_console() {
    console_ = std::make_unique<admin::Console>(tables_);
    register_tables(tables_, shared_, records_, metrics_, averages_);
    commands_ = std::make_unique<Commands>(shared_);
    commands_->register_in(*console_);
    shared_.console = console_.get();
}

// One line a listener with TLS. False: one of them cannot be used; it keeps what it had.
bool Server::read_certificates() {
    bool all = true;
    for (const Certificates::Reading& reading : shared_.certificates.read(*config_)) {
        const std::string address = address_of(*reading.listen);
        if (reading.error.empty()) {
            log_info("certificates_read", {{"listen", address}});
        } else {
            log_error("certificates_unusable", {{"listen", address}, {"message", reading.error}});
            all = false;
        }
    }
    return all;
}

void Server::on_signal(int signal) {
    if (signal == SIGHUP) {
        reload_->request({});
    } else if (drain_.step() >= Drain::Step::overdue) {
        main_.stop();  // the third one: no words for anybody
        return;
    } else {
        end(drain_.limited() ? Shutdown::now : Shutdown::drain);
    }
    signals_.async_wait([this](const boost::system::error_code& ec, int next) {
        if (!ec) on_signal(next);
    });
}

void Server::end(Shutdown how) {
    const bool fresh = drain_.step() == Drain::Step::none;
    drain_.begin(how);
    if (fresh) supervision_.stopping();
}

int Server::run() {
    if (!read_certificates()) return 78;
    homes_ = std::make_unique<Homes>(Homes::Supplies{metrics_, records_, capacity_, shared_.computing, journal_});
    for (const HomePtr& home : homes_->adopt(config_, shared_.workers).made) home->worker->add_home(home);
    shared_.homes = homes_.get();
    greetings_.open(facts_path());
    shared_.greetings = &greetings_;
    shared_.publish({config_, std::make_shared<const Router>(config_, homes_->configured())});
    make_console();
    shared_.operations.shutdown = [this](Shutdown how) { asio::post(main_, [this, how] { end(how); }); };
    passed_ = std::make_unique<PassedSockets>(notify::take_passed_sockets(), config_->listen);
    listeners_.use(*passed_);
    if (!journal_.problem().empty()) log_warn("journal_unavailable", {{"message", journal_.problem()}});
    orphans_.end(orphans_by_server(*config_, journal_.found()));
    if (!listen() || !open_web()) return 69;
    reload_ = std::make_unique<Reload>(main_, Reload::Parts{shared_, *homes_, capacity_, listeners_, *web_, reloads_});
    shared_.operations.reload = [this](Reload::Done done) { reload_->request(std::move(done)); };
    for (const auto& worker : workers_) worker->start();
    signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
        if (!ec) on_signal(signal);
    });
    std::function<void()> tick = [this, &tick] {
        tick_logging();
        averages_.sample(metrics_);
        const std::vector<HomePtr> homes = homes_->all();
        capacity_.learn(homes);
        greetings_.learn(homes);
        roles_.look(homes, capacity_);
        log_timer_.expires_after(std::chrono::seconds(1));
        log_timer_.async_wait([&tick](const boost::system::error_code& ec) {
            if (!ec) tick();
        });
    };
    tick();
    log_info("started", {{"version", LEASEHOLD_VERSION},
                         {"workers", workers_.size()},
                         {"pools", homes_->configured().size()},
                         {"pid", ::getpid()}});
    supervision_.start();
    main_.run();
    log_info("stopped");
    return 0;
}

int run(std::shared_ptr<const config::Config> config, RunOptions) {
    (void)std::signal(SIGPIPE, SIG_IGN);
    const std::string problem = start_logging(config->log);
    if (!problem.empty()) {
        log_error("log_unavailable", {{"message", problem}});
        return 78;
    }
    int code = 0;
    {
        Server server(std::move(config));
        code = server.run();
    }
    // All is done; an impatient signal now must not make a failure of an orderly end.
    (void)std::signal(SIGTERM, SIG_IGN);
    (void)std::signal(SIGINT, SIG_IGN);
    stop_logging();
    return code;
}

}  // namespace leasehold::daemon
