// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/transport.hpp"

#include "dialects/wire/tls_stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>

namespace leasehold::wire {
namespace {

namespace asio = boost::asio;
using stream = asio::generic::stream_protocol;

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

std::string describe_peer(const Socket& socket) {
    boost::system::error_code ignored;
    const auto endpoint = socket.remote_endpoint(ignored);
    if (ignored) return "gone";
    const int family = endpoint.protocol().family();
    if (family == AF_INET) {
        asio::ip::tcp::endpoint tcp;
        std::memcpy(tcp.data(), endpoint.data(), std::min<std::size_t>(endpoint.size(), tcp.capacity()));
        return tcp.address().to_string() + ":" + std::to_string(tcp.port());
    }
    if (family == AF_INET6) {
        asio::ip::tcp::endpoint tcp(asio::ip::tcp::v6(), 0);
        std::memcpy(tcp.data(), endpoint.data(), std::min<std::size_t>(endpoint.size(), tcp.capacity()));
        return "[" + tcp.address().to_string() + "]:" + std::to_string(tcp.port());
    }
    return "unix";
}

}  // namespace

// Shared with the armed waits: they may end after the transport itself is gone.
struct Transport::State {
    struct Direction {
        Callback callback;
        bool armed = false;  // a wait is registered with the loop
        bool event = false;  // it ended while nobody was listening
    };
    explicit State(Executor executor) : socket(executor) {}
    Socket socket;
    Direction read, write;

    static void arm(const std::shared_ptr<State>& self, Direction State::*which, Socket::wait_type type) {
        Direction& direction = (*self).*which;
        direction.armed = true;
        self->socket.async_wait(type, [self, which](const boost::system::error_code&) { fire(*self, which); });
    }
    static void fire(State& state, Direction State::*which) {
        Direction& direction = state.*which;
        direction.armed = false;
        if (!direction.callback) {
            direction.event = true;
            return;
        }
        Callback callback = std::move(direction.callback);
        callback();
    }
    static void listen(const std::shared_ptr<State>& self, Direction State::*which, Socket::wait_type type,
                       Callback callback) {
        Direction& direction = (*self).*which;
        direction.callback = std::move(callback);
        if (!direction.callback || direction.armed) return;
        if (!direction.event && self->socket.is_open()) {
            arm(self, which, type);
            return;
        }
        direction.event = false;
        direction.armed = true;
        asio::post(self->socket.get_executor(), [self, which] { fire(*self, which); });
    }
};

Transport::Transport(Executor executor, int descriptor)
    : executor_(executor), state_(std::make_shared<State>(executor)) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const bool known = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    const int family = known ? address.ss_family : AF_INET;
    unix_ = family == AF_UNIX;
    boost::system::error_code ignored;
    state_->socket.assign(stream(family, unix_ ? 0 : IPPROTO_TCP), descriptor, ignored);
    state_->socket.non_blocking(true, ignored);
    if (!unix_) {
        const int on = 1;
        (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    peer_ = describe_peer(state_->socket);
}

Transport::~Transport() {
    state_->read.callback.reset();
    state_->write.callback.reset();
    boost::system::error_code ignored;
    state_->socket.close(ignored);
}

int Transport::descriptor() noexcept { return state_->socket.native_handle(); }
bool Transport::is_open() const noexcept { return state_->socket.is_open(); }

Transport::Io Transport::recv(std::span<std::uint8_t> into) noexcept {
    for (;;) {
        const ssize_t n = ::recv(descriptor(), into.data(), into.size(), MSG_DONTWAIT);
        if (n > 0) {
            received_ += static_cast<std::size_t>(n);
            return {static_cast<std::size_t>(n), {}, false};
        }
        if (n == 0) return {0, make_error_code(errc::closed), false};
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, {}, true};
        return {0, last_error(), false};
    }
}

Transport::Io Transport::send(Bytes bytes) noexcept {
    for (;;) {
        const ssize_t n = ::send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            sent_ += static_cast<std::size_t>(n);
            return {static_cast<std::size_t>(n), {}, false};
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, {}, true};
        return {0, last_error(), false};
    }
}

bool Transport::send(Outbox& outbox) noexcept {
    const auto segments = outbox.segments();
    std::size_t index = 0;
    std::size_t skip = 0;  // of segments[index], already sent
    while (pending_.empty() && index < segments.size()) {
        std::array<iovec, 16> vectors{};
        std::size_t count = 0;
        std::size_t wanted = 0;
        for (; count < vectors.size() && index + count < segments.size(); ++count) {
            const Bytes part = outbox.bytes(segments[index + count]).subspan(count == 0 ? skip : 0);
            vectors[count] = {const_cast<std::uint8_t*>(part.data()), part.size()};
            wanted += part.size();
        }
        Io io;
        if (count == 1) {
            io = send(Bytes(static_cast<const std::uint8_t*>(vectors[0].iov_base), vectors[0].iov_len));
        } else {
            msghdr message{};
            message.msg_iov = vectors.data();
            message.msg_iovlen = count;
            const ssize_t n = ::sendmsg(descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n >= 0) {
                io.bytes = static_cast<std::size_t>(n);
                sent_ += io.bytes;
            } else if (errno == EINTR) {
                continue;
            } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                io.would_block = true;
            } else {
                io.error = last_error();
            }
        }
        if (io.error) return false;
        std::size_t done = io.bytes;
        while (index < segments.size() && done >= segments[index].size - skip) {
            done -= segments[index].size - skip;
            skip = 0;
            ++index;
            if (done == 0) break;
        }
        skip += done;
        if (io.bytes < wanted) break;  // the kernel has had enough
    }
    for (; index < segments.size(); ++index) {
        pending_.append(outbox.bytes(segments[index]).subspan(skip));
        skip = 0;
    }
    return true;
}

bool Transport::flush() noexcept {
    while (!pending_.empty()) {
        const Io io = send(pending_.bytes());
        if (io.error) return false;
        if (io.would_block) return true;
        pending_.consume(io.bytes);
    }
    pending_.release();
    return true;
}

bool Transport::quiet() noexcept {
    if (!is_open()) return false;
    std::uint8_t byte = 0;
    const ssize_t n = ::recv(descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Transport::on_readable(Callback callback) {
    State::listen(state_, &State::read, Socket::wait_read, std::move(callback));
}

void Transport::on_writable(Callback callback) {
    State::listen(state_, &State::write, Socket::wait_write, std::move(callback));
}

void Transport::wake() {
    for (auto which : {&State::read, &State::write}) {
        State::Direction& direction = (*state_).*which;
        if (!direction.callback) continue;
        asio::post(executor_, [callback = std::move(direction.callback)]() mutable { callback(); });
    }
}

awaitable<void> Transport::readable() {
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](auto handler) { on_readable([handler = std::move(handler)]() mutable { std::move(handler)(); }); },
        asio::use_awaitable_t<Executor>{});
}

awaitable<void> Transport::writable() {
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](auto handler) { on_writable([handler = std::move(handler)]() mutable { std::move(handler)(); }); },
        asio::use_awaitable_t<Executor>{});
}

void Transport::close() noexcept {
    boost::system::error_code ignored;
    state_->socket.close(ignored);  // armed waits end with operation_aborted, and so call back
}

void Transport::shutdown_send() noexcept {
    if (is_open()) (void)::shutdown(descriptor(), SHUT_WR);
}

Transport::Released::Released(int fd, std::unique_ptr<TlsStream> stream) : descriptor(fd), tls(std::move(stream)) {}
Transport::Released::Released(Released&& other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), tls(std::move(other.tls)) {}
Transport::Released::~Released() {
    if (descriptor >= 0) ::close(descriptor);
}

Transport::Transport(Executor executor, Released connection)
    : Transport(executor, std::exchange(connection.descriptor, -1)) {}

Transport::Released Transport::release() {
    state_->read.callback.reset();
    state_->write.callback.reset();
    boost::system::error_code ec;
    const int descriptor = state_->socket.release(ec);
    return {ec ? -1 : descriptor, nullptr};
}

bool Transport::encrypted() const noexcept { return false; }

awaitable<Transport::Secured> Transport::secure(TlsParty, Inbox, Deadline, boost::asio::thread_pool*) {
    Secured secured;
    secured.error = make_error_code(errc::unsupported);
    co_return secured;
}

}  // namespace leasehold::wire
