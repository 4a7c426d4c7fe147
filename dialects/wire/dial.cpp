// SPDX-License-Identifier: Apache-2.0
// Opening a connection: a name's addresses are tried in order under one deadline, of which each has its share.
#include "dialects/wire/resolve.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstring>

namespace leasehold::wire {
namespace {

namespace asio = boost::asio;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

// Shared with the timer's handler, which may run after the attempt is over: then nothing is left to interrupt.
struct Attempt {
    Attempt(Executor executor, Deadline deadline) : timer(executor, deadline) {}
    Timer timer;
    Socket* socket = nullptr;
    bool expired = false;
};

awaitable<std::error_code> connect(Socket& socket, Socket::endpoint_type endpoint, Deadline deadline) {
    const auto attempt = std::make_shared<Attempt>(socket.get_executor(), deadline);
    attempt->socket = &socket;
    attempt->timer.async_wait([attempt](const boost::system::error_code& ec) {
        if (ec || attempt->socket == nullptr) return;
        attempt->expired = true;
        boost::system::error_code ignored;
        attempt->socket->close(ignored);
    });
    const auto [ec] = co_await socket.async_connect(endpoint, asio::as_tuple_t<asio::use_awaitable_t<Executor>>{});
    attempt->socket = nullptr;
    attempt->timer.cancel();
    if (attempt->expired) co_return make_error_code(errc::timed_out);
    co_return std::error_code(ec);
}

std::string address_of(const Socket::endpoint_type& endpoint) {
    asio::ip::tcp::endpoint tcp(endpoint.protocol().family() == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), 0);
    std::memcpy(tcp.data(), endpoint.data(), std::min<std::size_t>(endpoint.size(), tcp.capacity()));
    return tcp.address().to_string();
}

// An address that does not answer must not use up the time of those behind it.
Deadline share(Deadline deadline, std::size_t addresses_left) {
    if (deadline == Deadline::max() || addresses_left <= 1) return deadline;
    const auto now = Clock::now();
    return now + (deadline - now) / static_cast<Clock::rep>(addresses_left);
}

}  // namespace

awaitable<Dialled> dial(Executor executor, std::string host, std::uint16_t port, Deadline deadline) {
    const bool local = !host.empty() && host.front() == '/';
    const std::string name = local ? host : host + ":" + std::to_string(port);
    Dialled result;
    Resolved resolved;
    if (!local) {
        resolved = co_await resolve(executor, host, port, deadline);
        if (resolved.error) {
            result.error = resolved.error;
            result.message = name + ": cannot resolve the name: " + resolved.why;
            co_return result;
        }
    } else if (host.size() >= sizeof(sockaddr_un::sun_path)) {
        result.error = std::make_error_code(std::errc::filename_too_long);
        result.message = name + ": the socket's path is too long";
        co_return result;
    } else {
        resolved.endpoints.emplace_back(asio::local::stream_protocol::endpoint(host));
    }
    const std::size_t count = resolved.endpoints.size();
    for (std::size_t i = 0; i < count; ++i) {
        Socket socket(executor);
        const Deadline until = share(deadline, count - i);
        result.error = co_await connect(socket, resolved.endpoints[i], until);
        if (!result.error) {
            boost::system::error_code ignored;
            result.transport = std::make_unique<Transport>(executor, socket.release(ignored));
            result.message.clear();
            co_return result;
        }
        result.message += i == 0 ? name + ": " : "; ";
        if (count > 1) result.message += address_of(resolved.endpoints[i]) + ": ";
        result.message += result.error.message();
        if (Clock::now() >= deadline) break;
    }
    co_return result;
}

}  // namespace leasehold::wire
