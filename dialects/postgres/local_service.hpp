// SPDX-License-Identifier: Apache-2.0
// The console's side of the protocol: simple and extended queries of a client whose commands leasehold itself answers.
// No parameters. No sockets and no commands live here.
#pragma once

#include "dialects/dialect.hpp"

#include <map>

namespace leasehold::postgres {

class LocalService final : public dialects::LocalService {
  public:
    [[nodiscard]] Command next(wire::Bytes in, wire::Outbox& to_client) override;
    void result(const dialects::Result& result, wire::Outbox& to_client) override;
    void error(const wire::Diagnostics& error, wire::Outbox& to_client) override;
    void notice(const std::string& text, wire::Outbox& to_client) override;

  private:
    enum class Answering : std::uint8_t { nothing, query, describe, execute };
    [[nodiscard]] Command on_message(std::uint8_t type, wire::Bytes body, std::size_t consumed,
                                     wire::Outbox& to_client);
    struct Portal {
        std::string text;
        std::vector<std::uint16_t> formats;  // of the columns: none: text; one: of all
    };
    [[nodiscard]] Command ask(Answering what, Portal portal, std::size_t consumed);
    void bind(wire::Cursor& cursor, wire::Writer& out);
    [[nodiscard]] Command look_up(std::uint8_t type, wire::Cursor& cursor, std::size_t consumed, wire::Writer& out);
    void fail_extended(wire::Writer& out, const wire::Diagnostics& error);

    Answering answering_ = Answering::nothing;
    bool skipping_ = false;                          // after an error, to the next Sync
    std::map<std::string, std::string> statements_;  // name → text; bounded
    std::map<std::string, Portal> portals_;          // bounded
    std::vector<std::uint16_t> formats_;             // of what is being answered
};

}  // namespace leasehold::postgres
