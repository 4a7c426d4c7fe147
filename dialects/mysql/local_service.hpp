// SPDX-License-Identifier: Apache-2.0
// The console's side of the protocol: COM_QUERY of a client whose commands leasehold itself answers, as text result
// sets. What clients say on their own account when they connect is answered here and never becomes a command.
#pragma once

#include "dialects/mysql/local_courtesy.hpp"
#include "dialects/mysql/messages.hpp"

namespace leasehold::mysql {

class LocalService final : public dialects::LocalService {
  public:
    LocalService(Capabilities client, ConsoleIdentity identity) noexcept
        : identity_(std::move(identity)), deprecate_eof_((client & cap::deprecate_eof) != 0),
          attributes_((client & cap::query_attributes) != 0), extended_((client & cap::extended_types) != 0) {}
    [[nodiscard]] Command next(wire::Bytes in, wire::Outbox& to_client) override;
    void result(const dialects::Result& result, wire::Outbox& to_client) override;
    void error(const wire::Diagnostics& error, wire::Outbox& to_client) override;

  private:
    [[nodiscard]] bool answered(std::string_view text, wire::Outbox& to_client);
    [[nodiscard]] wire::Diagnostics said(const wire::Diagnostics& error) const;
    ConsoleIdentity identity_;
    bool deprecate_eof_, attributes_, extended_;
    std::vector<std::string> notices_;  // of the last command: SHOW WARNINGS gives them
};

}  // namespace leasehold::mysql
