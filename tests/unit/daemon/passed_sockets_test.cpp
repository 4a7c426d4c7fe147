// SPDX-License-Identifier: Apache-2.0
#include "daemon/passed_sockets.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace leasehold;
using namespace leasehold::daemon;

namespace {

config::Listen at(const std::string& host, std::uint16_t port) {
    config::Listen listen;
    listen.dialect = "postgresql";
    listen.host = host;
    listen.port = port;
    return listen;
}

// A listening socket on a port of the system's choice.
notify::Passed passed_on_loopback() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(descriptor, 5), 0);
    EXPECT_EQ(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length), 0);
    return {descriptor, "127.0.0.1:" + std::to_string(ntohs(address.sin_port)), {}};
}

std::uint16_t port_of(const notify::Passed& passed) {
    return static_cast<std::uint16_t>(std::stoi(passed.address.substr(passed.address.rfind(':') + 1)));
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) != -1; }

TEST(PassedSockets, AnAddressIsComparedAsTheSystemHasIt) {
    EXPECT_EQ(bound_address(at("127.0.0.1", 6432)), "127.0.0.1:6432");
    EXPECT_EQ(bound_address(at("localhost", 6432)), "127.0.0.1:6432");
    EXPECT_EQ(bound_address(at("*", 6432)), "[::]:6432");
    EXPECT_EQ(bound_address(at("0:0:0:0:0:0:0:1", 6432)), "[::1]:6432");
    EXPECT_EQ(bound_address(at("/run/leasehold/.s.PGSQL.6432", 0)), "unix:/run/leasehold/.s.PGSQL.6432");
}

TEST(PassedSockets, AListenerUsesTheSocketOfItsAddress) {
    const notify::Passed passed = passed_on_loopback();
    const config::Listen listen = at("localhost", port_of(passed));
    const PassedSockets sockets({passed}, {listen});
    EXPECT_EQ(sockets.size(), 1u);
    const Opened opened = sockets.open(listen);
    EXPECT_TRUE(opened.error.empty() && sockets.has(listen)) << opened.error;
    EXPECT_TRUE(::fcntl(opened.descriptor, F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(::fcntl(opened.descriptor, F_GETFL) & O_NONBLOCK);
    ::close(opened.descriptor);
    const Opened again = sockets.open(listen);  // after a reload that took the listener away
    EXPECT_TRUE(again.error.empty()) << again.error;
    ::close(again.descriptor);
}

TEST(PassedSockets, AListenerThatIsNotAmongThemIsOpenedAsUsual) {
    const PassedSockets sockets({}, {});
    const notify::Passed taken = passed_on_loopback();
    const Opened opened = sockets.open(at("127.0.0.1", port_of(taken)));
    EXPECT_NE(opened.error.find("another program uses this address"), std::string::npos) << opened.error;
    ::close(taken.descriptor);
}

TEST(PassedSockets, WhatNobodyNamesIsClosed) {
    const notify::Passed passed = passed_on_loopback();
    notify::Passed unusable = passed_on_loopback();
    unusable.problem = "it is no stream socket that listens";
    const PassedSockets sockets({passed, unusable}, {at("127.0.0.1", 1), at("127.0.0.1", port_of(unusable))});
    EXPECT_EQ(sockets.size(), 0u);
    EXPECT_FALSE(is_open(passed.descriptor) || is_open(unusable.descriptor));
}

}  // namespace
