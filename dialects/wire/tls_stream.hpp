// SPDX-License-Identifier: Apache-2.0
// One connection's TLS: an SSL object over a non-blocking descriptor that belongs to somebody else. One thread at a time,
// and any thread. What the kernel does not take of a record is kept here, so that no call has to be repeated with the
// same bytes; the caller flushes it before it hands over more.
#pragma once

#include "dialects/wire/buffer.hpp"
#include "dialects/wire/tls.hpp"

#include <sys/types.h>
#include <system_error>

struct ssl_st;
struct bio_st;

namespace leasehold::wire {

class TlsStream {
  public:
    struct Opened {
        std::unique_ptr<TlsStream> stream;  // null: `why`
        std::string why;
    };
    // `head`: bytes that were read from the descriptor already and come first.
    [[nodiscard]] static Opened open(TlsParty party, int descriptor, Inbox head);
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    // Reads for the handshake, which itself reads nothing, until a record is whole or there is nothing to wait for: true.
    // So a peer that sends in small pieces costs reads, and no steps.
    [[nodiscard]] bool gather();
    enum class Step : std::uint8_t { done, wants_bytes, failed };
    [[nodiscard]] Step handshake() noexcept;
    // Why it failed: errc::closed, errc::tls_failed or the socket's error; and for people.
    [[nodiscard]] std::error_code failure() const noexcept { return failure_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] TlsFacts facts() const;

    struct Io {
        std::size_t bytes = 0;
        std::error_code error{};  // errc::closed at the end of the stream, with close_notify or without
        bool would_block = false;
    };
    [[nodiscard]] Io read(std::span<std::uint8_t> into) noexcept;
    // One record for each 16 KiB. What was taken counts as given to the kernel, though the last record may wait here.
    [[nodiscard]] Io write(Bytes bytes) noexcept;
    // Nothing to be read and not closed; what the protocol says to itself while a connection idles is taken care of.
    [[nodiscard]] bool quiet() noexcept;
    // read() has something without the descriptor becoming readable.
    [[nodiscard]] bool more() const noexcept;
    [[nodiscard]] std::size_t backlog() const noexcept { return backlog_.size(); }
    // Gives the kernel what it takes of the backlog; false: dead.
    [[nodiscard]] bool flush() noexcept;
    // close_notify, once, if nothing is to be sent before it. Waits for nothing.
    void shutdown() noexcept;
    // The descriptor was closed: its number may be another connection's by now, and is never used again.
    void abandon() noexcept { descriptor_ = -1; }

    static constexpr std::size_t record = 16 * 1024;

  private:
    struct Bio;  // the descriptor as OpenSSL sees it
    TlsStream(TlsParty party, int descriptor, Inbox head);
    [[nodiscard]] bool prepare(std::string& why);
    [[nodiscard]] ssize_t take(std::span<std::uint8_t> into) noexcept;
    [[nodiscard]] std::size_t give(Bytes bytes) noexcept;
    [[nodiscard]] Io failed(int outcome) noexcept;

    TlsParty party_;
    ssl_st* ssl_ = nullptr;
    int descriptor_;
    Inbox head_;             // read and not yet given to OpenSSL
    std::size_t ready_ = 0;  // of head_: what the handshake may be given
    Inbox backlog_;  // records that the kernel did not take
    std::error_code failure_{};
    std::error_code write_error_{};  // of the socket: what the peer said before it can still be read
    std::error_code read_error_{};
    std::string why_;
    std::size_t budget_ = 0;  // reads that OpenSSL may still do in this call
    bool exhausted_ = false;  // it would have done more
    bool starved_ = true;     // the last read found nothing: only the socket can bring more
    bool established_ = false;
    bool shut_ = false;
};

}  // namespace leasehold::wire
