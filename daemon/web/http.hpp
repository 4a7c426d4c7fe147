// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 for operators: accepts on the sockets that it is given, reads requests within limits, finds them in a table
// of routes and writes what they answer. What is served is not known here; whose headers are needed for it is known in
// http.cpp and connection.cpp only.
#pragma once

#include "dialects/wire/transport.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace leasehold::daemon::web {

struct Request {
    std::string path;  // without the query
    std::string body;
    std::optional<std::uint32_t> uid;  // the peer's, on a control socket
};

struct Response {
    unsigned status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
};
// Called at most once that counts, on any thread, perhaps before the route returns, and also after the client has gone.
using Respond = std::function<void(Response)>;

enum class Method : std::uint8_t { get, post };

struct Route {
    std::string path;
    Method method = Method::get;
    bool control = false;                         // on control sockets only; elsewhere there is no such path
    bool unlimited = false;                       // the answer may take as long as it likes
    std::function<void(Request, Respond)> serve;  // on the loop's thread; must not block
};

struct Limits {
    std::size_t connections = 48;  // of one listening socket
    std::uint32_t header_bytes = 16 * 1024;
    std::uint64_t body_bytes = 16 * 1024;
    std::chrono::milliseconds request{10'000};  // from its first byte, or from the connection, to its last byte
    std::chrono::milliseconds idle{75'000};     // between two requests of a connection
    std::chrono::milliseconds answer{10'000};   // until the route has answered
    std::chrono::milliseconds write{15'000};    // until the client has read it
};

// One thread's: the loop's. Only Respond may be called elsewhere.
class Http {
  public:
    Http(wire::Executor loop, Limits limits);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    void add(Route route);  // before the first listen()

    using Door = std::uint64_t;
    // Takes a listening socket over and serves its clients.
    [[nodiscard]] Door listen(int descriptor, bool control);
    // No new client there; those that are connected go on.
    void close(Door door);
    [[nodiscard]] std::size_t connections() const;

    struct State;

  private:
    std::shared_ptr<State> state_;
};

}  // namespace leasehold::daemon::web
