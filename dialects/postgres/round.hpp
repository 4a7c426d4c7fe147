// SPDX-License-Identifier: Apache-2.0
// One simple query of leasehold's own and the whole of its reply, up to ReadyForQuery: what ping, reset, align and
// finish have in common. Rows are skipped as they stream by; nothing of a reply is collected beyond its last error.
#pragma once

#include "dialects/postgres/framing.hpp"
#include "dialects/wire/exchange.hpp"

#include <string>
#include <utility>
#include <vector>

namespace leasehold::postgres {

// Cuts a server's messages off a stream. Bodies that are of no interest, or too long to be, are passed over as they
// come, however long they are.
class ReplyReader {
  public:
    // body_left: what is still due of a message whose beginning somebody else has consumed.
    explicit ReplyReader(std::uint64_t body_left = 0, bool rows = false) noexcept
        : body_left_(body_left), rows_(rows) {}

    struct Event {
        enum class Kind : std::uint8_t { more, message, bad };
        Kind kind = Kind::more;
        Message::Kind why = Message::Kind::whole;  // with bad
        std::uint8_t type = 0;
        Bytes body{};  // empty for messages that are passed over
    };
    // The next message of in[at..]; moves `at` over what is used.
    [[nodiscard]] Event next(Bytes in, std::size_t& at) noexcept;

  private:
    std::uint64_t body_left_;
    bool rows_;  // DataRow and NotificationResponse are of interest
};

using Changes = std::vector<std::pair<std::string, std::string>>;

class Round : public wire::Exchange {
  public:
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) final;

    // ParameterStatus that came with the reply, in order.
    [[nodiscard]] const Changes& changes() const noexcept { return changes_; }
    // Of ReadyForQuery: 'I', 'T' or 'E'; 0 before it.
    [[nodiscard]] char status() const noexcept { return status_; }
    // Of the last CommandComplete.
    [[nodiscard]] const std::string& tag() const noexcept { return tag_; }

  protected:
    enum class Reads : std::uint8_t { outcome, all };  // all: rows and notifications, too
    // `on_error`: what the exchange ends with when the server answers with an error.
    explicit Round(std::string sql, wire::errc on_error = wire::errc::server_error, Reads reads = Reads::outcome)
        : sql_(std::move(sql)), on_error_(on_error), reader_(0, reads == Reads::all) {}

    [[nodiscard]] bool saw_empty_query() const noexcept { return empty_query_; }
    // The reply is complete and had no error: whether it is the one that was wanted. Fills diagnostics_ if not.
    [[nodiscard]] virtual std::error_code judge() = 0;
    // A row or a notification, with Reads::all; empty when it is too long. False: the reply breaks the protocol.
    [[nodiscard]] virtual bool on_other(std::uint8_t, Bytes) { return true; }
    // ReadyForQuery must have said 'I'.
    [[nodiscard]] std::error_code must_be_idle();

  private:
    enum class State : std::uint8_t { start, replying, finished };
    // False: the reply breaks the protocol.
    [[nodiscard]] bool on_message(const ReplyReader::Event& event);
    [[nodiscard]] wire::Action conclude(std::size_t consumed);

    std::string sql_;
    wire::errc on_error_;
    State state_ = State::start;
    ReplyReader reader_;
    wire::Writer out_;
    Changes changes_;
    std::string tag_;
    char status_ = 0;
    bool failed_ = false;  // an ErrorResponse has come
    bool empty_query_ = false;
};

}  // namespace leasehold::postgres
