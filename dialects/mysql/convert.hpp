// SPDX-License-Identifier: Apache-2.0
// One session's replies from the capabilities of its backend's leg to those of the client's: EOF packets or OKs in their
// place (DEPRECATE_EOF), and what an OK tells of changed session state (SESSION_TRACK). Packet by packet, by what
// replies.hpp follows; what needs no change passes as borrowed bytes.
#pragma once

#include "dialects/mysql/replies.hpp"
#include "dialects/mysql/settings.hpp"
#include "dialects/wire/buffer.hpp"

namespace leasehold::mysql {

// Which changes a session is told of: what its session_track_* variables say. leasehold has backends report more.
struct Watched {
    bool schema = true;
    bool state = false;
    std::string_view variables;  // "*", or names in lower case with commas; valid as long as what it was made of
};
// `variables`: the server's own list. Transactions and GTIDs are reported as the session's variables say.
[[nodiscard]] Watched watched(const Settings& settings, std::string_view variables) noexcept;
// What is left of entries of session state information; appended. False: nothing was to be taken out.
[[nodiscard]] bool filter_changes(Bytes entries, const Watched& by, std::string& into);

class Conversion {
  public:
    // `variables`: which a new session is told of, in lower case with commas.
    explicit Conversion(Capabilities client, std::string variables);
    // At the beginning of a lease.
    void attach(Capabilities server) noexcept;
    // At the beginning of a reply. `status`: the session's, for an EOF that the server does not send.
    // `grown`: by so many packets the request was longer for the server than for the client.
    // `said`: flags that each status of it has besides.
    void start(Reply& reply, std::uint16_t status, int grown = 0, std::uint16_t said = 0) noexcept;
    // The number that the client knows its prepared statement by; before the first relay() of that reply.
    void number_statement(std::uint32_t number) noexcept { number_ = number; }
    // Reply::advance(), and what it moves over is passed on. `packet` is no answer of it.
    [[nodiscard]] Reply::Event relay(Reply& reply, Bytes in, std::size_t& at, const Settings& settings,
                                     wire::Outbox& to_client);

    // By how much the client's sequence numbers are ahead of the server's in the reply in progress.
    [[nodiscard]] std::uint8_t shift() const noexcept { return shift_; }
    // Of the client's next packet, or ours.
    [[nodiscard]] std::uint8_t next_sequence() const noexcept { return next_sequence_; }
    // In front of an error of our own in the middle of a reply: what the client must have read before it. False: nothing.
    [[nodiscard]] bool settle(wire::Writer& to_client);

  private:
    [[nodiscard]] bool convert(const Reply& reply, Bytes packet, const Settings& settings, wire::Outbox& to_client);
    [[nodiscard]] bool put_eof(const Reply& reply, const Header& header, Bytes packet, wire::Outbox& to_client);
    void end(const Reply& reply, const Header& header, Bytes body, const Settings& settings, wire::Outbox& to_client);
    void pass_ok(const Header& header, Bytes body, const Settings& settings, wire::Outbox& to_client);
    void renumber(const Header& header, wire::Outbox& to_client);
    void pass_status(const Header& header, Bytes body, wire::Outbox& to_client);
    void leave_out(const Header& header) noexcept { skip_ = header_size + header.length; }
    [[nodiscard]] Bytes numbered(Bytes reply, wire::Outbox& to_client);
    void emit(Bytes bytes, bool within, wire::Outbox& to_client);
    [[nodiscard]] std::uint8_t number(const Header& header) const noexcept {
        return static_cast<std::uint8_t>(header.sequence + shift_);
    }

    std::string variables_;
    bool client_eof_, client_tracks_;  // what the client's leg has: EOF packets, SESSION_TRACK
    bool server_eof_ = false;
    Reply::Stops stops_ = Reply::Stops::nowhere;
    std::uint16_t status_ = 0;  // of the session; or of the last OK of this reply
    std::uint16_t said_ = 0;    // besides
    std::uint8_t shift_ = 0;
    std::uint8_t next_sequence_ = 1;
    std::size_t skip_ = 0;  // bytes of the server's that something else stands for
    std::optional<std::uint32_t> number_;
    bool eof_due_ = false;  // behind definitions: the client waits for one
    bool held_ = false;     // the packet at hand waits for what comes behind it
};

}  // namespace leasehold::mysql
