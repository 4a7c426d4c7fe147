// SPDX-License-Identifier: Apache-2.0
// What of a transport outlives it: the socket, its armed waits, and a TLS handshake whose step runs on another thread.
// For transport.cpp and secure.cpp only.
#pragma once

#include "dialects/wire/tls_stream.hpp"
#include "dialects/wire/transport.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::wire {

namespace asio = boost::asio;

// Shared with the armed waits: they may end after the transport itself is gone.
struct Transport::State {
    struct Direction {
        Callback callback;
        bool armed = false;  // a wait is registered with the loop
        bool event = false;  // it ended while nobody was listening
    };
    explicit State(Executor executor) : socket(executor) {}
    Socket socket;
    Direction read, write;
    bool nudged = false;  // a call is posted for data that the socket will not announce

    std::unique_ptr<TlsStream> securing;  // during a handshake
    TlsStream::Step step = TlsStream::Step::wants_bytes;
    Callback stepped;      // what waits for the step on the other thread
    bool lent = false;     // that thread has the descriptor and `securing`: hands off
    bool closing = false;  // close() came meanwhile

    [[nodiscard]] bool is_open() const noexcept { return socket.is_open() && !closing; }
    void close() noexcept {
        if (lent) {
            closing = true;
            return;
        }
        boost::system::error_code ignored;
        socket.close(ignored);  // armed waits end with operation_aborted, and so call back
    }

    // What the loop holds until it calls back. Whoever waits owns the transport, and the transport its state: a loop that
    // is destroyed without having called back has to break that ring, or all of it would stay.
    class Kept {
      public:
        Kept(std::shared_ptr<State> state, Callback State::*callback)
            : state_(std::move(state)), callback_(&((*state_).*callback)) {}
        Kept(std::shared_ptr<State> state, Direction State::*which)
            : state_(std::move(state)), callback_(&((*state_).*which).callback) {}
        Kept(Kept&&) noexcept = default;
        Kept& operator=(Kept&&) = delete;
        ~Kept() {
            if (state_) const Callback dropped = std::move(*callback_);
        }
        [[nodiscard]] std::shared_ptr<State> take() noexcept { return std::move(state_); }

      private:
        std::shared_ptr<State> state_;
        Callback* callback_;
    };

    static void arm(const std::shared_ptr<State>& self, Direction State::*which, Socket::wait_type type) {
        ((*self).*which).armed = true;
        self->socket.async_wait(type, [kept = Kept(self, which), which](const boost::system::error_code&) mutable {
            fire(*kept.take(), which);
        });
    }
    static void fire(State& state, Direction State::*which) {
        Direction& direction = state.*which;
        direction.armed = false;
        if (!direction.callback) {
            direction.event = true;
            return;
        }
        Callback callback = std::move(direction.callback);
        callback();
    }
    static void listen(const std::shared_ptr<State>& self, Direction State::*which, Socket::wait_type type,
                       Callback callback) {
        Direction& direction = (*self).*which;
        direction.callback = std::move(callback);
        if (!direction.callback || direction.armed) return;
        if (!direction.event && self->socket.is_open()) {
            arm(self, which, type);
            return;
        }
        direction.event = false;
        direction.armed = true;
        asio::post(self->socket.get_executor(),
                   [kept = Kept(self, which), which]() mutable { fire(*kept.take(), which); });
    }
    // Calls the reader from the loop: a record was read whole, but not all of it was asked for.
    static void nudge(const std::shared_ptr<State>& self) {
        if (self->nudged) return;
        self->nudged = true;
        asio::post(self->socket.get_executor(), [kept = Kept(self, &State::read)]() mutable {
            const auto state = kept.take();
            state->nudged = false;
            if (!state->read.callback) return;
            Callback callback = std::move(state->read.callback);
            callback();
        });
    }
};

}  // namespace leasehold::wire
