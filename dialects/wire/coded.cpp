// SPDX-License-Identifier: Apache-2.0
// The transport's bytes through its codec: what is read is decoded straight into the caller's buffer, what is sent is
// encoded piece by piece as long as the layer below takes all of it.
#include "dialects/wire/coded.hpp"

#include "dialects/wire/transport_state.hpp"

#include <algorithm>
#include <array>

namespace leasehold::wire {
namespace {

// Read from below at a time, and so many times in one call: frames that yield nothing do not keep the thread.
constexpr std::size_t piece = 16 * 1024;
constexpr std::size_t reads_per_call = 8;
// Encoded at a time.
constexpr std::size_t largest_piece = 64 * 1024;
// Memory that a thread keeps for what it encodes.
constexpr std::size_t kept_memory = 128 * 1024;

}  // namespace

// What was read already comes first. What was sent already and is not gone goes as it is.
void Transport::compress(std::unique_ptr<Codec> codec, Inbox head) {
    coded_ = std::make_unique<Coded>();
    coded_->codec = std::move(codec);
    coded_->in = std::move(head);
    coded_->out = std::exchange(pending_, Inbox());
}

std::size_t Transport::coded_unsent() const noexcept { return coded_->out.size(); }

bool Transport::coded_more() const noexcept { return coded_->more(); }

bool Transport::coded_quiet() const noexcept {
    return !coded_->more() && coded_->in.empty() && coded_->codec->between();
}

Transport::Io Transport::recv_below(std::span<std::uint8_t> into) noexcept {
    return tls_ ? recv_tls(into) : recv_plain(into);
}

Transport::Io Transport::send_below(Bytes bytes) noexcept { return tls_ ? send_tls(bytes) : send_plain(bytes); }

Transport::Io Transport::recv_coded(std::span<std::uint8_t> into) noexcept {
    thread_local std::array<std::uint8_t, piece> raw;
    Coded& coded = *coded_;
    coded.exhausted = false;
    std::size_t done = 0;
    std::size_t reads = 0;
    for (;;) {
        if (!coded.in.empty() || coded.codec->more()) {
            const Codec::Decoded step = coded.codec->decode(coded.in.bytes(), into.subspan(done));
            coded.in.consume(step.consumed);
            if (coded.in.empty()) coded.in.release();
            done += step.produced;
            if (step.error) coded.end = step.error;
        }
        // An error is told behind what came before it.
        if (done == into.size() || (coded.end && done > 0)) return {done, {}, false};
        if (coded.end) return {0, coded.end, false};
        if (done > 0 && reads > 0) return {done, {}, false};  // what is left is announced by the socket, or by more()
        if (reads++ == reads_per_call) {
            coded.exhausted = true;
            return {0, {}, true};
        }
        const Io io = recv_below(raw);
        if (io.would_block) return done > 0 ? Io{done, {}, false} : io;
        if (io.error) {
            coded.end = io.error;
            continue;
        }
        const Codec::Decoded step = coded.codec->decode(Bytes(raw).first(io.bytes), into.subspan(done));
        done += step.produced;
        if (step.error) {
            coded.end = step.error;
        } else if (step.consumed < io.bytes) {
            coded.in.append(Bytes(raw).subspan(step.consumed, io.bytes - step.consumed));
        }
    }
}

// Whether all of what waits below the codec is gone; false too when the connection is dead: `dead`.
bool Transport::flush_coded(bool& dead) noexcept {
    while (!coded_->out.empty()) {
        const Io io = send_below(coded_->out.bytes());
        dead = static_cast<bool>(io.error);
        if (io.error || io.would_block) return false;
        coded_->out.consume(io.bytes);
    }
    coded_->out.release();
    return true;
}

Transport::Io Transport::send_coded(Bytes bytes) noexcept {
    thread_local Writer frames;
    bool dead = false;
    std::size_t done = 0;
    while (done < bytes.size()) {
        if (!flush_coded(dead)) break;
        const Bytes plain = bytes.subspan(done, std::min(bytes.size() - done, largest_piece));
        frames.clear();
        const std::size_t taken = coded_->codec->encode(plain, frames);
        done += taken;
        const Io io = send_below(frames.bytes());
        dead = static_cast<bool>(io.error);
        if (io.bytes < frames.size()) coded_->out.append(frames.bytes().subspan(io.bytes));
        if (dead || taken < plain.size()) break;
    }
    frames.shrink(kept_memory);
    if (dead) return {done, make_error_code(errc::closed), false};
    return {done, {}, done == 0 && !bytes.empty()};
}

}  // namespace leasehold::wire
