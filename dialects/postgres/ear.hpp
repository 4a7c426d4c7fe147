// SPDX-License-Identifier: Apache-2.0
// The protocol of the connection that listens for all sessions of a database: simple queries of LISTEN and UNLISTEN, their
// answers, and what was said meanwhile. No sockets.
#pragma once

#include "dialects/postgres/round.hpp"
#include "dialects/wire/listener.hpp"

namespace leasehold::postgres {

// "17 0123abcd", said on the channel of marks: becomes the session and what it said. False: nobody of ours wrote it.
[[nodiscard]] bool read_mark(wire::Announcement& said);

class Ear final : public wire::Ear {
  public:
    // `mark_channel`: of the connection before this one; empty: a new one.
    explicit Ear(std::string mark_channel);
    void listen(const std::vector<std::string>& channels, wire::Outbox& to_server) override;
    void unlisten(const std::vector<std::string>& channels, wire::Outbox& to_server) override;
    void probe(wire::Outbox& to_server) override;
    [[nodiscard]] const std::string& mark_channel() const noexcept override { return mark_channel_; }
    [[nodiscard]] Event next(wire::Inbox& from_server) override;

  private:
    [[nodiscard]] Event on_message(const ReplyReader::Event& message);

    std::string mark_channel_;  // of this connection alone, not to be guessed
    ReplyReader reader_{0, true};
    std::size_t asked_ = 0;  // requests without their answers
    bool failed_ = false;
    wire::Diagnostics error_;
};

}  // namespace leasehold::postgres
