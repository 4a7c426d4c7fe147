// SPDX-License-Identifier: Apache-2.0
// One connected stream socket of a worker: non-blocking recv and send, one armed readiness wait a direction whose
// callback can be exchanged without a system call, and release()/adopt so that a connection can move to another
// worker. Worker thread only. TLS lives here too (tls.hpp), and a codec (codec.hpp): nothing above knows whether bytes are
// encrypted or compressed.
#pragma once

#include "dialects/wire/buffer.hpp"
#include "dialects/wire/callback.hpp"
#include "dialects/wire/codec.hpp"
#include "dialects/wire/exchange.hpp"
#include "dialects/wire/tls.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <system_error>

namespace leasehold::wire {

struct Coded;

using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;
template <class T>
using awaitable = boost::asio::awaitable<T, Executor>;

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

class Transport {
  public:
    // A connection between two transports: closed when it is dropped.
    struct Released {
        Released(int fd, std::unique_ptr<TlsStream> stream, std::unique_ptr<Coded> codec);
        ~Released();
        Released(Released&&) noexcept;
        Released& operator=(Released&&) = delete;
        int descriptor = -1;
        std::unique_ptr<TlsStream> tls;  // null: plain
        std::unique_ptr<Coded> coded;    // null: none
        Inbox unsent;
    };

    // Takes the descriptor over and makes it non-blocking.
    Transport(Executor executor, int descriptor);
    Transport(Executor executor, Released connection);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    struct Io {
        std::size_t bytes = 0;
        std::error_code error{};  // errc::closed at the end of the stream
        bool would_block = false;
    };
    [[nodiscard]] Io recv(std::span<std::uint8_t> into) noexcept;
    [[nodiscard]] Io send(Bytes bytes) noexcept;
    // Sends as much as the kernel takes; the rest is kept (copied) and goes out by flush(). False: dead.
    [[nodiscard]] bool send(Outbox& outbox) noexcept;
    [[nodiscard]] bool flush() noexcept;
    [[nodiscard]] std::size_t unsent() const noexcept {
        return pending_.size() + (tls_ ? backlog() : 0) + (coded_ ? coded_unsent() : 0);
    }
    // Bytes given to the kernel so far; with TLS those of which a record was made: none of it is certain to be unsent.
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    // Nothing readable and not closed, seen by a look at the socket now (one system call).
    [[nodiscard]] bool quiet() noexcept;

    // One shot each: called once when the socket is readable / writable (or broken); setting it again exchanges the
    // callback of the wait that is armed already. A callback may come without cause: expect would_block. An empty
    // function takes the callback away; an event that arrives then is remembered and delivered to the next one, from
    // the loop.
    void on_readable(Callback callback);
    void on_writable(Callback callback);
    // Ends when on_readable / on_writable would have called back.
    [[nodiscard]] awaitable<void> readable();
    [[nodiscard]] awaitable<void> writable();
    // Calls what waits now, as if the socket had become ready (a deadline passed, somebody wants attention).
    void wake();

    void close() noexcept;  // wakes both waits
    [[nodiscard]] bool is_open() const noexcept;
    void shutdown_send() noexcept;
    // Gives the connection up for another worker's Transport; this one is then closed. No wait may be pending.
    [[nodiscard]] Released release();

    // The handshake, as the party's context says client or server; `head`: bytes of it that were read already. Its steps
    // run on `computing` (null: on the loop), to which the descriptor is lent: close() then takes effect at their end.
    struct Secured {
        std::error_code error{};  // errc::tls_failed, errc::closed, errc::timed_out, ...
        std::string why;          // for people: "certificate verify failed: hostname mismatch"
        TlsFacts facts;
    };
    [[nodiscard]] awaitable<Secured> secure(TlsParty party, Inbox head, Deadline deadline,
                                            boost::asio::thread_pool* computing);
    [[nodiscard]] bool encrypted() const noexcept { return tls_ != nullptr; }
    // From now on all bytes go through the codec, those that were read already (`head`) first; those that wait to be sent
    // go as they are.
    void compress(std::unique_ptr<Codec> codec, Inbox head);

    [[nodiscard]] Executor executor() const noexcept { return executor_; }
    [[nodiscard]] int descriptor() noexcept;
    [[nodiscard]] const std::string& peer() const noexcept { return peer_; }  // "127.0.0.1:5432", "unix"
    [[nodiscard]] bool is_unix() const noexcept { return unix_; }

  private:
    struct State;
    [[nodiscard]] Io recv_plain(std::span<std::uint8_t> into) noexcept;
    [[nodiscard]] Io recv_tls(std::span<std::uint8_t> into) noexcept;
    [[nodiscard]] Io send_plain(Bytes bytes) noexcept;
    static void advance(std::span<const Outbox::Segment> segments, std::size_t& index, std::size_t& skip,
                        std::size_t done) noexcept;
    void keep_rest(Outbox& outbox, std::size_t index, std::size_t skip);
    [[nodiscard]] Io send_tls(Bytes bytes) noexcept;
    [[nodiscard]] bool send_layered(Outbox& outbox) noexcept;
    [[nodiscard]] std::size_t backlog() const noexcept;
    // coded.cpp
    [[nodiscard]] Io recv_below(std::span<std::uint8_t> into) noexcept;
    [[nodiscard]] Io send_below(Bytes bytes) noexcept;
    [[nodiscard]] Io recv_coded(std::span<std::uint8_t> into) noexcept;
    [[nodiscard]] Io send_coded(Bytes bytes) noexcept;
    [[nodiscard]] bool flush_coded(bool& dead) noexcept;
    [[nodiscard]] std::size_t coded_unsent() const noexcept;
    [[nodiscard]] bool coded_more() const noexcept;
    [[nodiscard]] bool coded_quiet() const noexcept;
    void count_sent(std::size_t bytes) noexcept;
    void count_received(std::size_t bytes) noexcept;
    void be_patient() noexcept;
    void end_patience() noexcept;
    [[nodiscard]] awaitable<void> step(boost::asio::thread_pool* computing);

    Executor executor_;
    std::shared_ptr<State> state_;
    std::unique_ptr<TlsStream> tls_;  // null: plain
    std::unique_ptr<Coded> coded_;    // null: none
    Inbox pending_;
    std::string peer_;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t unheard_ = 0;  // sent since something was received
    bool patient_ = false;       // no limit for acknowledgements
    int calm_ = 0;               // words heard since patience was last needed
    bool unix_ = false;
};

// Dials host:port, or the unix socket `host` when it begins with a slash ("/dir" + ".s.PGSQL.port" is the caller's
// business: a path is taken as it is). Names are resolved off the worker's loop.
struct Dialled {
    std::unique_ptr<Transport> transport;
    std::error_code error{};
    std::string message;  // "db.internal:5432: Connection refused"
};
[[nodiscard]] awaitable<Dialled> dial(Executor executor, std::string host, std::uint16_t port, Deadline deadline);

}  // namespace leasehold::wire
