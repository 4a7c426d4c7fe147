// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/transport.hpp"

#include "dialects/wire/coded.hpp"
#include "dialects/wire/transport_state.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>

namespace leasehold::wire {
namespace {

using stream = asio::generic::stream_protocol;

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

// A peer that is gone without a word is found out within a minute, whether it owes us an acknowledgement or nothing.
constexpr int keepalive_idle = 30, keepalive_interval = 10, keepalive_count = 3;  // seconds, seconds, probes
constexpr int acknowledged_within = 30'000;                                       // milliseconds
// A peer that was given more than this since it last said something may have closed its window, because it takes its
// time; TCP_USER_TIMEOUT would end it although it lives and answers every probe.
constexpr std::uint64_t window_surely = 16 * 1024;
constexpr int calm_exchanges = 8;

void set_option(int descriptor, int level, int name, int value) noexcept {
    (void)::setsockopt(descriptor, level, name, &value, sizeof value);
}

void tune(int descriptor) noexcept {
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, keepalive_count);
    set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, acknowledged_within);
}

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
    if (!unix_) tune(descriptor);
    peer_ = describe_peer(state_->socket);
}

// Who waits goes with the transport: the callbacks own it.
Transport::~Transport() {
    state_->read.callback.reset();
    state_->write.callback.reset();
    state_->stepped.reset();
    close();
}

int Transport::descriptor() noexcept { return state_->socket.native_handle(); }
bool Transport::is_open() const noexcept { return state_->is_open(); }

// Large transfers tend to follow one another: the limit comes back after some exchanges without one.
void Transport::be_patient() noexcept {
    calm_ = 0;
    if (std::exchange(patient_, true) || unix_) return;
    set_option(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

void Transport::end_patience() noexcept {
    int queued = 0;
    if (++calm_ < calm_exchanges || unix_) return;
    if (::ioctl(descriptor(), SIOCOUTQ, &queued) != 0 || queued > 0) return;
    patient_ = false;
    set_option(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, acknowledged_within);
}

void Transport::count_sent(std::size_t bytes) noexcept {
    sent_ += bytes;
    unheard_ += bytes;
    if (unheard_ > window_surely) [[unlikely]]
        be_patient();
}

void Transport::count_received(std::size_t bytes) noexcept {
    received_ += bytes;
    unheard_ = 0;
    if (patient_) [[unlikely]]
        end_patience();
}

Transport::Io Transport::recv(std::span<std::uint8_t> into) noexcept {
    if (coded_) [[unlikely]]
        return recv_coded(into);
    if (tls_) [[unlikely]]
        return recv_tls(into);
    return recv_plain(into);
}

Transport::Io Transport::recv_plain(std::span<std::uint8_t> into) noexcept {
    for (;;) {
        const ssize_t n = ::recv(descriptor(), into.data(), into.size(), MSG_DONTWAIT);
        if (n > 0) {
            count_received(static_cast<std::size_t>(n));
            return {static_cast<std::size_t>(n), {}, false};
        }
        if (n == 0) return {0, make_error_code(errc::closed), false};
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, {}, true};
        return {0, last_error(), false};
    }
}

Transport::Io Transport::send(Bytes bytes) noexcept {
    if (coded_) [[unlikely]]
        return send_coded(bytes);
    if (tls_) [[unlikely]]
        return send_tls(bytes);
    return send_plain(bytes);
}

Transport::Io Transport::send_plain(Bytes bytes) noexcept {
    for (;;) {
        const ssize_t n = ::send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            count_sent(static_cast<std::size_t>(n));
            return {static_cast<std::size_t>(n), {}, false};
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, {}, true};
        return {0, last_error(), false};
    }
}

// Over `done` bytes more; `skip` is how far into segments[index] that comes.
void Transport::advance(std::span<const Outbox::Segment> segments, std::size_t& index, std::size_t& skip,
                        std::size_t done) noexcept {
    while (index < segments.size() && done >= segments[index].size - skip) {
        done -= segments[index].size - skip;
        skip = 0;
        ++index;
        if (done == 0) break;
    }
    skip += done;
}

// What the kernel did not take is copied: it is borrowed. Without memory for it the connection is at its end, which both
// peers see.
void Transport::keep_rest(Outbox& outbox, std::size_t index, std::size_t skip) {
    try {
        for (const auto segments = outbox.segments(); index < segments.size(); ++index, skip = 0) {
            pending_.append(outbox.bytes(segments[index]).subspan(skip));
        }
    } catch (const std::bad_alloc&) {
        pending_.release();
        (void)::shutdown(descriptor(), SHUT_RDWR);
    }
}

bool Transport::send(Outbox& outbox) noexcept {
    if (tls_ || coded_) [[unlikely]]
        return send_layered(outbox);
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
                count_sent(io.bytes);
            } else if (errno == EINTR) {
                continue;
            } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                io.would_block = true;
            } else {
                io.error = last_error();
            }
        }
        if (io.error) return false;
        advance(segments, index, skip, io.bytes);
        if (io.bytes < wanted) break;  // the kernel has had enough
    }
    keep_rest(outbox, index, skip);
    return true;
}

bool Transport::flush() noexcept {
    if (tls_ && !tls_->flush()) return false;
    if (coded_) {
        bool dead = false;
        if (!flush_coded(dead)) return !dead;
    }
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
    if (!is_open() || (coded_ && !coded_quiet())) return false;
    if (tls_) return tls_->quiet();
    std::uint8_t byte = 0;
    const ssize_t n = ::recv(descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Transport::on_readable(Callback callback) {
    State::listen(state_, &State::read, Socket::wait_read, std::move(callback));
    if (!tls_ && !coded_) return;
    const bool more = (tls_ && tls_->more()) || (coded_ && coded_more());
    if (state_->read.callback && more) State::nudge(state_);
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
    if (tls_ && is_open() && pending_.empty() && (!coded_ || coded_unsent() == 0)) tls_->shutdown();
    state_->close();
    if (tls_) tls_->abandon();
}

void Transport::shutdown_send() noexcept {
    if (!is_open() || state_->lent) return;
    if (tls_) tls_->shutdown();
    (void)::shutdown(descriptor(), SHUT_WR);
}

Transport::Released::Released(int fd, std::unique_ptr<TlsStream> stream, std::unique_ptr<Coded> codec)
    : descriptor(fd), tls(std::move(stream)), coded(std::move(codec)) {}
Transport::Released::Released(Released&& other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), tls(std::move(other.tls)), coded(std::move(other.coded)),
      unsent(std::move(other.unsent)) {}
Transport::Released::~Released() {
    tls.reset();
    if (descriptor >= 0) ::close(descriptor);
}

Transport::Transport(Executor executor, Released connection)
    : Transport(executor, std::exchange(connection.descriptor, -1)) {
    tls_ = std::move(connection.tls);
    coded_ = std::move(connection.coded);
    pending_ = std::move(connection.unsent);
}

Transport::Released Transport::release() {
    state_->read.callback.reset();
    state_->write.callback.reset();
    boost::system::error_code ec;
    const int descriptor = state_->socket.release(ec);
    Released released(ec ? -1 : descriptor, std::move(tls_), std::move(coded_));
    released.unsent = std::exchange(pending_, Inbox());
    return released;
}

}  // namespace leasehold::wire
