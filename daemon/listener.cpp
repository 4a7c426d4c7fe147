// SPDX-License-Identifier: Apache-2.0
#include "daemon/listener.hpp"

#include "daemon/logging.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
constexpr int accept_at_once = 32;

Opened failed(const config::Listen& listen, const std::string& what, int error) {
    std::string text = "cannot listen on " + address_of(listen) + ": " + what + ": " + std::strerror(error);
    if (error == EADDRINUSE) text += "; another program uses this address: stop it, or choose another port";
    if (error == EACCES) text += "; ports below 1024 need CAP_NET_BIND_SERVICE";
    if (error == EADDRNOTAVAIL) text += "; no interface of this machine has that address";
    return {-1, text};
}

// Whether somebody answers at a unix socket's path.
bool alive(const sockaddr_un& address) {
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return true;
    const bool answers = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return answers;
}

Opened finish(const config::Listen& listen, int descriptor, const sockaddr* address, socklen_t length,
              unsigned mode = 0) {
    const bool local = address->sa_family == AF_UNIX;
    if (::bind(descriptor, address, length) != 0) {
        const int error = errno;
        ::close(descriptor);
        return failed(listen, "bind", error);
    }
    if (local) (void)::chmod(listen.host.c_str(), mode);  // nobody can connect before listen()
    if (::listen(descriptor, 4096) != 0) {
        const int error = errno;
        ::close(descriptor);
        return failed(listen, "listen", error);
    }
    return {descriptor, {}};
}

Opened open_unix(const config::Listen& listen, unsigned mode) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (listen.host.size() >= sizeof address.sun_path) return failed(listen, "path", ENAMETOOLONG);
    std::memcpy(address.sun_path, listen.host.c_str(), listen.host.size() + 1);
    struct stat status {};
    if (::lstat(listen.host.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
        if (alive(address)) return failed(listen, "bind", EADDRINUSE);
        (void)::unlink(listen.host.c_str());
    }
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return failed(listen, "socket", errno);
    return finish(listen, descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address, mode);
}

}  // namespace

std::string address_of(const config::Listen& listen) {
    if (listen.host.starts_with('/')) return "unix:" + listen.host;
    const bool v6 = listen.host.find(':') != std::string::npos;
    return (v6 ? "[" + listen.host + "]" : listen.host) + ":" + std::to_string(listen.port);
}

Opened open_listener(const config::Listen& listen, unsigned mode) {
    if (listen.host.starts_with('/')) return open_unix(listen, mode);
    boost::system::error_code ec;
    const std::string host = listen.host == "localhost" ? "127.0.0.1" : listen.host == "*" ? "::" : listen.host;
    const auto parsed = asio::ip::make_address(host, ec);
    if (ec) return {-1, "cannot listen on " + address_of(listen) + ": not an address of this machine"};
    sockaddr_storage storage{};
    socklen_t length = 0;
    if (parsed.is_v4()) {
        auto& in = reinterpret_cast<sockaddr_in&>(storage);
        in.sin_family = AF_INET;
        in.sin_port = htons(listen.port);
        in.sin_addr.s_addr = htonl(parsed.to_v4().to_uint());
        length = sizeof in;
    } else {
        auto& in = reinterpret_cast<sockaddr_in6&>(storage);
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(listen.port);
        in.sin6_scope_id = static_cast<std::uint32_t>(parsed.to_v6().scope_id());
        const auto bytes = parsed.to_v6().to_bytes();
        std::memcpy(&in.sin6_addr, bytes.data(), bytes.size());
        length = sizeof in;
    }
    const int descriptor = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return failed(listen, "socket", errno);
    const int on = 1;
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int v6only = listen.host == "*" ? 0 : 1;
    if (storage.ss_family == AF_INET6)
        (void)::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    return finish(listen, descriptor, reinterpret_cast<const sockaddr*>(&storage), length);
}

struct Listener::State {
    State(wire::Executor executor, int descriptor) : socket(executor, descriptor), timer(executor) {}
    asio::posix::basic_stream_descriptor<wire::Executor> socket;
    asio::basic_waitable_timer<wire::Clock, asio::wait_traits<wire::Clock>, wire::Executor> timer;
};

Listener::Listener(Worker& worker, std::shared_ptr<const config::Listen> listen, const dialects::Dialect& dialect,
                   int descriptor, std::size_t lobby_places)
    : worker_(worker), listen_(std::move(listen)), dialect_(&dialect),
      state_(std::make_unique<State>(worker.executor(), ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0))),
      lobby_(std::make_shared<Lobby>(lobby_places)) {}

Listener::~Listener() = default;

void Listener::start() { wait(); }

void Listener::close() {
    boost::system::error_code ignored;
    state_->socket.close(ignored);
    state_->timer.cancel();
}

void Listener::change(std::shared_ptr<const config::Listen> listen, const dialects::Dialect& dialect) {
    listen_ = std::move(listen);
    dialect_ = &dialect;
}

void Listener::accept_waiting() {
    for (;;) {
        const int client = ::accept4(state_->socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) return;
        worker_.accepted(listen_, *dialect_, client, lobby_);
    }
}

void Listener::wait() {
    state_->socket.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& ec) {
        if (!ec) accept();
    });
}

void Listener::accept() {
    if (!state_->socket.is_open()) return;  // closed while a pause was over
    for (int i = 0; i < accept_at_once; ++i) {
        const int client = ::accept4(state_->socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            worker_.accepted(listen_, *dialect_, client, lobby_);
            if (lobby_->has_room()) continue;
            pause();  // the others wait in the kernel's queue
            return;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) break;
        const bool too_many_open = errno == EMFILE || errno == ENFILE;
        const std::string why = std::strerror(errno);
        if (too_many_open && lobby_->make_room()) continue;
        log_error("accept_failed", {{"listen", address_of(*listen_)},
                                    {"error", why},
                                    {"hint", "raise LimitNOFILE, or lower limits.max_clients"}});
        pause();
        return;
    }
    wait();
}

// Out of descriptors, memory or places in the lobby: the queue stays, new clients wait a moment.
void Listener::pause() {
    state_->timer.expires_after(std::chrono::milliseconds(100));
    state_->timer.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) accept();
    });
}

}  // namespace leasehold::daemon
