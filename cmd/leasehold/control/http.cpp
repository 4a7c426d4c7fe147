// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/http.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace leasehold::cmd {
namespace {

using Clock = std::chrono::steady_clock;
using Failure = Exchange::Failure;

constexpr std::size_t longest_head = 64 * 1024;
constexpr std::size_t longest_reply = 512 * 1024 * 1024;

class Descriptor {
  public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return value_; }

  private:
    int value_;
};

bool same_word(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> header(std::string_view head, std::string_view name) {
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(head.size(), line.size() + 2));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !same_word(line.substr(0, colon), name)) continue;
        std::string_view value = line.substr(colon + 1);
        while (value.starts_with(' ')) value.remove_prefix(1);
        while (value.ends_with(' ')) value.remove_suffix(1);
        return value;
    }
    return std::nullopt;
}

std::optional<std::size_t> number(std::string_view text, int base) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

// The status of "HTTP/1.1 200 OK"; 0 when it is none.
int status_of(std::string_view head) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ') return 0;
    const auto status = number(line.substr(9, 3), 10);
    return status && *status >= 100 && *status < 600 ? static_cast<int>(*status) : 0;
}

void parse_chunks(std::string_view text, ParsedReply& out) {
    for (;;) {
        const std::size_t end = text.find("\r\n");
        if (end == std::string_view::npos) {
            out.wrong = text.size() > 1024;
            return;
        }
        const auto size = number(text.substr(0, std::min(end, text.find(';'))), 16);
        out.wrong = !size || *size > longest_reply;
        if (out.wrong) return;
        text.remove_prefix(end + 2);
        if (text.size() < *size + 2) return;
        out.reply.body += text.substr(0, *size);
        text.remove_prefix(*size);
        out.wrong = !text.starts_with("\r\n");
        out.complete = !out.wrong && *size == 0;  // trailers are not sent by anybody we ask
        if (out.wrong || out.complete) return;
        text.remove_prefix(2);
    }
}

int connect_to(const std::string& path, int descriptor) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (descriptor < 0) return errno;
    return ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

// Waits until the descriptor is ready; what went wrong otherwise.
Failure wait(int descriptor, short events, std::optional<Clock::time_point> until) {
    pollfd polled{descriptor, events, 0};
    int patience = -1;
    if (until) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
        if (left <= 0) return Failure::timed_out;
        patience = static_cast<int>(std::min<std::int64_t>(left, 24 * 3600 * 1000));
    }
    const int ready = ::poll(&polled, 1, patience);
    if (ready < 0) return errno == EINTR ? Failure::interrupted : Failure::cut_off;
    return ready == 0 && until && Clock::now() >= *until ? Failure::timed_out : Failure::none;
}

Failure send_all(int descriptor, std::string_view text, std::optional<Clock::time_point> until) {
    while (!text.empty()) {
        const ssize_t sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            text.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (const Failure failure = wait(descriptor, POLLOUT, until); failure != Failure::none) return failure;
        } else if (errno != EINTR) {
            return errno == EPIPE || errno == ECONNRESET ? Failure::none : Failure::cut_off;  // it may have answered
        }
    }
    return Failure::none;
}

Failure read_reply(int descriptor, HttpReply& reply, std::optional<Clock::time_point> until) {
    std::string text;
    std::string block(64 * 1024, '\0');
    for (;;) {
        if (const Failure failure = wait(descriptor, POLLIN, until); failure != Failure::none) return failure;
        const ssize_t got = ::recv(descriptor, block.data(), block.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) continue;
        if (got > 0) text.append(block, 0, static_cast<std::size_t>(got));
        ParsedReply parsed = parse_reply(text, got <= 0);
        if (parsed.wrong || text.size() > longest_reply) return Failure::no_http;
        if (parsed.complete) {
            reply = std::move(parsed.reply);
            return Failure::none;
        }
        if (got <= 0) return Failure::cut_off;
    }
}

}  // namespace

ParsedReply parse_reply(std::string_view text, bool closed) {
    ParsedReply out;
    for (;;) {
        const std::size_t end = text.find("\r\n\r\n");
        if (end == std::string_view::npos) {
            constexpr std::string_view begin = "HTTP/1.";
            out.wrong = text.size() > longest_head || !begin.starts_with(text.substr(0, begin.size()));
            return out;
        }
        const std::string_view head = text.substr(0, end + 2);
        text.remove_prefix(end + 4);
        out.reply.status = status_of(head);
        out.wrong = out.reply.status == 0;
        if (out.wrong) return out;
        if (out.reply.status < 200) continue;  // 100 Continue: the reply follows
        if (const auto coding = header(head, "Transfer-Encoding")) {
            out.wrong = !same_word(*coding, "chunked");
            if (!out.wrong) parse_chunks(text, out);
            return out;
        }
        const auto length = header(head, "Content-Length");
        if (!length) {
            out.complete = closed || out.reply.status == 204;
            out.reply.body = text;
            return out;
        }
        const auto size = number(*length, 10);
        out.wrong = !size || *size > longest_reply;
        out.complete = !out.wrong && text.size() >= *size;
        if (out.complete) out.reply.body = text.substr(0, *size);
        return out;
    }
}

Exchange exchange(const std::string& socket, const HttpRequest& request,
                  std::optional<std::chrono::milliseconds> deadline) {
    Exchange out;
    std::optional<Clock::time_point> until;
    if (deadline) until = Clock::now() + *deadline;
    const Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // A daemon whose queue is full would hold connect() up for good.
    const timeval patience{deadline ? std::max<time_t>(1, deadline->count() / 1000) : 0, 0};
    ::setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    out.error = connect_to(socket, descriptor.get());
    if (out.error != 0) {
        out.failure = out.error == EAGAIN ? Failure::timed_out : Failure::connect;
        return out;
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(descriptor.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) out.peer = peer.uid;
    const std::string text = request.method + " " + request.path +
                             " HTTP/1.1\r\nHost: leasehold\r\nConnection: close\r\nAccept: application/json\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                             std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
    out.failure = send_all(descriptor.get(), text, until);
    if (out.failure == Failure::none) out.failure = read_reply(descriptor.get(), out.reply, until);
    return out;
}

}  // namespace leasehold::cmd
