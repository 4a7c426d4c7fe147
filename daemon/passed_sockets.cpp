// SPDX-License-Identifier: Apache-2.0
#include "daemon/passed_sockets.hpp"

#include "daemon/logging.hpp"

#include <boost/asio/ip/address.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace leasehold::daemon {

std::string bound_address(const config::Listen& listen) {
    if (listen.host.starts_with('/')) return address_of(listen);
    const std::string host = listen.host == "*" ? "::" : listen.host == "localhost" ? "127.0.0.1" : listen.host;
    boost::system::error_code ec;
    const auto address = boost::asio::ip::make_address(host, ec);
    if (ec) return address_of(listen);
    const std::string text = address.to_string();
    return (address.is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(listen.port);
}

PassedSockets::PassedSockets(std::vector<notify::Passed> passed, const std::vector<config::Listen>& listeners) {
    for (notify::Passed& one : passed) {
        const bool named = std::ranges::any_of(
            listeners, [&](const config::Listen& listen) { return bound_address(listen) == one.address; });
        const bool again =
            std::ranges::any_of(passed_, [&](const notify::Passed& other) { return other.address == one.address; });
        std::string problem = one.problem;
        if (problem.empty() && !named) problem = "no listener of the configuration has this address";
        if (problem.empty() && again) problem = "another socket was passed for the same address";
        if (!problem.empty()) {
            log_warn("passed_socket_unused", {{"address", one.address},
                                              {"message", problem},
                                              {"hint", "let leasehold.socket and `listen` name the same addresses"}});
            ::close(one.descriptor);
            continue;
        }
        const int flags = ::fcntl(one.descriptor, F_GETFL);
        (void)::fcntl(one.descriptor, F_SETFL, flags | O_NONBLOCK);
        passed_.push_back(std::move(one));
    }
}

PassedSockets::~PassedSockets() {
    for (const notify::Passed& one : passed_) ::close(one.descriptor);
}

const notify::Passed* PassedSockets::find(const config::Listen& listen) const {
    const std::string address = bound_address(listen);
    const auto found = std::ranges::find(passed_, address, &notify::Passed::address);
    return found == passed_.end() ? nullptr : &*found;
}

bool PassedSockets::has_address(std::string_view address) const noexcept {
    return std::ranges::find(passed_, address, &notify::Passed::address) != passed_.end();
}

Opened PassedSockets::open(const config::Listen& listen) const {
    const notify::Passed* passed = find(listen);
    if (passed == nullptr) return open_listener(listen);
    Opened opened;
    opened.descriptor = ::fcntl(passed->descriptor, F_DUPFD_CLOEXEC, 0);
    if (opened.descriptor < 0)
        opened.error = "cannot use the socket passed for " + passed->address + ": " + std::strerror(errno);
    return opened;
}

}  // namespace leasehold::daemon
