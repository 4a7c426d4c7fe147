// SPDX-License-Identifier: Apache-2.0
#include "daemon/pipe.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;

}  // namespace

Pipe::Pipe(wire::Transport& client, wire::Inbox from_client, dialects::Backend& server, wire::Seam& seam,
           std::span<std::uint8_t> buffer, const metrics::Traffic* traffic)
    : client_(client), server_(server.transport()), from_client_(std::move(from_client)),
      from_server_(std::move(server.inbox())), seam_(seam), buffer_(buffer), traffic_(traffic) {
    server.inbox() = {};
}

Pipe::~Pipe() {
    for (wire::Transport* side : {&client_, &server_}) {
        side->on_readable({});
        side->on_writable({});
    }
}

wire::awaitable<Pipe::End> Pipe::run() {
    to_client(from_server_.bytes());
    if (!end_) to_server(from_client_.bytes());
    from_server_.release();
    from_client_.release();
    if (!end_) {
        co_await asio::async_initiate<const asio::use_awaitable_t<wire::Executor>, void()>(
            [this](auto handler) { resume_ = [handler = std::move(handler)]() mutable { std::move(handler)(); }; },
            asio::use_awaitable_t<wire::Executor>{});
    }
    co_return *end_;
}

// The coroutine is resumed from the loop, so that callers may return through their own frames.
void Pipe::finish(End end) {
    if (end_) return;
    end_ = end;
    for (wire::Transport* side : {&client_, &server_}) {
        side->on_readable({});
        side->on_writable({});
    }
    if (resume_) asio::post(client_.executor(), [resume = std::move(resume_)]() mutable { resume(); });
}

void Pipe::stop() {
    stopping_ = true;
    stop_by_ = wire::Clock::now() + std::chrono::seconds(1);
    if (seam_.between()) finish(End::stopped);
}

void Pipe::tick(wire::Clock::time_point now) {
    if (now >= stop_by_) finish(End::stopped);
}

// --- from the client to the server -------------------------------------------------------------------------------

void Pipe::client_readable() {
    const wire::Transport::Io io = client_.recv(buffer_);
    if (io.error) {
        finish(End::client_gone);
    } else {
        to_server(wire::Bytes(buffer_).first(io.bytes));
    }
}

// A server that takes no more has its last words read from it.
void Pipe::to_server(wire::Bytes bytes) {
    out_.pass(bytes);
    if (traffic_ != nullptr) traffic_->received(bytes.size());
    const bool open = server_.send(out_);
    out_.clear();
    if (!open) return;
    if (server_.unsent() > 0) {
        server_.on_writable([this] { flush_server(); });
    } else {
        client_.on_readable([this] { client_readable(); });
    }
}

void Pipe::flush_server() {
    if (!server_.flush()) return;
    to_server({});
}

// --- from the server to the client -------------------------------------------------------------------------------

void Pipe::server_readable() {
    const wire::Transport::Io io = server_.recv(buffer_);
    if (io.error) {
        server_over_ = true;
        to_client({});
    } else {
        to_client(wire::Bytes(buffer_).first(io.bytes));
    }
}

void Pipe::to_client(wire::Bytes bytes) {
    out_.pass(bytes.first(seam_.pass(bytes, stopping_)));
    if (traffic_ != nullptr) traffic_->sent(out_.size());
    const bool open = client_.send(out_);
    out_.clear();
    if (!open) {
        finish(End::client_gone);
    } else if (stopping_ && seam_.between()) {
        finish(End::stopped);
    } else if (client_.unsent() > 0) {
        client_.on_writable([this] { flush_client(); });
    } else if (server_over_) {
        finish(End::server_gone);
    } else {
        server_.on_readable([this] { server_readable(); });
    }
}

void Pipe::flush_client() {
    if (client_.flush()) {
        to_client({});
    } else {
        finish(End::client_gone);
    }
}

}  // namespace leasehold::daemon
