// SPDX-License-Identifier: Apache-2.0
// The ladder's second rung: reads and throws away what a backend still owes a session that is gone, up to the last
// ReadyForQuery. Ends what keeps the server from coming to it: an open COPY, an extended query without its Sync.
#pragma once

#include "dialects/postgres/round.hpp"

namespace leasehold::postgres {

// What the tracker knows of the conversation that broke off.
struct Unfinished {
    std::uint64_t body_left = 0;  // of a server's message whose beginning has been consumed
    // One for each ReadyForQuery that is due, in order: what it answers. A Sync that a COPY FROM STDIN of the extended
    // protocol swallows counts until the server says so.
    enum class Request : std::uint8_t { simple, extended };  // Query and FunctionCall; Sync
    std::vector<Request> requests;
    bool without_sync = false;  // extended messages were sent behind the last Sync
    bool copy_in = false;       // the server waits for CopyData of the request in front
    std::size_t in_front = 0;   // statements of ours in front of the first request, which is skipped when one fails
};

// A COPY FROM STDIN that begins while others wait behind it is given up (errc::unsupported): where the server stands
// then cannot be counted. So is a replication stream.
class Drain final : public wire::Exchange {
  public:
    explicit Drain(Unfinished unfinished);

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    // Of the last ReadyForQuery; 0 when none was due.
    [[nodiscard]] char status() const noexcept { return status_; }
    [[nodiscard]] const Changes& changes() const noexcept { return changes_; }

  private:
    enum class State : std::uint8_t { start, reading, finished };
    [[nodiscard]] std::optional<wire::Action> on_message(const ReplyReader::Event& event, std::size_t at);
    [[nodiscard]] std::optional<wire::Action> on_copy_in(std::size_t at);
    void fail_copy(Unfinished::Request request);
    void skip_to_sync();
    [[nodiscard]] wire::Action fail(std::error_code error, std::string_view message, std::size_t at);

    Unfinished unfinished_;
    bool undone_ = false;       // an error was put in front of our Sync
    std::size_t answered_ = 0;  // of unfinished_.requests
    State state_ = State::start;
    ReplyReader reader_;
    wire::Writer out_;
    Changes changes_;
    char status_ = 0;
};

}  // namespace leasehold::postgres
