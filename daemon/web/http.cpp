// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/http.hpp"

#include "daemon/logging.hpp"
#include "daemon/web/connection.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace leasehold::daemon::web {
namespace {

namespace asio = boost::asio;
constexpr int accept_at_once = 16;
constexpr auto patience = std::chrono::milliseconds(250);  // with a client that has said nothing, when others wait
constexpr auto pause = std::chrono::milliseconds(50);

}  // namespace

struct Http::State::Listening : std::enable_shared_from_this<Listening> {
    Listening(wire::Executor loop, int descriptor, bool is_control)
        : socket(loop, descriptor), timer(loop), control(is_control) {}

    // `state` owns this; both go when the server does.
    void wait(const std::weak_ptr<State>& state, Door door) {
        const auto self = shared_from_this();
        socket.async_wait(asio::posix::descriptor_base::wait_read,
                          [self, state, door](const boost::system::error_code& ec) {
                              const auto alive = state.lock();
                              if (!ec && alive) self->accept(alive, door);
                          });
    }

    void accept(const std::shared_ptr<State>& state, Door door) {
        if (!socket.is_open()) return;
        for (int i = 0; i < accept_at_once; ++i) {
            if (state->count(door) >= state->limits.connections && !state->make_room(door)) return rest(state, door);
            const int client = ::accept4(socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (client >= 0) {
                serve(state, client, door, control);
                continue;
            }
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            log_error("accept_failed", {{"listen", control ? "control" : "http"}, {"error", std::strerror(errno)}});
            return rest(state, door);
        }
        wait(state, door);
    }

    // All places taken by clients that are served, or no descriptor left: new ones wait in the socket's queue.
    void rest(const std::weak_ptr<State>& state, Door door) {
        const auto self = shared_from_this();
        timer.expires_after(pause);
        timer.async_wait([self, state, door](const boost::system::error_code& ec) {
            const auto alive = state.lock();
            if (!ec && alive) self->accept(alive, door);
        });
    }

    void close() {
        boost::system::error_code ignored;
        socket.close(ignored);
        timer.cancel();
    }

    asio::posix::basic_stream_descriptor<wire::Executor> socket;
    asio::basic_waitable_timer<wire::Clock, asio::wait_traits<wire::Clock>, wire::Executor> timer;
    const bool control;
};

const Route* Http::State::find(const std::string& path, bool control) const {
    const auto at = routes.find(path);
    if (at == routes.end() || (at->second.control && !control)) return nullptr;
    return &at->second;
}

std::size_t Http::State::count(Door door) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(connections, [door](const auto& one) { return door_of(*one) == door; }));
}

bool Http::State::make_room(Door door) {
    auto oldest = std::chrono::steady_clock::now() - patience;
    std::shared_ptr<Connection> found;
    for (const auto& connection : connections) {
        const auto since = waits_since(*connection);
        if (door_of(*connection) != door || !since || *since > oldest) continue;
        oldest = *since;
        found = connection;
    }
    if (!found) return false;
    end(*found);
    return true;
}

Http::Http(wire::Executor loop, Limits limits) : state_(std::make_shared<State>(loop, limits)) {}

Http::~Http() {
    for (const auto& [id, listening] : state_->doors) listening->close();
    const auto all = state_->connections;
    for (const auto& connection : all) end(*connection);
}

void Http::add(Route route) {
    std::string path = route.path;
    if (!state_->routes.try_emplace(std::move(path), std::move(route)).second) {
        throw std::logic_error("two routes of one path");
    }
}

Http::Door Http::listen(int descriptor, bool control) {
    const Door door = ++state_->last_door;
    const auto listening = std::make_shared<State::Listening>(state_->loop, descriptor, control);
    state_->doors.emplace(door, listening);
    listening->wait(state_, door);
    return door;
}

void Http::close(Door door) {
    const auto at = state_->doors.find(door);
    if (at == state_->doors.end()) return;
    at->second->close();
    state_->doors.erase(at);
}

std::size_t Http::connections() const { return state_->connections.size(); }

}  // namespace leasehold::daemon::web
