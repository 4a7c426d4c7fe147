// SPDX-License-Identifier: Apache-2.0
// The transport's TLS side: the handshake in steps on other threads, and bytes through its stream afterwards; and how an
// Outbox goes through a layer.
#include "dialects/wire/transport_state.hpp"
#include "dialects/wire/watchdog.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>

namespace leasehold::wire {

// One step of the handshake, on `computing`. What waits for it is held by the state and not by the other thread: if the
// transport is destroyed meanwhile, it goes with it, and the step ends without anybody to tell.
awaitable<void> Transport::step(asio::thread_pool* computing) {
    if (computing == nullptr) {
        state_->step = state_->securing->handshake();
        co_return;
    }
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this, computing](auto handler) {  // captures nothing with a destructor: GCC 12 would run it twice
            State* const held = state_.get();
            held->stepped = [handler = std::move(handler)]() mutable { std::move(handler)(); };
            held->lent = true;
            // The last reference must not end on the other thread: it is passed back.
            asio::post(*computing, [state = std::shared_ptr<State>(state_)]() mutable {
                state->step = state->securing->handshake();
                const Executor home = state->socket.get_executor();
                asio::post(home, [kept = State::Kept(std::move(state), &State::stepped)]() mutable {
                    const auto back = kept.take();
                    back->lent = false;
                    if (back->closing) back->close();
                    Callback stepped = std::move(back->stepped);
                    if (stepped) stepped();
                });
            });
        },
        asio::use_awaitable_t<Executor>{});
}

awaitable<Transport::Secured> Transport::secure(TlsParty party, Inbox head, Deadline deadline,
                                                asio::thread_pool* computing) {
    Secured secured;
    if (tls_ || state_->securing || !party.context) {
        secured.error = make_error_code(errc::unsupported);
        secured.why = "the connection is encrypted already, or cannot be";
        co_return secured;
    }
    const bool speaks_first = party.context->role() == TlsContext::Role::client;
    TlsStream::Opened opened = TlsStream::open(std::move(party), descriptor(), std::move(head));
    if (!opened.stream) {
        secured.error = make_error_code(errc::tls_failed);
        secured.why = std::move(opened.why);
        co_return secured;
    }
    state_->securing = std::move(opened.stream);
    TlsStream& stream = *state_->securing;
    const Watchdog dog(*this, deadline);
    bool waits = !speaks_first;
    bool finished = false;
    for (;;) {
        if (!is_open()) {
            secured.error = make_error_code(errc::cancelled);
        } else if (dog.expired() || Clock::now() >= deadline) {
            secured.error = make_error_code(errc::timed_out);
            secured.why = "the TLS handshake was not finished in time";
        }
        if (secured.error) break;
        if (stream.backlog() > 0) {
            co_await writable();
            if (is_open()) (void)stream.flush();  // an error is for the next read to explain
        } else if (finished) {
            break;
        } else if (waits && !stream.gather()) {
            co_await readable();
        } else {
            co_await step(computing);
            finished = state_->step == TlsStream::Step::done;
            waits = true;
            if (state_->step == TlsStream::Step::failed && is_open()) {
                secured.error = stream.failure();
                secured.why = stream.why();
                break;
            }
        }
    }
    if (!secured.error) {
        secured.facts = stream.facts();
        tls_ = std::move(state_->securing);
    }
    state_->securing.reset();
    co_return secured;
}

std::size_t Transport::backlog() const noexcept { return tls_->backlog(); }

Transport::Io Transport::recv_tls(std::span<std::uint8_t> into) noexcept {
    const TlsStream::Io io = tls_->read(into);
    count_received(io.bytes);
    return {io.bytes, io.error, io.would_block};
}

Transport::Io Transport::send_tls(Bytes bytes) noexcept {
    const TlsStream::Io io = tls_->write(bytes);
    count_sent(io.bytes);
    return {io.bytes, io.error, io.would_block};
}

// Small segments share a record, or a frame of the codec: each costs a header and a system call.
bool Transport::send_layered(Outbox& outbox) noexcept {
    thread_local std::array<std::uint8_t, TlsStream::record> gathered;
    const auto segments = outbox.segments();
    std::size_t index = 0;
    std::size_t skip = 0;  // of segments[index], already sent
    while (unsent() == 0 && index < segments.size()) {
        Bytes piece = outbox.bytes(segments[index]).subspan(skip);
        if (piece.size() < gathered.size() && index + 1 < segments.size()) {
            std::size_t filled = 0;
            std::size_t from = skip;
            for (std::size_t i = index; i < segments.size() && filled < gathered.size(); ++i, from = 0) {
                const Bytes part = outbox.bytes(segments[i]).subspan(from);
                const std::size_t n = std::min(part.size(), gathered.size() - filled);
                std::copy_n(part.data(), n, gathered.data() + filled);
                filled += n;
            }
            piece = Bytes(gathered).first(filled);
        }
        const Io io = send(piece);
        if (io.error) return false;
        advance(segments, index, skip, io.bytes);
        if (io.bytes == 0) break;
    }
    keep_rest(outbox, index, skip);
    return true;
}

}  // namespace leasehold::wire
