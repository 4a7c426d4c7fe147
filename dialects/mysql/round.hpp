// SPDX-License-Identifier: Apache-2.0
// Commands of leasehold's own to a server that waits for one: written together, answered one by one, each by an OK, an
// ERR or a result set that is passed over. What ping, reset, align, finish and cancel have in common.
#pragma once

#include "dialects/mysql/replies.hpp"

namespace leasehold::mysql {

class Round final : public wire::Exchange {
  public:
    explicit Round(bool deprecate_eof) noexcept : deprecate_eof_(deprecate_eof) {}
    // Before the first resume. `keep_first_row`: of this command's reply.
    Round& command(Command command, std::string_view argument = {}, bool keep_first_row = false);

    // Ends with errc::server_error for the first ERR, after all replies have come; diagnostics are the server's.
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;

    [[nodiscard]] std::uint16_t status() const noexcept { return status_; }      // of the last OK
    [[nodiscard]] std::size_t failed_at() const noexcept { return failed_at_; }  // number of the command
    [[nodiscard]] const std::string& first_field() const noexcept { return first_field_; }

  private:
    [[nodiscard]] wire::Action fail(std::error_code error, std::string_view message);

    bool deprecate_eof_;
    bool started_ = false;
    bool finished_ = false;
    wire::Writer out_;
    struct Asked {
        Shape shape = Shape::query;
        bool keeps = false;  // the first row
    };
    std::vector<Asked> asked_;
    std::size_t answered_ = 0;
    std::size_t failed_at_ = SIZE_MAX;
    Reply reply_;
    std::uint16_t status_ = 0;
    std::string first_field_;
};

}  // namespace leasehold::mysql
