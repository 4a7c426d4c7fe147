// SPDX-License-Identifier: Apache-2.0
// Opening a connection: names are resolved by Asio's resolver thread, addresses are tried in order under one deadline.
#include "dialects/wire/transport.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace leasehold::wire {
namespace {

namespace asio = boost::asio;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Executor>;
constexpr auto tuple = asio::as_tuple_t<asio::use_awaitable_t<Executor>>{};

// Shared with the timer's handler, which may run after the attempt is over: then nothing is left to interrupt.
struct Attempt {
    Attempt(Executor executor, Deadline deadline) : timer(executor, deadline) {}
    Timer timer;
    Socket* socket = nullptr;
    Resolver* resolver = nullptr;
    bool expired = false;
};

void limit(const std::shared_ptr<Attempt>& attempt) {
    attempt->timer.async_wait([attempt](const boost::system::error_code& ec) {
        if (ec) return;
        attempt->expired = true;
        boost::system::error_code ignored;
        if (attempt->socket != nullptr) attempt->socket->close(ignored);
        if (attempt->resolver != nullptr) attempt->resolver->cancel();
    });
}

awaitable<std::error_code> connect(Socket& socket, Socket::endpoint_type endpoint, Deadline deadline) {
    const auto attempt = std::make_shared<Attempt>(socket.get_executor(), deadline);
    attempt->socket = &socket;
    limit(attempt);
    const auto [ec] = co_await socket.async_connect(endpoint, tuple);
    attempt->socket = nullptr;
    attempt->timer.cancel();
    if (attempt->expired) co_return make_error_code(errc::timed_out);
    co_return std::error_code(ec);
}

}  // namespace

awaitable<Dialled> dial(Executor executor, std::string host, std::uint16_t port, Deadline deadline) {
    const bool local = !host.empty() && host.front() == '/';
    const std::string name = local ? host : host + ":" + std::to_string(port);
    std::vector<Socket::endpoint_type> endpoints;
    Dialled result;
    if (local) {
        if (host.size() >= sizeof(sockaddr_un::sun_path)) {
            result.error = std::make_error_code(std::errc::filename_too_long);
            result.message = name + ": the socket's path is too long";
            co_return result;
        }
        endpoints.emplace_back(asio::local::stream_protocol::endpoint(host));
    } else {
        Resolver resolver(executor);
        const auto attempt = std::make_shared<Attempt>(executor, deadline);
        attempt->resolver = &resolver;
        limit(attempt);
        const auto flags = asio::ip::resolver_base::numeric_service | asio::ip::resolver_base::address_configured;
        auto [ec, found] = co_await resolver.async_resolve(host, std::to_string(port), flags, tuple);
        if (ec == asio::error::host_not_found || ec == asio::error::no_data) {
            // address_configured hides loopback names where only the loopback interface is up.
            std::tie(ec, found) = co_await resolver.async_resolve(host, std::to_string(port),
                                                                  asio::ip::resolver_base::numeric_service, tuple);
        }
        attempt->resolver = nullptr;
        attempt->timer.cancel();
        if (ec) {
            result.error =
                ec == asio::error::operation_aborted ? make_error_code(errc::timed_out) : std::error_code(ec);
            result.message = name + ": cannot resolve the name: " + result.error.message();
            co_return result;
        }
        for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
    }
    for (const auto& endpoint : endpoints) {
        Socket socket(executor);
        result.error = co_await connect(socket, endpoint, deadline);
        if (!result.error) {
            boost::system::error_code ignored;
            result.transport = std::make_unique<Transport>(executor, socket.release(ignored));
            co_return result;
        }
        result.message = name + ": " + result.error.message();
        if (result.error == errc::timed_out) break;
    }
    co_return result;
}

}  // namespace leasehold::wire
