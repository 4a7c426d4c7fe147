// SPDX-License-Identifier: Apache-2.0
// A MySQL session between a client and servers of any behaviour.
#include "dialects/mysql/errors.hpp"
#include "dialects/mysql/tracker.hpp"
#include "tests/fuzz/session.hpp"

namespace leasehold::fuzz {
namespace {

// Where messages end: packets of three bytes of length and one of sequence; one of 2^24-1 bytes goes on in the next.
class MysqlFrames {
  public:
    [[nodiscard]] bool between() const noexcept { return left_ == 0 && header_.empty() && !continues_; }
    void pass(Bytes bytes) {
        while (!bytes.empty()) {
            if (left_ > 0) {
                const std::size_t n = std::min(left_, bytes.size());
                left_ -= n;
                bytes = bytes.subspan(n);
                continue;
            }
            header_.push_back(bytes.front());
            bytes = bytes.subspan(1);
            if (header_.size() < mysql::header_size) continue;
            const mysql::Header header = mysql::header_of(header_);
            left_ = header.length;
            continues_ = header.continues();
            header_.clear();
        }
    }

  private:
    Raw header_;
    std::size_t left_ = 0;
    bool continues_ = false;
};

struct Mysql {
    using Tracker = mysql::Tracker;
    using Lease = mysql::MysqlLease;
    using Frames = MysqlFrames;
    using Options = std::uint8_t;
    static constexpr bool copies = true;  // of what is converted

    explicit Mysql(Options options) : choice(options) {}
    static Options options(Input& input) { return input.u8(); }
    static int keep() { return 0; }

    [[nodiscard]] std::unique_ptr<Tracker> tracker() const {
        mysql::TrackerOptions made;
        made.mode = static_cast<wire::LeaseMode>(choice % 3);
        made.disconnect_on_loss = choice / 3 % 4 == 3;
        made.prepared_per_client = choice % 2 == 0 ? 1000 : 2;
        made.max_settings = 4;
        made.capabilities = mysql::cap::multi_statements | mysql::cap::multi_results | mysql::cap::local_files;
        if (choice / 16 % 2 != 0) made.capabilities |= mysql::cap::deprecate_eof;
        if (choice % 7 == 3) made.capabilities |= mysql::cap::query_attributes;
        if ((choice ^ choice / 16) % 2 != 0) made.capabilities |= mysql::cap::session_track;
        made.mariadb = choice / 32 % 2 == 0;
        if (choice / 64 % 2 != 0) made.sql_mode = "ANSI_QUOTES";
        if (choice / 128 != 0) made.status = 0;  // autocommit is off
        return std::make_unique<Tracker>(std::move(made));
    }
    // kind: 0 a new one; else one that other sessions have left their answers in.
    [[nodiscard]] std::unique_ptr<Lease> lease(std::uint8_t kind) const {
        auto made = std::make_unique<Lease>();
        // Whatever the client can: replies are converted.
        if (kind / 4 % 2 == 0) made->capabilities |= mysql::cap::deprecate_eof;
        if (kind / 8 % 2 == 0) made->capabilities |= mysql::cap::session_track;
        made->mariadb = choice / 32 % 2 == 0;
        if (choice / 128 != 0) made->status = 0;
        if (kind % 2 != 0) made->insert_id = 77;
        if (kind / 2 % 2 != 0) {
            made->warnings_of = made->counts_of = mysql::MysqlLease::leaseholds;
            made->has_warnings = true;
        }
        return made;
    }
    static void align(const Tracker& tracker, Lease& lease) { lease.held = tracker.settings(); }
    static wire::Diagnostics error() { return mysql::failure(mysql::Fault::pool_timeout, "all are busy"); }

    // Bits of the step: a longer body; a length that is not the body's. A server's packets have any sequence.
    static void message(Raw& to, Input& input, std::uint8_t op, bool from_client) {
        const std::uint8_t sequence = from_client && (op & 0x10) == 0 ? std::uint8_t{0} : input.u8();
        const std::size_t size = (op & 8) != 0 ? input.u16() & 0xFFF : input.u8();
        const Bytes body = input.take(size);
        const int lie = (op & 0x80) != 0 ? static_cast<int>(op >> 5 & 3) - 1 : 0;
        wire::Writer out;
        out.u24le(static_cast<std::uint32_t>(std::max(0, static_cast<int>(body.size()) + lie)));
        out.u8(sequence);
        out.append(body);
        to.insert(to.end(), out.bytes().begin(), out.bytes().end());
    }
    static void long_message(Raw& to, Input& input) {
        const std::uint8_t sequence = input.u8();
        const std::size_t size = std::size_t{input.u8()} << 8;
        const Bytes front = input.take(input.u8());
        const std::uint8_t filler = input.u8();
        const Bytes back = input.take(input.u8());
        wire::Writer out;
        out.u24le(static_cast<std::uint32_t>(front.size() + size + back.size()));
        out.u8(sequence);
        out.append(front);
        out.append(Raw(size, filler));
        out.append(back);
        to.insert(to.end(), out.bytes().begin(), out.bytes().end());
    }

    std::uint8_t choice;
};

const Registered registered("mysql_tracker", [](Bytes data) { Program<Mysql>(data).run(); });

}  // namespace
}  // namespace leasehold::fuzz
