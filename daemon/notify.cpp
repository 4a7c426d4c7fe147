// SPDX-License-Identifier: Apache-2.0
#include "daemon/notify.hpp"

#include <systemd/sd-daemon.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <array>
#include <cstdlib>
#include <cstring>

namespace leasehold::daemon::notify {
namespace {

void tell(const std::string& state) { (void)::sd_notify(0, state.c_str()); }

// One line, whatever a pool's name or a server's words may hold.
std::string one_line(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ') c = ' ';
    }
    return text;
}

std::string with_port(const std::string& host, std::uint16_t port) { return host + ":" + std::to_string(port); }

std::string address_of(const sockaddr_storage& address, socklen_t length) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(address);
        (void)::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
        return with_port(text.data(), ntohs(in.sin_port));
    }
    if (address.ss_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
        (void)::inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
        std::string host = text.data();
        std::array<char, IF_NAMESIZE> name{};
        if (in.sin6_scope_id != 0 && ::if_indextoname(in.sin6_scope_id, name.data()) != nullptr)
            host += std::string("%") + name.data();
        return with_port("[" + host + "]", ntohs(in.sin6_port));
    }
    if (address.ss_family == AF_UNIX && length > offsetof(sockaddr_un, sun_path)) {
        const auto& un = reinterpret_cast<const sockaddr_un&>(address);
        const std::size_t size = length - offsetof(sockaddr_un, sun_path);
        if (un.sun_path[0] == '\0') return "unix:@" + std::string(un.sun_path + 1, size - 1);
        return "unix:" + std::string(un.sun_path, ::strnlen(un.sun_path, size));
    }
    return "a socket of family " + std::to_string(address.ss_family);
}

Passed describe(int descriptor) {
    Passed passed;
    passed.descriptor = descriptor;
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        passed.address = "descriptor " + std::to_string(descriptor);
        passed.problem = "it is no socket";
        return passed;
    }
    passed.address = address_of(address, length);
    if (::sd_is_socket(descriptor, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        passed.problem = "it is no stream socket that listens: Accept=no and ListenStream= are needed";
    return passed;
}

}  // namespace

bool watched() { return std::getenv("NOTIFY_SOCKET") != nullptr; }
void ready(const std::string& status) { tell("READY=1\nSTATUS=" + one_line(status)); }
void status(const std::string& line) { tell("STATUS=" + one_line(line)); }
void stopping(const std::string& status) { tell("STOPPING=1\nSTATUS=" + one_line(status)); }
void extend(std::chrono::microseconds more) { tell("EXTEND_TIMEOUT_USEC=" + std::to_string(more.count())); }
void alive() { tell("WATCHDOG=1"); }

void reloading() {
    // Type=notify-reload tells an answer to this reload from one to an earlier one by the time.
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000u + static_cast<std::uint64_t>(now.tv_nsec) / 1'000u;
    tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

std::optional<std::chrono::microseconds> watchdog() {
    std::uint64_t interval = 0;
    if (::sd_watchdog_enabled(0, &interval) <= 0) return std::nullopt;
    return std::chrono::microseconds(interval);
}

std::vector<Passed> take_passed_sockets() {
    const int count = ::sd_listen_fds(1);  // sets FD_CLOEXEC, and clears the environment for whatever we start
    std::vector<Passed> passed;
    for (int i = 0; i < count; ++i) passed.push_back(describe(SD_LISTEN_FDS_START + i));
    return passed;
}

}  // namespace leasehold::daemon::notify
