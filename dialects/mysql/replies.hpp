// SPDX-License-Identifier: Apache-2.0
// Following a server's reply to one command, packet by packet, however its bytes arrive: where it ends, what its last
// status says, what it leaves behind. "Text Protocol" and "Binary Protocol" of the manual. Bodies are passed over as
// they come; only the first bytes of a packet must be seen together.
#pragma once

#include "dialects/mysql/messages.hpp"

#include <string>
#include <vector>

namespace leasehold::mysql {

// What comes back.
enum class Shape : std::uint8_t {
    simple,      // one OK, EOF or ERR
    query,       // OK, ERR, LOCAL INFILE or result sets, several of them (COM_QUERY, COM_STMT_EXECUTE)
    prepare,     // a statement's id and the definitions of its parameters and columns
    field_list,  // column definitions up to an EOF
    statistics,  // one packet of text
    fetch,       // rows up to an EOF
};

class Reply {
  public:
    enum class Event : std::uint8_t {
        more,      // bytes are missing
        packet,    // one begins at in[at] that was asked for (stop_at); the next call passes over it
        complete,  // the reply has ended
        infile,    // the server waits for a file of the client's
        farewell,  // the server says that it ends the connection; the packet is not consumed
        bad,       // not the protocol
    };

    // For commands of our own: `keep_first_row` keeps the first field of the first row, `keep_error` the beginning of an
    // error's packet.
    void start(Shape shape, bool deprecate_eof, bool keep_first_row = false, bool keep_error = false) noexcept;
    [[nodiscard]] bool active() const noexcept { return phase_ != Phase::none; }
    // Moves `at` over what is used of in[at..]; stops behind a reply's end. Not to be called when !active().
    [[nodiscard]] Event advance(Bytes in, std::size_t& at) noexcept;

    // For who converts a reply: where advance() stops on its way. After start().
    enum class Stops : std::uint8_t { nowhere, changes, packets };
    void stop_at(Stops stops) noexcept { stops_ = stops; }
    // What the packet is that advance() stopped at.
    enum class Part : std::uint8_t {
        other,            // an error, a request for a file, more of a long row
        definition,       // of a column or a parameter
        last_definition,  // ... of those in a row; from a server with DEPRECATE_EOF no EOF follows
        definitions_end,  // the EOF behind them
        row,
        ok,
        end,  // of rows or definitions: EOF, or OK with its header. With a cursor the rows stay in the server
    };
    [[nodiscard]] Part part() const noexcept { return part_; }
    // The session state information of all OKs, entry behind entry. An OK that has some is consumed when all of it is
    // there; what is longer than this is lost.
    static constexpr std::uint32_t max_kept_ok = 64 * 1024;
    [[nodiscard]] const std::string& changes() const noexcept { return changes_; }
    // Of which results they are: where in changes() each OK's begin, and how many results came before it.
    struct ChangesOf {
        std::size_t at = 0;
        std::size_t result = 0;
    };
    [[nodiscard]] const std::vector<ChangesOf>& changes_of() const noexcept { return changes_of_; }
    [[nodiscard]] std::size_t results() const noexcept { return results_; }
    [[nodiscard]] bool changes_lost() const noexcept { return changes_lost_; }

    // Nothing has been consumed of it yet.
    [[nodiscard]] bool untouched() const noexcept { return !touched_; }
    // In the middle of a packet.
    [[nodiscard]] bool in_packet() const noexcept { return body_left_ > 0 || continued_; }
    // An ERR packet may stand here: in place of the reply or of a row.
    [[nodiscard]] bool error_fits() const noexcept {
        return !in_packet() && (phase_ == Phase::first || phase_ == Phase::rows || phase_ == Phase::infile_end);
    }
    [[nodiscard]] std::uint8_t next_sequence() const noexcept { return next_sequence_; }

    // Of what has been seen so far; final with `complete`.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] std::uint16_t error() const noexcept { return error_; }
    [[nodiscard]] const std::string& error_packet() const noexcept { return error_packet_; }
    [[nodiscard]] bool has_status() const noexcept { return has_status_; }
    [[nodiscard]] std::uint16_t status() const noexcept { return status_; }
    [[nodiscard]] std::uint64_t insert_id() const noexcept { return insert_id_; }  // the last that was not zero
    [[nodiscard]] bool warned() const noexcept { return warned_; }
    [[nodiscard]] bool had_rows() const noexcept { return had_rows_; }  // a result set came
    // Of a prepared statement.
    [[nodiscard]] std::uint32_t statement() const noexcept { return statement_; }
    [[nodiscard]] std::uint16_t parameters() const noexcept { return parameters_; }
    // Of a prepared statement, or of the first result set; 0: none.
    [[nodiscard]] std::uint16_t columns() const noexcept { return static_cast<std::uint16_t>(columns_); }
    [[nodiscard]] const std::string& first_field() const noexcept { return first_field_; }

  private:
    enum class Phase : std::uint8_t {
        none,
        simple,
        first,  // of a reply, or of a further one after MORE_RESULTS
        columns,
        columns_end,
        rows,
        infile_end,  // OK or ERR behind a client's file
        prepare,
        parameters,
        parameters_end,
        prepared_columns,
        prepared_columns_end,
        field_list,
        statistics,
        done,
    };
    [[nodiscard]] std::size_t definitions_behind(Bytes body) const noexcept;
    [[nodiscard]] bool worth_passing(Bytes in, std::uint32_t length) const noexcept;
    [[nodiscard]] Event judge(std::uint32_t length, Bytes head, Bytes body) noexcept;
    [[nodiscard]] Event on_first(std::uint32_t length, Bytes head, Bytes body) noexcept;
    [[nodiscard]] Event on_definition() noexcept;
    [[nodiscard]] Event on_row(std::uint32_t length, Bytes head, Bytes body) noexcept;
    [[nodiscard]] Event on_prepare(Bytes head) noexcept;
    [[nodiscard]] Event on_terminal(std::uint32_t length, Bytes body) noexcept;
    [[nodiscard]] bool take_changes(std::uint32_t length, Bytes body) noexcept;
    [[nodiscard]] bool stops_here() const noexcept {
        return stops_ == Stops::packets || (stops_ == Stops::changes && changed_);
    }
    [[nodiscard]] Event on_error(Bytes head) noexcept;
    void take(const Ok& ok) noexcept;
    void next_definitions(Phase definitions) noexcept;

    Phase phase_ = Phase::none;
    bool deprecate_eof_ = false;
    bool keep_first_row_ = false;
    bool keep_error_ = false;
    std::string error_packet_;
    bool touched_ = false;
    bool continued_ = false;  // the last packet had the greatest length: another belongs to it
    bool failed_ = false;
    bool has_status_ = false;
    bool warned_ = false;
    bool had_rows_ = false;
    bool infile_due_ = false;
    bool out_params_ = false;  // of the result set in progress
    Stops stops_ = Stops::nowhere;
    Part part_ = Part::other;
    bool stopped_ = false;  // at the packet that comes next: it has been judged
    bool waits_ = false;    // for the end of the packet
    bool changed_ = false;  // the packet is an OK with session state information
    bool changes_lost_ = false;
    std::string changes_;
    std::vector<ChangesOf> changes_of_;
    std::size_t results_ = 0;
    std::uint8_t next_sequence_ = 1;
    std::uint16_t status_ = 0;
    std::uint16_t error_ = 0;
    std::uint32_t body_left_ = 0;
    std::uint32_t definitions_left_ = 0;
    std::uint32_t columns_ = 0;
    std::uint32_t statement_ = 0;
    std::uint16_t parameters_ = 0;
    std::uint64_t insert_id_ = 0;
    std::string first_field_;
};

}  // namespace leasehold::mysql
