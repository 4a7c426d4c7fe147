// SPDX-License-Identifier: Apache-2.0
// A client of HTTP/1.1 over a unix socket: one request, one reply, one deadline. It blocks; nothing else runs here.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::cmd {

struct HttpReply {
    int status = 0;
    std::string body;
};

struct HttpRequest {
    std::string method = "GET";
    std::string path;
    std::string body;
};

struct Exchange {
    // In the order in which things go wrong.
    enum class Failure : unsigned char { none, connect, timed_out, cut_off, no_http, interrupted };
    Failure failure = Failure::none;
    int error = 0;  // errno, with `connect`
    HttpReply reply;
    std::optional<unsigned> peer;  // the user id that serves the socket
};

// Without a deadline it waits for as long as the daemon does. A signal that is handled interrupts it.
[[nodiscard]] Exchange exchange(const std::string& socket, const HttpRequest& request,
                                std::optional<std::chrono::milliseconds> deadline);

// What has been read so far. `complete`: the reply is whole; `wrong`: it never will be. `closed`: nothing more comes.
struct ParsedReply {
    bool complete = false;
    bool wrong = false;
    HttpReply reply;
};
[[nodiscard]] ParsedReply parse_reply(std::string_view text, bool closed);

}  // namespace leasehold::cmd
