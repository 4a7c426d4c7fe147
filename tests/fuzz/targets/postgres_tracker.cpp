// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL session between a client and servers of any behaviour.
#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/tracker.hpp"
#include "tests/fuzz/session.hpp"

namespace leasehold::fuzz {
namespace {

// Where messages end: a type, and a length that counts itself.
class PostgresFrames {
  public:
    [[nodiscard]] bool between() const noexcept { return left_ == 0 && header_.empty(); }
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
            if (header_.size() < postgres::header_size) continue;
            const postgres::Header header = postgres::header_at(header_);
            require(header.length >= 4, "a message's length counts itself");
            left_ = header.body();
            header_.clear();
        }
    }

  private:
    Raw header_;
    std::size_t left_ = 0;
};

struct Postgres {
    using Tracker = postgres::Tracker;
    using Lease = postgres::PostgresLease;
    using Frames = PostgresFrames;
    using Options = std::uint8_t;
    static constexpr bool copies = false;

    explicit Postgres(Options options) : choice(options) {}
    static Options options(Input& input) { return input.u8(); }
    // Statements are numbered as they come, and those that were seen keep their numbers as long as this lives.
    static auto keep() { return postgres::StatementCache::local(64u << 20); }

    [[nodiscard]] std::unique_ptr<Tracker> tracker() const {
        postgres::TrackerOptions made;
        made.user = "app";
        for (const auto& [name, value] : usual) made.parameters.emplace_back(name, value);
        made.mode = static_cast<wire::LeaseMode>(choice % 3);
        made.disconnect_on_loss = choice / 3 % 4 == 3;
        made.prepared_per_client = choice % 2 == 0 ? 1000 : 3;
        if (choice >= 128) made.startup.set("search_path", "pg_temp, public");
        return std::make_unique<Tracker>(std::move(made));
    }
    // kind: 0 a new one; else one that another session or server version has left its marks on.
    [[nodiscard]] std::unique_ptr<Lease> lease(std::uint8_t kind) const {
        auto made = std::make_unique<Lease>(kind % 2 == 0 ? 200u : 2u);
        for (const auto& [name, value] : usual) {
            made->reported.set(name, value);
            made->defaults.set(name, value);
        }
        if (kind / 2 % 2 != 0) made->unnamed = {UINT64_MAX, 7};
        if (kind / 4 % 2 != 0) made->reported.set("TimeZone", "Asia/Tokyo");
        return made;
    }
    static void align(const Tracker& tracker, Lease& lease) { lease.held = tracker.settings(); }
    static wire::Diagnostics error() { return postgres::failure(postgres::Fault::pool_timeout, "all are busy"); }

    static void message(Raw& to, Input& input, std::uint8_t op, bool) {
        const std::uint8_t type = input.u8();
        const std::size_t size = (op & 8) != 0 ? input.u16() & 0xFFF : input.u8();
        const Bytes body = input.take(size);
        const int lie = (op & 0x80) != 0 ? static_cast<int>(op >> 4 & 7) - 3 : 0;
        wire::Writer out;
        out.u8(type);
        out.u32be(static_cast<std::uint32_t>(static_cast<int>(body.size()) + 4 + lie));
        out.append(body);
        to.insert(to.end(), out.bytes().begin(), out.bytes().end());
    }
    static void long_message(Raw& to, Input& input) {
        const std::uint8_t type = input.u8();
        const std::size_t size = std::size_t{input.u8()} << 10;
        const Bytes front = input.take(input.u8());
        const std::uint8_t filler = input.u8();
        const Bytes back = input.take(input.u8());
        wire::Writer out;
        out.u8(type);
        out.u32be(static_cast<std::uint32_t>(front.size() + size + back.size() + 4));
        out.append(front);
        out.append(Raw(size, filler));
        out.append(back);
        to.insert(to.end(), out.bytes().begin(), out.bytes().end());
    }

    static constexpr std::pair<std::string_view, std::string_view> usual[] = {{"application_name", ""},
                                                                              {"client_encoding", "UTF8"},
                                                                              {"DateStyle", "ISO, MDY"},
                                                                              {"standard_conforming_strings", "on"},
                                                                              {"TimeZone", "UTC"}};
    std::uint8_t choice;
};

const Registered registered("postgres_tracker", [](Bytes data) { Program<Postgres>(data).run(); });

}  // namespace
}  // namespace leasehold::fuzz
