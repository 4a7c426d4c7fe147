// SPDX-License-Identifier: Apache-2.0
// A session's tracker between a client and servers that do what the fuzzer says, in the relay's place: bytes of either
// side in chunks, leases that are had, refused or waited for, backends that change and die. Each program runs twice, its
// chunks whole and in pieces; both must say and send the same. What leasehold itself writes never lands in the middle of
// a message, for either side.
//
// `Dialect` names Tracker, Lease and Frames (where messages end), and makes trackers, leases and losses; it `copies` where
// a message that is passed on may be in pieces of the tracker's own.
#pragma once

#include "dialects/wire/tracker.hpp"
#include "tests/fuzz/target.hpp"

#include <memory>

namespace leasehold::fuzz {

template <class Dialect>
class Session {
  public:
    Session(typename Dialect::Options options, std::uint8_t cut)
        : dialect_(options), tracker_(dialect_.tracker()), pieces_(cut) {
        renew(0);
    }

    // How the next lease is had.
    enum class Policy : std::uint8_t { grant, refuse, wait };

    void client(Bytes chunk) {
        received_ += chunk.size();
        while (!chunk.empty() && !over_) {
            const Bytes part = cut(chunk);
            append(held_, part);
            if (!waiting_) offer();
        }
        note();
    }

    void server(Bytes chunk) {
        received_ += chunk.size();
        bool boundary = false;
        while (!chunk.empty() && !over_ && tracker_->attached()) {
            append(owed_, cut(chunk));
            boundary = from_backend();
        }
        if (boundary && !over_ && tracker_->attached()) at_boundary();
        if (!over_ && !waiting_) offer();
        note();
    }

    void policy(Policy next, std::uint8_t backend) {
        policy_ = next;
        if (!tracker_->attached()) renew(backend);
        if (waiting_ && !over_) {
            waiting_ = false;
            offer();
        }
        note();
    }

    void lose(wire::Loss loss) {
        if (over_ || !tracker_->attached()) return;
        leave(loss);
        if (!over_ && !waiting_) offer();
        note();
    }

    void farewell() {
        if (over_) return;
        tracker_->farewell(dialect_.error(), to_client_);
        over_ = true;
        ship();
        note();
    }

    [[nodiscard]] bool over() const noexcept { return over_; }
    // All that was seen and sent.
    std::string said, sent_to_client, sent_to_backend;

  private:
    static void append(Raw& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
    Bytes cut(Bytes& chunk) {
        const Bytes part = chunk.first(pieces_.next(chunk.size()));
        chunk = chunk.subspan(part.size());
        return part;
    }

    void offer() {
        for (std::size_t rounds = 0;; ++rounds) {
            require(rounds < 64 + received_, "offering a client's bytes comes to an end");
            const Raw exact(held_);
            const wire::Verdict verdict = tracker_->from_client(exact, to_backend_, to_client_);
            require(verdict.consumed <= exact.size(), "no more is consumed than was there");
            held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(verdict.consumed));
            require(tracker_->attached() || to_backend_.empty(), "nothing is written to no backend");
            ship();
            switch (verdict.kind) {
                case wire::Verdict::Kind::more: return;
                case wire::Verdict::Kind::lease:
                    if (!lease()) return;
                    break;
                case wire::Verdict::Kind::own:
                    require(tracker_->attached(), "only a backend that is held can become the session's own");
                    if (tracker_->refuse(dialect_.error(), to_client_) == wire::Aftermath::ends) over_ = true;
                    ship();
                    if (over_) return;
                    break;
                case wire::Verdict::Kind::close: said += "close;"; [[fallthrough]];
                case wire::Verdict::Kind::fatal: over_ = true; return;
                case wire::Verdict::Kind::boundary:
                    require(tracker_->attached(), "a lease that ends was had");
                    at_boundary();
                    break;
                // What the daemon does for a session (KILL, another user) is not played here: it ends with it.
                case wire::Verdict::Kind::errand: over_ = true; return;
                case wire::Verdict::Kind::unsure: return;  // the next reply tells
                case wire::Verdict::Kind::lost:
                case wire::Verdict::Kind::refused: violated("a client's bytes lose no lease");
            }
        }
    }

    void at_boundary() {
        require(!tracker_->busy(), "nothing is outstanding at a boundary");
        require(tracker_->status() == wire::TransactionStatus::idle, "no transaction is open at a boundary");
        if (!tracker_->pin().empty()) return;
        const bool dirty = tracker_->dirty();
        tracker_->detach();
        if (dirty) renew(0);
    }

    // False: it is waited for.
    bool lease() {
        require(!tracker_->attached(), "a second lease is not asked for");
        switch (policy_) {
            case Policy::wait: waiting_ = true; return false;
            case Policy::refuse:
                if (tracker_->refuse(dialect_.error(), to_client_) == wire::Aftermath::ends) over_ = true;
                ship();
                return !over_;
            case Policy::grant: break;
        }
        dialect_.align(*tracker_, *lease_);
        tracker_->attach(*lease_);
        backend_frames_ = {};
        require(tracker_->attached(), "a backend is attached");
        return true;
    }

    // True at a boundary.
    bool from_backend() {
        for (;;) {
            const Raw exact(owed_);
            const wire::Verdict verdict = tracker_->from_backend(exact, to_client_, to_backend_);
            require(verdict.consumed <= exact.size(), "no more is consumed than was there");
            owed_.erase(owed_.begin(), owed_.begin() + static_cast<std::ptrdiff_t>(verdict.consumed));
            ship();
            switch (verdict.kind) {
                case wire::Verdict::Kind::more: return false;
                case wire::Verdict::Kind::unsure:  // the next reply tells
                    if (owed_.empty()) return false;
                    break;
                case wire::Verdict::Kind::boundary:
                    if (owed_.empty()) return true;
                    break;  // what is unread belongs to nobody: seen by the next call
                case wire::Verdict::Kind::lost: leave({wire::Loss::Kind::backend, "gone", false}); return false;
                case wire::Verdict::Kind::refused:
                    leave({wire::Loss::Kind::settings, "a setting was refused", false});
                    return false;
                case wire::Verdict::Kind::fatal: over_ = true; return false;
                case wire::Verdict::Kind::close:
                case wire::Verdict::Kind::own:
                case wire::Verdict::Kind::errand:
                case wire::Verdict::Kind::lease: violated("a server's bytes need no lease");
            }
        }
    }

    void leave(const wire::Loss& loss) {
        if (tracker_->lose(loss, to_client_) == wire::Aftermath::ends) over_ = true;
        require(!tracker_->attached(), "what is lost is detached");
        ship();
        require(over_ || client_frames_.between(), "a session that lives has whole messages behind it");
        renew(0);
    }

    void renew(std::uint8_t kind) {
        lease_ = dialect_.lease(kind);
        owed_.clear();
    }

    void ship() {
        ship(to_client_, client_frames_, sent_to_client);
        ship(to_backend_, backend_frames_, sent_to_backend);
        const std::size_t sent = sent_to_client.size() + sent_to_backend.size();
        require(sent <= (64u << 10) + 64 * received_ + received_ * received_, "what is sent is bounded");
    }
    static void ship(wire::Outbox& box, typename Dialect::Frames& frames, std::string& sent) {
        for (const wire::Outbox::Segment& segment : box.segments()) {
            require(segment.borrowed != nullptr || Dialect::copies || frames.between(),
                    "own words begin between two messages");
            const Bytes bytes = box.bytes(segment);
            frames.pass(bytes);
            sent += wire::as_text(bytes);
        }
        box.clear();
    }

    void note() {
        said += std::to_string(static_cast<int>(tracker_->status())) + (tracker_->attached() ? 'a' : '-') +
                (tracker_->busy() ? 'b' : '-') + (tracker_->completes() ? 'c' : '-') + (tracker_->dirty() ? 'd' : '-') +
                (over_ ? 'o' : '-') + (waiting_ ? 'w' : '-');
        (said += tracker_->pin()) += ';';
        (void)tracker_->ends_with_goodbye(held_);
        for (const std::string& statement : tracker_->transcript(false)) {
            require(statement.size() <= 1024, "the transcript is short");
        }
    }

    Dialect dialect_;
    std::unique_ptr<typename Dialect::Tracker> tracker_;
    std::unique_ptr<typename Dialect::Lease> lease_;
    Pieces pieces_;
    Policy policy_ = Policy::grant;
    wire::Outbox to_client_, to_backend_;
    typename Dialect::Frames client_frames_, backend_frames_;
    Raw held_, owed_;
    std::size_t received_ = 0;
    bool over_ = false, waiting_ = false;
};

// The program: options, how pieces are cut, then steps. Messages of one side that follow each other are one chunk.
template <class Dialect>
class Program {
  public:
    explicit Program(Bytes data) : data_(data) {}

    void run() {
        Input input(data_);
        const typename Dialect::Options options = Dialect::options(input);
        const std::uint8_t cut = input.u8();
        [[maybe_unused]] const auto kept = Dialect::keep();
        Session<Dialect> whole(options, Pieces::whole), pieces(options, cut);
        play(input, whole);
        if (long_message_) return;  // what is longer than a tracker waits for may be judged by its beginning
        play(input, pieces);
        require_same(whole.sent_to_client, pieces.sent_to_client, "what the client gets");
        require_same(whole.sent_to_backend, pieces.sent_to_backend, "what the backends get");
        require_same(whole.said, pieces.said, "verdicts");
    }

  private:
    enum class Step : std::uint8_t { client, server, raw_client, raw_server, end_chunk, lose, policy, long_message };

    void play(Input input, Session<Dialect>& session) {
        client_.clear();
        server_.clear();
        for (int steps = 0; !input.empty() && !session.over() && steps < 200; ++steps) {
            const std::uint8_t op = input.u8();
            switch (static_cast<Step>(op & 7)) {
                case Step::client: Dialect::message(chunk(session, false), input, op, true); break;
                case Step::server: Dialect::message(chunk(session, true), input, op, false); break;
                case Step::raw_client: raw(chunk(session, false), input); break;
                case Step::raw_server: raw(chunk(session, true), input); break;
                case Step::end_chunk: deliver(session); break;
                case Step::lose:
                    deliver(session);
                    if (op == 0xFD) {
                        session.farewell();
                    } else {
                        session.lose({static_cast<wire::Loss::Kind>(op >> 3 & 3), "gone", (op & 0x20) != 0});
                    }
                    break;
                case Step::policy:
                    deliver(session);
                    session.policy(static_cast<typename Session<Dialect>::Policy>((op >> 3) % 3), op >> 5);
                    break;
                case Step::long_message: {
                    const bool from_server = (op & 8) != 0;
                    long_message_ = true;
                    Dialect::long_message(chunk(session, from_server), input);
                    break;
                }
            }
        }
        deliver(session);
    }

    static void raw(Raw& to, Input& input) {
        const Bytes bytes = input.take(input.u8());
        to.insert(to.end(), bytes.begin(), bytes.end());
    }
    Raw& chunk(Session<Dialect>& session, bool server) {
        if (!(server ? client_ : server_).empty()) deliver(session);
        return server ? server_ : client_;
    }
    void deliver(Session<Dialect>& session) {
        if (!client_.empty()) session.client(std::exchange(client_, {}));
        if (!server_.empty()) session.server(std::exchange(server_, {}));
    }

    Bytes data_;
    Raw client_, server_;
    bool long_message_ = false;
};

}  // namespace leasehold::fuzz
