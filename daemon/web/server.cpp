// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/server.hpp"

#include "daemon/listener.hpp"
#include "daemon/logging.hpp"
#include "daemon/web/console.hpp"
#include "daemon/web/exposition.hpp"
#include "daemon/web/json.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <utility>

namespace leasehold::daemon::web {
namespace {

constexpr auto service_directory = "/run/leasehold";
constexpr mode_t control_mode = 0660;
constexpr auto patience = std::chrono::seconds(1);  // with a worker that is asked for its figures

config::Listen socket_of(const config::Admin& admin, const std::string& control) {
    config::Listen listen;
    listen.host = control.empty() ? admin.http_host : control;
    listen.port = control.empty() ? admin.http_port : std::uint16_t{0};
    return listen;
}

}  // namespace

std::string control_path(const config::Admin& admin) {
    if (admin.socket == "off") return {};
    if (admin.socket != "auto") return admin.socket;
    // systemd names several directories in one value.
    const char* given = std::getenv("RUNTIME_DIRECTORY");
    std::string directory = given == nullptr ? std::string() : given;
    directory.resize(std::min(directory.find(':'), directory.size()));
    if (directory.empty() && ::access(service_directory, W_OK) == 0) directory = service_directory;
    return directory.empty() ? directory : directory + "/control.sock";
}

Prepared::Prepared(Prepared&& other) noexcept
    : errors(std::move(other.errors)), warnings(std::move(other.warnings)), http_(std::exchange(other.http_, {})),
      control_(std::exchange(other.control_, {})), undo_(std::exchange(other.undo_, nullptr)) {}

Prepared::~Prepared() {
    for (const Wanted* wanted : {&http_, &control_}) {
        if (wanted->descriptor >= 0) ::close(wanted->descriptor);
    }
    if (undo_) undo_();
}

Server::Server(wire::Executor loop, Sources sources)
    : sources_(sources), sampler_(loop, sources.shared, patience), tables_(loop, sources.console, patience),
      http_(loop, Limits{}) {
    add_routes(loop);
}

Server::~Server() {
    // Whoever looks for a daemon finds none, rather than a socket that answers nobody.
    if (control_door_.door != 0) (void)::unlink(control_door_.address.c_str());
}

void Server::add_routes(wire::Executor loop) {
    http_.add(console_route(loop, sources_.console));
    http_.add(
        {"/metrics", Method::get, false, false, [this](const Request&, const Respond& respond) { metrics(respond); }});
    http_.add(
        {"/healthz", Method::get, false, false, [this](const Request&, const Respond& respond) { health(respond); }});
    http_.add({"/", Method::get, false, false, [this](const Request&, const Respond& respond) {
                   tables_.take([this, respond](const std::vector<Section>& sections) {
                       respond({200, "text/html; charset=utf-8", page(about(), sections)});
                   });
               }});
    http_.add({"/status.json", Method::get, false, false, [this](const Request&, const Respond& respond) {
                   tables_.take(
                       [this, respond](const std::vector<Section>& sections) { respond(to_json(about(), sections)); });
               }});
    http_.add({"/readyz", Method::get, false, false, [this](const Request&, const Respond& respond) {
                   if (sources_.shared.draining) return respond({503, Response{}.type, "draining\n"});
                   respond({200, Response{}.type, "ready\n"});
               }});
}

void Server::metrics(const Respond& respond) {
    sampler_.take([this, respond](const Figures& figures) {
        const Shared& shared = sources_.shared;
        const Facts facts{shared.workers.size(), shared.config()->limits.max_clients, shared.draining};
        respond({200, exposition_type, exposition(sources_.metrics, figures, facts, read_process())});
    });
}

About Server::about() const {
    const Shared& shared = sources_.shared;
    About about;
    about.version = LEASEHOLD_VERSION;
    about.uptime = std::chrono::duration_cast<std::chrono::seconds>(wire::Clock::now() - started_);
    about.draining = shared.draining;
    about.workers = shared.workers.size();
    about.clients = shared.places.clients();
    about.clients_limit = shared.config()->limits.max_clients;
    return about;
}

void Server::health(const Respond& respond) {
    sampler_.take([respond](const Figures& figures) {
        if (figures.missing.empty()) return respond({200, Response{}.type, "ok\n"});
        std::string names;
        for (const int worker : figures.missing) names += (names.empty() ? "" : ", ") + std::to_string(worker);
        respond({503, Response{}.type, "worker " + names + " does not answer\n"});
    });
}

Prepared Server::prepare(const config::Config& config) {
    Prepared prepared;
    const config::Admin& admin = config.admin;
    if (admin.http_port != 0) open(prepared, socket_of(admin, {}), false, admin.http_named);
    if (const std::string path = control_path(admin); !path.empty()) {
        open(prepared, socket_of(admin, path), true, admin.socket != "auto");
    }
    return prepared;
}

void Server::open(Prepared& prepared, const config::Listen& listen, bool control, bool named) {
    Prepared::Wanted& wanted = control ? prepared.control_ : prepared.http_;
    Serving& serving = control ? control_door_ : http_door_;
    wanted.listen = listen;
    wanted.address = control ? listen.host : address_of(listen);
    wanted.keep = serving.door != 0 && serving.address == wanted.address;
    if (wanted.keep) return;
    Opened opened = open_listener(listen, control_mode);
    if (!opened.error.empty() && !control && serving.door != 0 && serving.listen.port == listen.port) {
        // From 127.0.0.1 to 0.0.0.0: the two cannot be open at once.
        http_.close(serving.door);
        opened = open_listener(listen, control_mode);
        if (opened.error.empty()) {
            prepared.undo_ = [this, before = serving.listen] { serve_again(before); };
        } else {
            serve_again(serving.listen);
        }
    }
    wanted.descriptor = opened.descriptor;
    if (opened.error.empty()) return;
    wanted.address.clear();
    const std::string message = std::string(control ? "admin.socket: " : "admin.http: ") + opened.error;
    const std::string without =
        control ? "; `leasehold show` cannot reach this daemon" : "; there are no metrics and no status page";
    named ? prepared.errors.push_back(message) : prepared.warnings.push_back(message + without);
}

void Server::serve_again(const config::Listen& listen) {
    const Opened opened = open_listener(listen, control_mode);
    http_door_.door = opened.error.empty() ? http_.listen(opened.descriptor, false) : 0;
    if (!opened.error.empty()) log_error("listen_failed", {{"message", "admin.http: " + opened.error}});
}

void Server::commit(Prepared prepared) {
    prepared.undo_ = nullptr;
    swap(http_door_, prepared.http_, false);
    swap(control_door_, prepared.control_, true);
}

void Server::swap(Serving& serving, Prepared::Wanted& wanted, bool control) {
    if (wanted.keep) return;
    if (serving.door != 0) {
        http_.close(serving.door);
        if (control) (void)::unlink(serving.address.c_str());
    }
    serving = {};
    if (wanted.descriptor < 0) return;
    serving.address = wanted.address;
    serving.listen = wanted.listen;
    serving.door = http_.listen(std::exchange(wanted.descriptor, -1), control);
    log_info("listening", {{"listen", wanted.address}, {"serves", control ? "control" : "http"}});
}

}  // namespace leasehold::daemon::web
