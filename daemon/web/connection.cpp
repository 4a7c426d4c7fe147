// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/connection.hpp"

#include "daemon/logging.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <array>

namespace leasehold::daemon::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Failure = boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto linger = std::chrono::seconds(2);
constexpr std::size_t most_lingered = 4 * 1024 * 1024;

Response plain(unsigned status, std::string text) {
    return {status, "text/plain; charset=utf-8", std::move(text) + '\n'};
}

// What to say of a request that cannot be read; none when the client has just gone.
std::optional<Response> complaint(const Failure& ec) {
    if (ec == http::error::end_of_stream || ec == http::error::partial_message) return std::nullopt;
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
        return plain(431, "the request's header is too large");
    }
    if (ec == http::error::body_limit) return plain(413, "the request's body is too large");
    if (ec.category() == http::make_error_code(http::error::bad_method).category()) {
        return plain(400, "not a request: " + ec.message());
    }
    return std::nullopt;
}

// "/metrics?x=1" and "http://host/metrics" are "/metrics".
std::string path_of(std::string_view target) {
    if (target.starts_with("http://")) {
        const std::size_t slash = target.find('/', 7);
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    return std::string(target.substr(0, target.find_first_of("?#")));
}

std::optional<std::uint32_t> peer_uid(int descriptor) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return std::nullopt;
    return peer.uid;
}

}  // namespace

// A ring of steps: wait for a request, read its header, its body, have it answered, write, and again. One deadline at a
// time. Whoever holds it from another thread holds it weakly.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(std::shared_ptr<Http::State> state, int descriptor, Http::Door door, bool control)
        : state_(std::move(state)),
          // Which protocol it really is matters to nobody here.
          socket_(state_->loop, asio::generic::stream_protocol(control ? AF_UNIX : AF_INET, 0), descriptor),
          timer_(state_->loop), door_(door), control_(control), uid_(control ? peer_uid(descriptor) : std::nullopt),
          buffer_(state_->limits.header_bytes + state_->limits.body_bytes) {}

    void begin() {
        state_->connections.insert(shared_from_this());
        arm(state_->limits.request);
        wait();
    }

    void end() {
        if (!socket_.is_open()) return;
        Failure ignored;
        socket_.close(ignored);
        timer_.cancel();
        ++exchange_;
        state_->connections.erase(shared_from_this());
    }

    [[nodiscard]] Http::Door door() const noexcept { return door_; }
    [[nodiscard]] std::optional<Clock::time_point> waits_since() const noexcept {
        return step_ == Step::reading || step_ == Step::lingering ? std::optional(since_) : std::nullopt;
    }

  private:
    enum class Step : std::uint8_t { reading, answering, writing, lingering };

    // Without a limit when none is given.
    void arm(std::optional<std::chrono::milliseconds> limit) {
        if (!limit) {
            timer_.expires_at(Clock::time_point::max());
            return;
        }
        timer_.expires_after(*limit);
        timer_.async_wait([weak = weak_from_this()](const Failure& ec) {
            const auto self = weak.lock();
            if (!ec && self && self->timer_.expiry() <= Clock::now()) self->expired();
        });
    }

    void expired() {
        if (step_ != Step::answering) return end();
        answer(exchange_, plain(503, "no answer in time: try again, and see leasehold's log"));
    }

    void enter(Step step) {
        step_ = step;
        since_ = Clock::now();
    }

    // Between two requests nothing but the socket is held.
    void wait() {
        enter(Step::reading);
        if (buffer_.size() > 0) return read_header();
        buffer_.shrink_to_fit();
        socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const Failure& ec) {
            if (ec) return self->end();
            self->read_header();
        });
    }

    void read_header() {
        if (!socket_.is_open()) return;
        ++exchange_;
        arm(state_->limits.request);
        parser_.emplace();
        parser_->header_limit(state_->limits.header_bytes);
        parser_->body_limit(state_->limits.body_bytes);
        http::async_read_header(socket_, buffer_, *parser_,
                                [self = shared_from_this()](const Failure& ec, std::size_t) { self->header_read(ec); });
    }

    void header_read(const Failure& ec) {
        if (!socket_.is_open()) return;
        if (ec) return failed(ec);
        const auto& header = parser_->get();
        head_ = header.method() == http::verb::head;
        keep_ = header.keep_alive();
        // RFC 9112, 3.2: without exactly one Host it is no request; on a control socket it would say nothing.
        if (!control_ && header.version() >= 11 && header.count(http::field::host) != 1) {
            return refuse(plain(400, "not a request: no Host"));
        }
        route_ = state_->find(path_of({header.target().data(), header.target().size()}), control_);
        if (route_ == nullptr) return refuse(plain(404, "there is nothing here; / tells what there is"));
        const bool reads = header.method() == http::verb::get || head_;
        if (route_->method == Method::get ? !reads : header.method() != http::verb::post) {
            return refuse(plain(405, "this path does not know this method"));
        }
        if (!beast::iequals(header[http::field::expect], "100-continue")) return read_body();
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(socket_, asio::buffer(go_on),
                          [self = shared_from_this()](const Failure& failure, std::size_t) {
                              if (failure) return self->end();
                              self->read_body();
                          });
    }

    void read_body() {
        if (!socket_.is_open()) return;
        http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](const Failure& ec, std::size_t) {
            if (!self->socket_.is_open()) return;
            if (ec) return self->failed(ec);
            self->dispatch();
        });
    }

    void failed(const Failure& ec) {
        auto said = complaint(ec);
        if (!said) return end();
        head_ = false;
        refuse(std::move(*said));
    }

    // Unless all of the request has been read, what follows on this connection cannot be told from its rest.
    void refuse(Response response) {
        keep_ = keep_ && parser_->is_done() && response.status != 400;
        write(std::move(response));
    }

    void dispatch() {
        enter(Step::answering);
        const std::uint64_t exchange = exchange_;
        if (route_->unlimited) {
            arm(std::nullopt);
            watch(exchange);
        } else {
            arm(state_->limits.answer);
        }
        Respond respond = [weak = weak_from_this(), loop = state_->loop, exchange](Response response) {
            asio::post(loop, [weak, exchange, response = std::move(response)]() mutable {
                if (const auto self = weak.lock()) self->answer(exchange, std::move(response));
            });
        };
        try {
            route_->serve({route_->path, std::move(parser_->get().body()), uid_}, std::move(respond));
        } catch (const std::exception& problem) {
            log_error("http_failed", {{"path", route_->path}, {"reason", problem.what()}});
            answer(exchange, plain(500, "this failed inside leasehold; its log says why"));
        }
    }

    // A client that goes away during a long command gives its place back; one that merely says no more does not.
    void watch(std::uint64_t exchange) {
        socket_.async_wait(Socket::wait_read, [self = shared_from_this(), exchange](const Failure& ec) {
            if (ec || self->exchange_ != exchange || self->step_ != Step::answering) return;
            pollfd state{self->socket_.native_handle(), POLLIN, 0};
            if (::poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0) self->end();
        });
    }

    void answer(std::uint64_t exchange, Response response) {
        if (exchange != exchange_ || step_ != Step::answering) return;
        write(std::move(response));
    }

    void write(Response response) {
        enter(Step::writing);
        arm(state_->limits.write);
        const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
        header_ = "HTTP/1.1 " + std::to_string(response.status) + ' ' + std::string(reason.data(), reason.size()) +
                  "\r\nServer: leasehold\r\nContent-Type: " + response.type +
                  "\r\nContent-Length: " + std::to_string(response.body.size()) +
                  "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
                  "\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'";
        if (response.status == 405) {
            header_ += route_->method == Method::get ? "\r\nAllow: GET, HEAD" : "\r\nAllow: POST";
        }
        header_ += keep_ ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
        body_ = head_ ? std::string() : std::move(response.body);
        const std::array parts{asio::buffer(header_), asio::buffer(body_)};
        asio::async_write(socket_, parts, [self = shared_from_this()](const Failure& ec, std::size_t) {
            if (ec) return self->end();
            self->written();
        });
    }

    void written() {
        if (!socket_.is_open()) return;
        header_ = body_ = {};
        parser_.reset();
        if (!keep_) return hang_up();
        arm(state_->limits.idle);
        wait();
    }

    // Closing with something unread would destroy what was just written: the client is heard out, for a moment.
    void hang_up() {
        enter(Step::lingering);
        Failure ignored;
        socket_.shutdown(Socket::shutdown_send, ignored);
        arm(linger);
        discard();
    }

    void discard() {
        buffer_.clear();
        const auto room = buffer_.prepare(8192);
        socket_.async_read_some(room, [self = shared_from_this()](const Failure& ec, std::size_t bytes) {
            self->lingered_ += bytes;
            if (ec || self->lingered_ > most_lingered) return self->end();
            self->discard();
        });
    }

    using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, wire::Executor>;
    const std::shared_ptr<Http::State> state_;
    Socket socket_;
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, wire::Executor> timer_;
    const Http::Door door_;
    const bool control_;
    const std::optional<std::uint32_t> uid_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    Step step_ = Step::reading;
    Clock::time_point since_ = Clock::now();
    std::uint64_t exchange_ = 0;    // which request is under way: a late answer to another one is dropped
    const Route* route_ = nullptr;  // of this request; the routes outlive the connection
    bool head_ = false;
    bool keep_ = false;
    std::string header_, body_;  // while they are written
    std::size_t lingered_ = 0;
};

void serve(const std::shared_ptr<Http::State>& state, int descriptor, Http::Door door, bool control) {
    std::make_shared<Connection>(state, descriptor, door, control)->begin();
}

void end(Connection& connection) { connection.end(); }

Http::Door door_of(const Connection& connection) noexcept { return connection.door(); }

std::optional<Clock::time_point> waits_since(const Connection& connection) noexcept { return connection.waits_since(); }

}  // namespace leasehold::daemon::web
