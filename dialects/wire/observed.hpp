// SPDX-License-Identifier: Apache-2.0
// The statements of one session as they are given to a server and as their replies end, for whoever wants to know of
// each (a log of slow ones, an echo). Kept by a tracker while somebody does, and by nobody else; no clock, no text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace leasehold::wire {

class StatementObserver {
  public:
    enum class Kind : std::uint8_t { query, prepare, execute, call };
    enum class End : std::uint8_t {
        done,
        failed,   // `error`: SQLSTATE or number
        skipped,  // the server passed it over, after an error of one in front of it
        lost,     // its reply did not come to its end
    };
    struct Begun {
        Kind kind = Kind::query;
        std::string_view text;   // as the client wrote it, its beginning at least; valid during the call
        std::size_t length = 0;  // of all of it
    };

    StatementObserver() = default;
    StatementObserver(const StatementObserver&) = delete;
    StatementObserver& operator=(const StatementObserver&) = delete;
    virtual ~StatementObserver() = default;
    // In the order in which they are sent, behind those whose replies are due.
    virtual void began(const Begun& statement) = 0;
    // The oldest of them.
    virtual void ended(End how, std::string_view error) = 0;
};
[[nodiscard]] std::string_view to_string(StatementObserver::Kind kind) noexcept;
[[nodiscard]] std::string_view to_string(StatementObserver::End how) noexcept;

// Which of a tracker's requests, by rising numbers, are statements under way.
class Observed {
  public:
    explicit Observed(StatementObserver& by) noexcept : by_(by) {}

    void begin(std::uint64_t request, const StatementObserver::Begun& statement);
    // Its reply, which may go on, says that it was carried out.
    void done(std::uint64_t request) noexcept;
    // The first at or behind that request.
    void failed(std::uint64_t request, std::string_view error) noexcept;
    // The replies to all requests up to this one are complete.
    void ended(std::uint64_t request);
    void lost();

  private:
    struct Mark {
        std::uint64_t request = 0;
        bool carried_out = false;
        std::array<char, 6> error{};  // NUL: none
    };
    StatementObserver& by_;
    std::vector<Mark> marks_;  // from first_ on
    std::size_t first_ = 0;
};

}  // namespace leasehold::wire
