// SPDX-License-Identifier: Apache-2.0
// The compressed protocol of one connection: frames with a header of seven bytes (length, sequence, length unpacked) around
// the stream of packets, and the numbers of both. "Compressed Packet" of the manual. It is a layer below the packets:
// above it they are numbered as if it were not there, whatever numbers the peer has given to those within its frames.
#pragma once

#include "dialects/mysql/deflate.hpp"
#include "dialects/mysql/framing.hpp"
#include "dialects/wire/codec.hpp"

#include <array>
#include <vector>

namespace leasehold::mysql {

class Compressed final : public wire::Codec {
  public:
    enum class Role : std::uint8_t {
        server,  // towards a client: reads commands, writes replies
        client,  // towards a server
    };
    Compressed(Role role, Compression algorithm, int level = default_zstd_level) noexcept
        : role_(role), algorithm_(algorithm), level_(level) {}

    [[nodiscard]] Decoded decode(Bytes in, std::span<std::uint8_t> into) noexcept override;
    [[nodiscard]] bool more() const noexcept override { return full_; }
    [[nodiscard]] bool between() const noexcept override { return seen_ == 0; }
    [[nodiscard]] std::size_t encode(Bytes plain, wire::Writer& out) noexcept override;

    static constexpr std::size_t frame_header = 7;
    static constexpr std::size_t least_packed = 50;          // shorter ones go as they are
    static constexpr std::size_t largest_frame = 64 * 1024;  // of ours, unpacked
    static constexpr std::size_t most_commands_ahead = 1024;

  private:
    // Where packets begin and end in a stream of their bytes.
    struct Walk {
        std::array<std::uint8_t, header_size> header{};
        std::uint8_t seen = 0;     // bytes of a header
        std::uint32_t left = 0;    // bytes due of a payload
        bool continues = false;    // the message goes on behind the packet at hand
        bool command = false;      // it is a command, and no part of the exchange about one
        bool answered = true;      // ... that has a reply
        bool fresh = false;        // ... whose first byte is due
        std::uint8_t packets = 0;  // ... of so many packets
        [[nodiscard]] bool between() const noexcept { return seen == 0 && left == 0 && !continues; }
    };
    // A command to which the reply begins with these numbers: those of its frames and of its packets.
    struct Start {
        std::uint8_t frames = 0, packets = 0;
    };

    [[nodiscard]] bool begin_frame() noexcept;
    void end_frame() noexcept;
    [[nodiscard]] bool unpack(Bytes in, std::span<std::uint8_t> into, Decoded& done) noexcept;
    [[nodiscard]] bool accept_from_client(std::uint8_t number) noexcept;
    [[nodiscard]] bool accept_from_server(std::uint8_t number) noexcept;
    void begin_reply(std::uint8_t frame, std::uint8_t packet) noexcept;
    void follow(std::span<std::uint8_t> plain) noexcept;
    void number_incoming(std::uint8_t& number) noexcept;
    [[nodiscard]] static bool pass_body(Walk& walk, std::size_t n, std::uint8_t first) noexcept;
    [[nodiscard]] bool begins(std::uint8_t number) const noexcept;
    void begin_outgoing() noexcept;
    void note_outgoing(std::uint8_t number, bool begun) noexcept;
    [[nodiscard]] std::size_t chunk(Bytes plain) noexcept;
    void write_frame(Bytes plain, wire::Writer& out) noexcept;
    void await_reply(const Walk& walk) noexcept;

    Role role_;
    Compression algorithm_;
    int level_;

    // The peer's frame.
    std::array<std::uint8_t, frame_header> head_{};
    std::size_t seen_ = 0;    // of its header; all of it: within the frame
    std::uint32_t left_ = 0;  // of its bytes
    std::uint32_t due_ = 0;   // of what they unpack to
    Unpacker::Lent unpacker_;
    bool full_ = false;  // there was no more room in the last call
    bool broken_ = false;

    Walk in_, out_;
    std::vector<Start> ahead_;       // commands whose replies have not begun
    std::uint8_t command_next_ = 0;  // the next frame of the command on its way
    std::uint8_t next_ = 0;          // the next frame of its reply, or of the exchange about it
    std::uint8_t packet_next_ = 0;   // the next packet there
    std::uint8_t last_out_ = 0;      // the number of the last packet sent
    bool replying_ = false;          // a reply has begun since the last command did
    bool answering_ = false;         // the last frame was of the exchange, from the side that sends commands
    bool commanded_ = false;         // a command ended since the last frame of a reply
    bool command_frame_ = false;     // the frame at hand is of a command
    bool crowded_ = false;           // the command on its way follows one that is not answered
    bool ended_ = false;             // the chunk at hand ends a command
};

}  // namespace leasehold::mysql
