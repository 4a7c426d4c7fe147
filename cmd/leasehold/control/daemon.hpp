// SPDX-License-Identifier: Apache-2.0
// The daemon as its commands see it: asked by its control socket, and what is to be said when it cannot be.
#pragma once

#include "cmd/leasehold/control/answer.hpp"
#include "cmd/leasehold/control/http.hpp"
#include "cmd/leasehold/control/socket.hpp"

namespace leasehold::cmd {

struct Said {
    int code = 0;           // an exit code; 0: the answer is one, and no refusal
    std::string complaint;  // for stderr, with another code; ends with a line's end
    Answer answer;
    bool interrupted = false;
};

class Daemon {
  public:
    explicit Daemon(const Whereabouts& where) : socket_(find_socket(where)) {}

    // A console command. Without a deadline it waits for as long as the daemon does.
    [[nodiscard]] Said ask(const std::string& command, std::optional<std::chrono::milliseconds> deadline) const;
    // The body of a path, "/readyz"; none when there is no such thing.
    [[nodiscard]] std::optional<HttpReply> get(const std::string& path, std::chrono::milliseconds deadline) const;
    [[nodiscard]] const SocketPath& socket() const noexcept { return socket_; }

  private:
    [[nodiscard]] Said failed(const Exchange& exchange, std::optional<std::chrono::milliseconds> deadline) const;

    SocketPath socket_;
};

// A name in quotation marks, as the console reads it.
[[nodiscard]] std::string console_word(std::string_view name);

}  // namespace leasehold::cmd
