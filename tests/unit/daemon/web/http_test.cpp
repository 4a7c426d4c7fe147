// SPDX-License-Identifier: Apache-2.0
// Real sockets against a server of its own, with limits so short that a test can wait for them.
#include "daemon/web/http.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstring>
#include <future>
#include <thread>

namespace leasehold::daemon::web {
namespace {

using namespace std::chrono_literals;

// A client that waits for at most some seconds.
class Client {
  public:
    explicit Client(std::uint16_t port, int receive_buffer = 0) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        const timeval patience{10, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (receive_buffer > 0) {
            ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    Client& send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) break;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return *this;
    }
    // Up to the server's end of the connection.
    std::string rest() {
        std::string all;
        char buffer[4096];
        for (ssize_t got = 0; (got = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;) {
            all.append(buffer, static_cast<std::size_t>(got));
        }
        return all;
    }
    // Until `end` has come.
    std::string until(std::string_view end) {
        std::string all;
        char c = 0;
        while (!all.ends_with(end) && ::recv(socket_, &c, 1, 0) == 1) all += c;
        return all;
    }
    void hang_up() { ::shutdown(socket_, SHUT_WR); }
    [[nodiscard]] bool connected() const { return connected_; }

  private:
    int socket_;
    bool connected_ = false;
};

class HttpTest : public testing::Test {
  protected:
    static Limits short_limits() {
        Limits limits;
        limits.connections = 8;
        limits.request = limits.idle = limits.answer = limits.write = 300ms;
        return limits;
    }

    HttpTest() {
        http_->add({"/", Method::get, false, false, [](const Request& request, const Respond& respond) {
                        respond({200, "text/plain", "path " + request.path});
                    }});
        http_->add({"/echo", Method::post, false, false, [](const Request& request, const Respond& respond) {
                        respond({200, "text/plain", request.body});
                    }});
        http_->add({"/secret", Method::get, true, false, [](const Request&, const Respond& respond) {
                        respond({200, "text/plain", "secret"});
                    }});
        http_->add({"/never", Method::get, false, false, [this](const Request&, Respond respond) {
                        const std::lock_guard lock(mutex_);
                        kept_.push_back(std::move(respond));
                    }});
        http_->add({"/twice", Method::get, false, false, [](const Request&, const Respond& respond) {
                        respond({200, "text/plain", "first"});
                        respond({200, "text/plain", "second"});
                    }});
        http_->add({"/throws", Method::get, false, false,
                    [](const Request&, const Respond&) { throw std::runtime_error("on purpose"); }});
        http_->add({"/large", Method::get, false, false, [](const Request&, const Respond& respond) {
                        respond({200, "text/plain", std::string(16 * 1024 * 1024, 'x')});
                    }});
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(listening, reinterpret_cast<const sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(listening, 300), 0);
        ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &length);
        port_ = ntohs(address.sin_port);
        door_ = http_->listen(listening, false);
        thread_ = std::thread([this] { io_.run(); });
    }

    ~HttpTest() override {
        io_.stop();
        thread_.join();
        http_.reset();
        kept_.clear();
    }

    std::string ask(std::string_view request) { return Client(port_).send(request).rest(); }
    std::size_t connections() {
        std::promise<std::size_t> result;
        boost::asio::post(io_, [&] { result.set_value(http_->connections()); });
        return result.get_future().get();
    }

    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
    std::unique_ptr<Http> http_ = std::make_unique<Http>(io_.get_executor(), short_limits());
    Http::Door door_ = 0;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::vector<Respond> kept_;
    std::thread thread_;
};

std::string request(const std::string& line, const std::string& more = "Connection: close\r\n") {
    return line + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

bool is(const std::string& response, const std::string& status) { return response.starts_with("HTTP/1.1 " + status); }

TEST_F(HttpTest, AnswersByPathWithoutTheQuery) {
    const std::string response = ask(request("GET /?debug=1"));
    EXPECT_TRUE(is(response, "200 OK")) << response;
    EXPECT_TRUE(response.ends_with("\r\n\r\npath /")) << response;
    EXPECT_TRUE(ask(request("GET http://elsewhere/")).ends_with("path /"));
}

TEST_F(HttpTest, AnswersHeadWithTheLengthAlone) {
    const std::string response = ask(request("HEAD /"));
    EXPECT_NE(response.find("Content-Length: 6\r\n"), std::string::npos) << response;
    EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
}

TEST_F(HttpTest, TellsUnknownPathsFromUnknownMethods) {
    EXPECT_TRUE(is(ask(request("GET /nothing")), "404"));
    const std::string refused = ask(request("DELETE /"));
    EXPECT_TRUE(is(refused, "405")) << refused;
    EXPECT_NE(refused.find("Allow: GET, HEAD\r\n"), std::string::npos) << refused;
    EXPECT_NE(ask(request("GET /echo")).find("Allow: POST\r\n"), std::string::npos);
}

TEST_F(HttpTest, HidesWhatIsForTheControlSocket) { EXPECT_TRUE(is(ask(request("GET /secret")), "404")); }

TEST_F(HttpTest, TakesABodyOfAnyFraming) {
    EXPECT_TRUE(
        ask(request("POST /echo", "Content-Length: 5\r\nConnection: close\r\n") + "hello").ends_with("\r\n\r\nhello"));
    EXPECT_TRUE(
        ask(request("POST /echo", "Transfer-Encoding: chunked\r\nConnection: close\r\n") + "5\r\nhello\r\n0\r\n\r\n")
            .ends_with("\r\n\r\nhello"));
    Client patient(port_);
    patient.send(request("POST /echo", "Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n"));
    EXPECT_EQ(patient.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_TRUE(patient.send("hi").rest().ends_with("\r\n\r\nhi"));
}

TEST_F(HttpTest, AnswersPipelinedRequestsInTheirOrder) {
    const std::string both =
        ask(request("GET /?1", "") + request("POST /echo", "Content-Length: 3\r\n") + "two" + request("GET /nothing"));
    const std::size_t first = both.find("path /"), second = both.find("two"), third = both.find("404");
    EXPECT_LT(first, second) << both;
    EXPECT_LT(second, third) << both;
    EXPECT_NE(third, std::string::npos) << both;
}

TEST_F(HttpTest, RefusesWhatIsNoRequest) {
    EXPECT_TRUE(is(ask("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n"), "400"));
    EXPECT_TRUE(is(ask(std::string(100, '\0') + "\r\n\r\n"), "400"));
    EXPECT_TRUE(is(ask("GET\r\n\r\n"), "400"));
    EXPECT_TRUE(is(ask("GET / HTTP/9.9\r\nHost: x\r\n\r\n"), "400"));
    EXPECT_TRUE(is(ask("GET / HTTP/1.1\r\n\r\n"), "400 Bad Request")) << "without a Host";
    EXPECT_TRUE(is(ask(request("POST /echo", "Content-Length: many\r\n")), "400"));
    EXPECT_TRUE(is(ask(request("POST /echo", "Transfer-Encoding: chunked\r\n") + "zz\r\n"), "400"));
}

TEST_F(HttpTest, RefusesWhatIsTooLarge) {
    EXPECT_TRUE(is(ask("GET / HTTP/1.1\r\nX: " + std::string(1024 * 1024, 'x')), "431"));
    EXPECT_TRUE(is(ask("GET /" + std::string(1024 * 1024, 'x')), "431"));
    EXPECT_TRUE(is(ask(request("POST /echo", "Content-Length: 16385\r\n") + std::string(16385, 'x')), "413"));
    EXPECT_TRUE(
        is(ask(request("POST /echo", "Transfer-Encoding: chunked\r\n") + "ffffff\r\n" + std::string(100'000, 'x')),
           "413"));
    EXPECT_TRUE(is(
        ask(request("POST /echo", "Content-Length: 16384\r\nConnection: close\r\n") + std::string(16384, 'x')), "200"));
}

TEST_F(HttpTest, EndsAConnectionThatDoesNotFinishItsRequest) {
    EXPECT_EQ(Client(port_).rest(), "");
    EXPECT_EQ(ask("GET / HTTP/1.1\r\nHo"), "");
    EXPECT_EQ(ask(request("POST /echo", "Content-Length: 10\r\n") + "half"), "");
    EXPECT_TRUE(ask(request("GET /", "")).ends_with("path /")) << "and one that asks nothing more";
    EXPECT_EQ(connections(), 0u);
}

TEST_F(HttpTest, SaysSoWhenNobodyAnswersInTime) {
    EXPECT_TRUE(is(ask(request("GET /never")), "503"));
    const std::lock_guard lock(mutex_);
    kept_.front()({200, "text/plain", "too late, and harmless"});
}

TEST_F(HttpTest, DropsALateAnswerInsteadOfGivingItToTheNextRequest) {
    Client client(port_);
    EXPECT_TRUE(is(client.send(request("GET /never", "")).until("\n\r\n"), "503"));
    client.until("\n");
    {
        const std::lock_guard lock(mutex_);
        kept_.front()({200, "text/plain", "late"});
    }
    EXPECT_TRUE(client.send(request("GET /")).rest().ends_with("path /"));
}

TEST_F(HttpTest, CountsTheFirstAnswerOnly) {
    EXPECT_TRUE(ask(request("GET /twice")).ends_with("first"));
    EXPECT_TRUE(is(ask(request("GET /throws")), "500"));
}

TEST_F(HttpTest, DropsAClientThatStopsReading) {
    Client client(port_, 4096);
    EXPECT_EQ(client.send(request("GET /large")).until("\r\n"), "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100 && connections() > 0; ++i) std::this_thread::sleep_for(50ms);
    EXPECT_EQ(connections(), 0u);
}

TEST_F(HttpTest, LetsSilentClientsGiveWayToOneThatAsks) {
    std::vector<std::unique_ptr<Client>> silent;
    for (int i = 0; i < 40; ++i) silent.push_back(std::make_unique<Client>(port_));
    EXPECT_TRUE(ask(request("GET /")).ends_with("path /"));
    EXPECT_LE(connections(), 8u);
}

TEST_F(HttpTest, TakesNoNewClientsOnceItsSocketIsClosed) {
    Client connected(port_);
    ASSERT_TRUE(connected.send(request("GET /", "")).until("path /").ends_with("path /"));
    std::promise<void> closed;
    boost::asio::post(io_, [&] {
        http_->close(door_);
        closed.set_value();
    });
    closed.get_future().get();
    EXPECT_FALSE(Client(port_).connected());
    EXPECT_TRUE(connected.send(request("GET /")).rest().ends_with("path /"));
}

}  // namespace
}  // namespace leasehold::daemon::web
