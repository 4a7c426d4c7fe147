// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/deflate.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <new>
#include <vector>

namespace leasehold::mysql {
namespace {

// What a frame of the protocol can hold, and so all that a stream may look back on.
constexpr int largest_window = 24;  // 2^24 bytes
// Contexts that a thread keeps for the next frame; one that grew larger is given back at once.
constexpr std::size_t spare_contexts = 4;
constexpr std::size_t spare_memory = 512 * 1024;

struct Deflater {
    z_stream stream{};
    bool ready = deflateInit(&stream, Z_DEFAULT_COMPRESSION) == Z_OK;
    Deflater() = default;
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    ~Deflater() {
        if (ready) deflateEnd(&stream);
    }
};

struct ZstdDeflater {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZstdDeflater() = default;
    ZstdDeflater(const ZstdDeflater&) = delete;
    ZstdDeflater& operator=(const ZstdDeflater&) = delete;
    ~ZstdDeflater() { ZSTD_freeCCtx(context); }
};

// Into `room`, which is shorter than what is packed; zero: it does not fit.
std::size_t pack_zlib(Bytes plain, std::span<std::uint8_t> room) noexcept {
    thread_local Deflater deflater;
    if (!deflater.ready || deflateReset(&deflater.stream) != Z_OK) return 0;
    z_stream& stream = deflater.stream;
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = room.data();
    stream.avail_out = static_cast<uInt>(room.size());
    return deflate(&stream, Z_FINISH) == Z_STREAM_END ? room.size() - stream.avail_out : 0;
}

std::size_t pack_zstd(int level, Bytes plain, std::span<std::uint8_t> room) noexcept {
    thread_local ZstdDeflater deflater;
    if (deflater.context == nullptr) return 0;
    const std::size_t n = ZSTD_compressCCtx(deflater.context, room.data(), room.size(), plain.data(), plain.size(),
                                            std::clamp(level, 1, highest_zstd_level));
    return ZSTD_isError(n) != 0 ? 0 : n;
}

}  // namespace

Compression compression_of(std::uint64_t capabilities) noexcept {
    if ((capabilities & cap::compress) != 0) return Compression::zlib;
    return (capabilities & cap::zstd) != 0 ? Compression::zstd : Compression::none;
}

std::uint32_t capability_of(Compression algorithm) noexcept {
    if (algorithm == Compression::none) return 0;
    return algorithm == Compression::zlib ? cap::compress : cap::zstd;
}

bool pack(Compression algorithm, int level, Bytes plain, wire::Writer& out) noexcept {
    if (plain.size() < 2) return false;
    thread_local std::vector<std::uint8_t> room;
    if (room.size() < plain.size()) room.resize(plain.size());
    const std::span<std::uint8_t> into = std::span(room).first(plain.size() - 1);
    const std::size_t n = algorithm == Compression::zlib ? pack_zlib(plain, into) : pack_zstd(level, plain, into);
    if (n > 0) out.append(Bytes(into).first(n));
    return n > 0;
}

// --- unpacking -------------------------------------------------------------------------------------------------

struct Unpacker::Context {
    z_stream zlib{};
    ZSTD_DCtx* zstd = nullptr;
    bool inflates = false;
    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() {
        if (inflates) inflateEnd(&zlib);
        ZSTD_freeDCtx(zstd);
    }
};

// Of the thread, one list for each algorithm.
struct Unpacker::Spare {
    struct Free {
        void operator()(Unpacker* unpacker) const noexcept { delete unpacker; }
    };
    std::vector<std::unique_ptr<Unpacker, Free>> kept;
    [[nodiscard]] static Spare& of(Compression algorithm) {
        thread_local std::array<Spare, 2> all;
        return all[algorithm == Compression::zlib ? 0 : 1];
    }
};

Unpacker::Unpacker(Compression algorithm, std::unique_ptr<Context> context) noexcept
    : algorithm_(algorithm), context_(std::move(context)) {}
Unpacker::~Unpacker() = default;

bool Unpacker::restart() noexcept {
    if (algorithm_ == Compression::zlib) return inflateReset(&context_->zlib) == Z_OK;
    return ZSTD_isError(ZSTD_DCtx_reset(context_->zstd, ZSTD_reset_session_only)) == 0;
}

std::size_t Unpacker::memory() const noexcept {
    return algorithm_ == Compression::zlib ? 0 : ZSTD_sizeof_DCtx(context_->zstd);
}

Unpacker::Lent Unpacker::borrow(Compression algorithm) noexcept {
    Spare& spare = Spare::of(algorithm);
    if (!spare.kept.empty()) {
        Lent lent(spare.kept.back().release());
        spare.kept.pop_back();
        if (lent->restart()) return lent;
    }
    auto context = std::make_unique<Context>();
    if (algorithm == Compression::zlib) {
        context->inflates = inflateInit(&context->zlib) == Z_OK;
        if (!context->inflates) return {};
    } else {
        context->zstd = ZSTD_createDCtx();
        if (context->zstd == nullptr) return {};
        if (ZSTD_isError(ZSTD_DCtx_setParameter(context->zstd, ZSTD_d_windowLogMax, largest_window)) != 0) return {};
    }
    return Lent(new Unpacker(algorithm, std::move(context)));
}

void Unpacker::Return::operator()(Unpacker* unpacker) const noexcept {
    std::unique_ptr<Unpacker, Spare::Free> back(unpacker);
    Spare& spare = Spare::of(back->algorithm_);
    if (spare.kept.size() < spare_contexts && back->memory() <= spare_memory) spare.kept.push_back(std::move(back));
}

Unpacker::Step Unpacker::step(Bytes in, std::span<std::uint8_t> into) noexcept {
    Step step;
    if (algorithm_ == Compression::zlib) {
        z_stream& stream = context_->zlib;
        stream.next_in = const_cast<Bytef*>(in.data());
        stream.avail_in = static_cast<uInt>(in.size());
        stream.next_out = into.data();
        stream.avail_out = static_cast<uInt>(into.size());
        const int outcome = inflate(&stream, Z_NO_FLUSH);
        step.consumed = in.size() - stream.avail_in;
        step.produced = into.size() - stream.avail_out;
        step.ended = outcome == Z_STREAM_END;
        step.broken = outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR;
        return step;
    }
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{into.data(), into.size(), 0};
    const std::size_t outcome = ZSTD_decompressStream(context_->zstd, &to, &from);
    step.consumed = from.pos;
    step.produced = to.pos;
    step.ended = outcome == 0;
    step.broken = ZSTD_isError(outcome) != 0;
    return step;
}

}  // namespace leasehold::mysql
