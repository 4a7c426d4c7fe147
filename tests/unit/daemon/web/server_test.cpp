// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/server.hpp"

#include "daemon/admin/records.hpp"

#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>

namespace leasehold::daemon::web {
namespace {

// A port that is free on every address of the machine, at least now.
std::uint16_t free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(probe, reinterpret_cast<const sockaddr*>(&address), length), 0);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
    ::close(probe);
    return ntohs(address.sin_port);
}

bool accepts(const char* host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, host, &address.sin_addr);
    address.sin_port = htons(port);
    const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return connected;
}

bool accepts(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int probe = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const bool connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return connected;
}

class WebServer : public testing::Test {
  protected:
    WebServer() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
    ~WebServer() override {
        server.reset();
        (void)::rmdir(folder.c_str());
    }
    static config::Config with(const std::string& host, std::uint16_t http_port, const std::string& socket = "off") {
        config::Config config;
        config.admin.http_host = host;
        config.admin.http_port = http_port;
        config.admin.http_named = true;
        config.admin.socket = socket;
        return config;
    }
    std::string path(const std::string& name) const { return folder + "/" + name; }

    std::string folder = "/tmp/leasehold-web-XXXXXX";
    boost::asio::io_context loop;
    metrics::Registry registry{1};
    Shared shared{registry};
    admin::Tables tables;
    admin::Console console{tables};
    admin::QuarantineRecords records;
    std::unique_ptr<Server> server =
        std::make_unique<Server>(loop.get_executor(), Server::Sources{shared, console, registry, records});
    const std::uint16_t port = free_port();
};

TEST_F(WebServer, ServesNothingNewBeforeTheCommitAndNothingOldAfterIt) {
    server->commit(server->prepare(with("127.0.0.1", port, path("one"))));
    EXPECT_TRUE(accepts("127.0.0.1", port));
    EXPECT_TRUE(accepts(path("one")));
    const std::uint16_t other = free_port();
    Prepared next = server->prepare(with("127.0.0.1", other, path("two")));
    EXPECT_TRUE(next.errors.empty());
    EXPECT_TRUE(accepts("127.0.0.1", port));
    EXPECT_TRUE(accepts(path("one")));
    server->commit(std::move(next));
    EXPECT_FALSE(accepts("127.0.0.1", port));
    EXPECT_TRUE(accepts("127.0.0.1", other));
    EXPECT_FALSE(accepts(path("one")));
    EXPECT_TRUE(accepts(path("two")));
    server.reset();
    EXPECT_FALSE(accepts("127.0.0.1", other));
    EXPECT_NE(::access(path("two").c_str(), F_OK), 0) << "the socket's file goes with the daemon";
}

TEST_F(WebServer, KeepsWhatDidNotChange) {
    server->commit(server->prepare(with("127.0.0.1", port, path("one"))));
    Prepared same = server->prepare(with("127.0.0.1", port, path("one")));
    EXPECT_TRUE(same.errors.empty());
    server->commit(std::move(same));
    EXPECT_TRUE(accepts("127.0.0.1", port));
    EXPECT_TRUE(accepts(path("one")));
    server->commit(server->prepare(with("", 0)));
    EXPECT_FALSE(accepts("127.0.0.1", port));
    EXPECT_FALSE(accepts(path("one")));
}

TEST_F(WebServer, MovesFromOneAddressToAllOfThem) {
    server->commit(server->prepare(with("127.0.0.1", port)));
    ASSERT_FALSE(accepts("127.0.0.2", port));
    {
        const Prepared dropped = server->prepare(with("0.0.0.0", port));
        EXPECT_TRUE(dropped.errors.empty()) << dropped.errors.front();
    }
    EXPECT_TRUE(accepts("127.0.0.1", port)) << "a reload that fails leaves what was there";
    EXPECT_FALSE(accepts("127.0.0.2", port));
    server->commit(server->prepare(with("0.0.0.0", port)));
    EXPECT_TRUE(accepts("127.0.0.2", port));
    server->commit(server->prepare(with("127.0.0.1", port)));
    EXPECT_TRUE(accepts("127.0.0.1", port));
    EXPECT_FALSE(accepts("127.0.0.2", port));
}

TEST_F(WebServer, KeepsWhatItHasWhenTheNewAddressCannotBeHad) {
    server->commit(server->prepare(with("127.0.0.1", port, path("one"))));
    for (const auto& [host, new_port] : {std::pair("192.0.2.1", port), std::pair("192.0.2.1", free_port())}) {
        const Prepared failed = server->prepare(with(host, new_port, path("nowhere") + "/two"));
        EXPECT_EQ(failed.errors.size(), 2u);
    }
    EXPECT_TRUE(accepts("127.0.0.1", port));
    EXPECT_TRUE(accepts(path("one")));
}

TEST_F(WebServer, GoesOnWithoutWhatNobodyAskedFor) {
    server->commit(server->prepare(with("127.0.0.1", port)));
    Server second(loop.get_executor(), {shared, console, registry, records});
    config::Config config = with("127.0.0.1", port);
    EXPECT_EQ(second.prepare(config).errors.size(), 1u);
    config.admin.http_named = false;
    const Prepared prepared = second.prepare(config);
    EXPECT_TRUE(prepared.errors.empty());
    ASSERT_EQ(prepared.warnings.size(), 1u);
    EXPECT_NE(prepared.warnings.front().find("there are no metrics and no status page"), std::string::npos);
}

TEST(ControlPath, IsInTheServicesRuntimeDirectory) {
    config::Admin admin;
    ::setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
    EXPECT_EQ(control_path(admin), "/run/one/control.sock");
    admin.socket = "/elsewhere/c.sock";
    EXPECT_EQ(control_path(admin), "/elsewhere/c.sock");
    admin.socket = "off";
    EXPECT_EQ(control_path(admin), "");
    ::unsetenv("RUNTIME_DIRECTORY");
}

}  // namespace
}  // namespace leasehold::daemon::web
