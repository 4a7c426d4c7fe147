// SPDX-License-Identifier: Apache-2.0
// OpenSSL's calls for one connection, and their outcomes as ours. The error queue is empty before each of them: what it
// holds afterwards is of that call.
#include "dialects/wire/tls_stream.hpp"

#include "dialects/wire/tls_names.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/socket.h>
#include <algorithm>
#include <cerrno>

namespace leasehold::wire {
namespace {

// More than any flight of a handshake: a peer that makes us answer and does not read gets no further.
constexpr std::size_t most_backlog = 256 * 1024;
// Reads of the socket in one call: a peer that only sends what yields no data does not keep the thread.
constexpr std::size_t reads_per_call = 4;
constexpr std::size_t record_header = 5;
constexpr std::size_t largest_record = record_header + TlsStream::record + 2048;

class Category final : public std::error_category {
  public:
    [[nodiscard]] const char* name() const noexcept override { return "tls"; }
    [[nodiscard]] std::string message(int value) const override {
        const char* reason = ERR_reason_error_string(static_cast<unsigned>(value));
        return std::string("TLS: ") + (reason != nullptr ? reason : "broken");
    }
};

std::error_code tls_error(unsigned long code) noexcept {
    static const Category category;
    return {static_cast<int>(code), category};
}

// How much of it OpenSSL can make something of: whole records, or noise.
std::size_t whole_records(Bytes held) noexcept {
    std::size_t at = 0;
    while (held.size() - at >= record_header) {
        const Bytes next = held.subspan(at);
        const std::size_t size = record_header + (std::size_t{next[3]} << 8 | next[4]);
        if (next[0] < SSL3_RT_CHANGE_CIPHER_SPEC || next[0] > SSL3_RT_APPLICATION_DATA || size > largest_record)
            return held.size();
        if (next.size() < size) break;
        at += size;
    }
    return at;
}

std::error_code system_error(int number) noexcept { return {number, std::system_category()}; }

}  // namespace

struct TlsStream::Bio {
    static TlsStream& of(bio_st* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

    static int read(bio_st* bio, char* into, int size) {
        TlsStream& stream = of(bio);
        BIO_clear_retry_flags(bio);
        if (size <= 0) return 0;
        const Bytes held = stream.head_.bytes();
        const std::size_t open = stream.established_ ? held.size() : stream.ready_;
        if (open > 0) {
            const std::size_t n = std::min(open, static_cast<std::size_t>(size));
            std::copy_n(held.data(), n, reinterpret_cast<std::uint8_t*>(into));
            stream.head_.consume(n);
            if (stream.head_.empty()) stream.head_.release();
            if (!stream.established_) stream.ready_ -= n;
            return static_cast<int>(n);
        }
        if (!stream.established_) {  // a handshake is given what gather() has read
            if (stream.read_error_) return stream.read_error_ == errc::closed ? 0 : -1;
            BIO_set_retry_read(bio);
            return -1;
        }
        if (stream.budget_ == 0) {
            stream.exhausted_ = true;
            BIO_set_retry_read(bio);
            return -1;
        }
        --stream.budget_;
        const ssize_t n = stream.take({reinterpret_cast<std::uint8_t*>(into), static_cast<std::size_t>(size)});
        if (n < 0 && !stream.read_error_) BIO_set_retry_read(bio);
        return static_cast<int>(n);
    }

    // Never fails: an error is the writer's to see, and must not keep what the peer said before from being read. But a
    // peer that makes the protocol itself write on and on without taking it is given up.
    static int write(bio_st* bio, const char* bytes, int size) {
        TlsStream& stream = of(bio);
        BIO_clear_retry_flags(bio);
        const Bytes given(reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(std::max(size, 0)));
        std::size_t taken = 0;
        if (stream.backlog_.empty()) taken = stream.give(given);
        if (stream.write_error_ || taken == given.size()) return size;
        if (stream.backlog_.size() + given.size() > most_backlog) {
            stream.failure_ = stream.write_error_ = make_error_code(errc::protocol_violation);
        } else {
            stream.backlog_.append(given.subspan(taken));
        }
        return size;
    }

    static long control(bio_st*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

    static const bio_method_st* method() {
        static bio_method_st* const made = [] {
            bio_method_st* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "leasehold");
            if (method == nullptr) throw std::bad_alloc();
            BIO_meth_set_read(method, &Bio::read);
            BIO_meth_set_write(method, &Bio::write);
            BIO_meth_set_ctrl(method, &Bio::control);
            return method;
        }();
        return made;
    }
};

TlsStream::TlsStream(TlsParty party, int descriptor, Inbox head)
    : party_(std::move(party)), descriptor_(descriptor), head_(std::move(head)) {}

TlsStream::~TlsStream() {
    if (ssl_ == nullptr) return;
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else its session could not be resumed
    SSL_free(ssl_);
    ERR_clear_error();
}

TlsStream::Opened TlsStream::open(TlsParty party, int descriptor, Inbox head) {
    ERR_clear_error();
    Opened opened;
    std::unique_ptr<TlsStream> stream(new TlsStream(std::move(party), descriptor, std::move(head)));
    if (stream->prepare(opened.why)) opened.stream = std::move(stream);
    return opened;
}

bool TlsStream::prepare(std::string& why) {
    ssl_ = SSL_new(party_.context->native());
    bio_st* bio = ssl_ != nullptr ? BIO_new(Bio::method()) : nullptr;
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_app_data(ssl_, &party_);
    if (party_.context->role() == TlsContext::Role::server) {
        SSL_set_accept_state(ssl_);
        return true;
    }
    SSL_set_connect_state(ssl_);
    if (!name_server(ssl_, party_)) {
        why = "\"" + party_.host + "\" is no name that a certificate could be verified against";
        return false;
    }
    if (ssl_session_st* session = party_.host.empty() ? nullptr : party_.context->take_session(party_.host)) {
        (void)SSL_set_session(ssl_, session);  // one that does not fit any more: a whole handshake
        SSL_SESSION_free(session);
    }
    return true;
}

TlsFacts TlsStream::facts() const { return facts_of(ssl_, party_); }

// Bytes from the socket; below zero: none, and read_error_ if there will be none any more.
ssize_t TlsStream::take(std::span<std::uint8_t> into) noexcept {
    for (;;) {
        const ssize_t n = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
        if (n > 0) return n;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return -1;
        read_error_ = n == 0 ? make_error_code(errc::closed) : system_error(errno);
        return n;
    }
}

bool TlsStream::gather() {
    for (;;) {
        ready_ = read_error_ ? head_.size() : whole_records(head_.bytes());
        if (ready_ > 0 || read_error_) return true;
        const std::span<std::uint8_t> room = head_.prepare(largest_record);
        const ssize_t n = take(room);
        head_.commit(room.size(), n > 0 ? static_cast<std::size_t>(n) : 0);
        if (n < 0 && !read_error_) return false;
    }
}

TlsStream::Step TlsStream::handshake() noexcept {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_);
    if (outcome == 1) {
        established_ = true;
        starved_ = false;  // data may have come with the last bytes
        SSL_set_read_ahead(ssl_, 1);  // one system call a record instead of two
        return Step::done;
    }
    const Io io = failed(outcome);
    if (io.would_block) return Step::wants_bytes;
    // What the peer could not be told does not matter; what it said or did is the reason.
    if (why_.empty()) {
        why_ = failure_ == errc::closed ? "the peer closed the connection during the TLS handshake" : failure_.message();
    }
    return Step::failed;
}

// What a call ended in; errors stay, as OpenSSL must not be called again after one.
TlsStream::Io TlsStream::failed(int outcome) noexcept {
    if (failure_) return {0, failure_, false};
    const int kind = SSL_get_error(ssl_, outcome);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        starved_ = !exhausted_;
        return {0, {}, true};
    }
    const unsigned long code = ERR_peek_error();
    const bool cut_off = kind == SSL_ERROR_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (kind == SSL_ERROR_ZERO_RETURN || cut_off) {
        failure_ = make_error_code(errc::closed);
    } else if (kind == SSL_ERROR_SSL && code != 0) {
        failure_ = established_ ? tls_error(code) : make_error_code(errc::tls_failed);
        why_ = reason_of(ssl_, code);
    } else {
        failure_ = read_error_ ? read_error_ : make_error_code(errc::closed);
    }
    ERR_clear_error();
    return {0, failure_, false};
}

TlsStream::Io TlsStream::read(std::span<std::uint8_t> into) noexcept {
    if (failure_) return {0, failure_, false};
    if (into.empty()) return {};
    ERR_clear_error();
    budget_ = reads_per_call;
    exhausted_ = false;
    starved_ = false;
    std::size_t done = 0;
    bool full = false;  // then more is likely to be there
    do {
        std::size_t n = 0;
        const int outcome = SSL_read_ex(ssl_, into.data() + done, into.size() - done, &n);
        if (outcome != 1) {
            const Io io = failed(0);
            if (done == 0) return io;
            break;  // an error shows again in the next call
        }
        done += n;
        full = n == record;
    } while (done < into.size() && (full || SSL_has_pending(ssl_) != 0));
    return {done, {}, false};
}

TlsStream::Io TlsStream::write(Bytes bytes) noexcept {
    if (!flush()) return {0, write_error_, false};
    if (failure_ && failure_ != errc::closed) return {0, failure_, false};
    ERR_clear_error();
    budget_ = reads_per_call;
    std::size_t done = 0;
    while (done < bytes.size() && backlog_.empty()) {
        std::size_t n = 0;
        const Bytes piece = bytes.subspan(done, std::min(bytes.size() - done, record));
        if (SSL_write_ex(ssl_, piece.data(), piece.size(), &n) != 1) {
            const Io io = failed(0);
            if (io.error) return {done, io.error, false};
            break;
        }
        done += n;
        if (write_error_) return {done, write_error_, false};
    }
    return {done, {}, done == 0 && !bytes.empty()};
}

bool TlsStream::quiet() noexcept {
    if (failure_) return false;
    ERR_clear_error();
    budget_ = reads_per_call;
    exhausted_ = false;
    starved_ = false;
    std::uint8_t byte = 0;
    std::size_t n = 0;
    if (SSL_peek_ex(ssl_, &byte, 1, &n) == 1) return false;
    // The first half of a record may be one of data.
    return failed(0).would_block && !exhausted_ && SSL_has_pending(ssl_) == 0;
}

bool TlsStream::more() const noexcept {
    return !failure_ ? !starved_ && (exhausted_ || !head_.empty() || SSL_has_pending(ssl_) != 0) : true;
}

// Returns what the kernel took.
std::size_t TlsStream::give(Bytes bytes) noexcept {
    std::size_t given = 0;
    while (given < bytes.size() && !write_error_) {
        const ssize_t n =
            ::send(descriptor_, bytes.data() + given, bytes.size() - given, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            given += static_cast<std::size_t>(n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            write_error_ = system_error(errno);
        }
    }
    return given;
}

bool TlsStream::flush() noexcept {
    if (!backlog_.empty() && !write_error_) {
        backlog_.consume(give(backlog_.bytes()));
        if (backlog_.empty() || write_error_) backlog_.release();
    }
    return !write_error_;
}

void TlsStream::shutdown() noexcept {
    if (shut_ || write_error_ || !established_) return;
    if (failure_ && failure_ != errc::closed) return;
    if (!flush() || !backlog_.empty()) return;
    shut_ = true;
    ERR_clear_error();
    (void)SSL_shutdown(ssl_);
    ERR_clear_error();
}

}  // namespace leasehold::wire
