// SPDX-License-Identifier: Apache-2.0
// What one session listens to while a connection of leasehold's own hears it: which channels are registered, the marks that
// tell where a LISTEN or UNLISTEN of its took effect, and the notifications that wait for its client. A plain value.
//
// In place of LISTEN the session's transaction gets a NOTIFY of a mark. The server queues it with all other notifications in
// the order of commits and forgets it on ROLLBACK: it comes back just where the registration holds from, or never.
#pragma once

#include "dialects/postgres/listen_text.hpp"
#include "dialects/wire/errand.hpp"
#include "dialects/wire/listener.hpp"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace leasehold::postgres {

// 32 characters that nobody guesses: whoever can say a mark registers its session.
[[nodiscard]] std::string new_nonce();

class Listening {
  public:
    static constexpr std::size_t most_channels = 4096;
    static constexpr std::size_t most_along = 100;          // channels that its backends listen to as well
    static constexpr std::size_t most_waiting = 16u << 20;  // bytes

    // --- what the ear does for it
    void ready(const std::string& channel, const std::string& mark_channel, std::uint64_t session);
    // `idle`: between the session's transactions, where a server tells it at once. What comes in one is sorted at its end.
    void heard(const wire::AnnouncementPtr& said, bool idle);
    void lost();
    void restored(const std::string& mark_channel);
    [[nodiscard]] std::vector<std::string> wanted() const { return {wanted_.begin(), wanted_.end()}; }
    [[nodiscard]] std::vector<std::string> take_unwanted() { return std::exchange(unwanted_, {}); }
    // What nobody needs to hear any more is unwanted. The last mark may have come before its transaction's end was told.
    void release_unused();
    [[nodiscard]] bool has_unwanted() const noexcept { return !unwanted_.empty(); }
    [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
    [[nodiscard]] bool deaf() const noexcept { return deaf_; }  // nothing is heard now

    // --- the session's statements
    [[nodiscard]] bool hears(const std::string& channel) const { return wanted_.contains(channel); }
    [[nodiscard]] bool has_room() const noexcept { return wanted_.size() < most_channels; }
    // There is something that UNLISTEN would end.
    [[nodiscard]] bool anything() const noexcept { return !registered_.empty() || !marks_.empty(); }
    // What the server is given in place of the order; `request`: the number of what was sent, `statement`: its place in it.
    [[nodiscard]] std::string mark(const ListenOrder& order, std::uint64_t request, std::size_t statement = 0);
    // Of the statement of the request that runs now; empty: it stands as it was sent.
    [[nodiscard]] std::string_view tag(std::uint64_t request) const noexcept;
    void statement_done(std::uint64_t request) noexcept;
    // A text of several statements, with marks in the place of some.
    [[nodiscard]] std::string rewrite(std::string_view sql, const std::vector<ListenPart>& parts, std::uint64_t request,
                                      bool utf8);
    // A position in it, as the client's own text has it.
    [[nodiscard]] std::size_t original(std::uint64_t request, std::size_t position) const noexcept;
    // Answers SELECT pg_listening_channels().
    [[nodiscard]] std::string channels_query(const ListenOrder& order) const;
    // The transaction is over; `committed`: as far as the session knows.
    void over(bool committed);
    // Everything said before has been heard: marks of transactions that are over and have not come back never will.
    void caught_up();
    void keep_waiting() noexcept;  // what has come was said before what the session does next
    // --- a transaction's backend hears beside the ear (listening_along.cpp)
    // Its transaction begins, and may listen to channels that the ear does not hear yet.
    [[nodiscard]] bool may_begin_along() const noexcept {
        return !registered_.empty() && registered_.size() <= most_along && !deaf_;
    }
    // What its backend has to listen to then, but does not yet: it does from now on.
    [[nodiscard]] std::vector<std::string> begin_along();
    // It is to listen to that channel as well. False: it surely does, or nobody began.
    [[nodiscard]] bool add_along(const std::string& channel);
    [[nodiscard]] bool along() const noexcept { return along_ != nullptr; }
    [[nodiscard]] std::vector<std::string> along_channels() const;
    // Its backend said so; `idle`: between transactions, where the ear is enough. False: not for this, and the client's.
    [[nodiscard]] bool heard_along(wire::Bytes notification, bool idle);
    void leave_along() noexcept { along_.reset(); }  // another backend follows, or none

    void forget_all();                      // DISCARD ALL, or the like on the backend itself
    void forget(const ListenOrder& order);  // UNLISTEN, likewise
    // A text of several statements, or DO, which is sent as it is: what it unlistens to goes when it has been answered.
    void note_others(std::string_view sql, std::uint64_t request);
    void answered(std::uint64_t request, bool failed);

    // --- what waits for the client
    [[nodiscard]] bool waiting() const noexcept { return !queue_.empty(); }
    void deliver(wire::Writer& to_client);

    ListenOrder portal{};      // what executing the unnamed portal does
    wire::Errand errand{};     // what is asked of the daemon
    bool fresh = false;        // UNLISTEN may go: what was said before has been heard
    bool held = false;         // a ReadyForQuery waits until all that was said before it has been heard
    bool left = false;         // the client said goodbye: nothing is waited for any more
    bool rolled_back = false;  // the last tag was ROLLBACK
    std::string refused{};     // the channel that cannot be heard: its LISTEN is left to the backend

  private:
    struct Mark {
        std::string nonce;
        ListenOrder order;
        std::uint64_t request = 0;
        bool over = false, committed = false;
        bool astray = false;  // may come back while nobody hears it
        bool along = false;   // of a channel that the backend listens to as well
    };
    struct Tag {
        std::uint64_t request = 0;
        std::size_t statement = 0;
        std::string_view tag;
        std::size_t from = 0, to = 0, was = 0;  // characters: where the mark stands, and how long the order was
    };
    struct Waiting {
        wire::AnnouncementPtr said;  // null: the warning that some were missed
        bool certain = false;        // its client is told in any case; else if it listens to the channel by then
    };
    void apply(const Mark& mark, std::uint32_t from);
    void keep(const wire::AnnouncementPtr& said, bool certain);
    void settle_astray();
    void meet_along(const Mark& mark);
    void join_along();

    struct Along {
        std::set<std::string, std::less<>> channels;  // that the backend listens to, or may: a savepoint takes it back
        std::set<std::string, std::less<>> surely;    // of these: since a transaction of their own
        std::set<std::string, std::less<>> since;     // of these: in this transaction, as the ear does
        std::string mark_channel;
        std::vector<wire::AnnouncementPtr> said;  // by the backend, at the transaction's end
        std::size_t bytes = 0;
        bool apart = false;  // it listens to a channel that the backend does not hear
        // Its last mark, and how much the ear had heard before.
        std::string nonce;
        std::size_t heard = 0;
    };
    std::unique_ptr<Along> along_;
    std::string mark_channel_;
    std::uint64_t session_ = 0;
    std::map<std::string, std::uint64_t, std::less<>> registered_;  // with its place in the order of registration
    std::uint64_t registrations_ = 0;
    std::set<std::string> wanted_;
    std::vector<std::string> unwanted_;
    std::vector<Mark> marks_;                                        // that have not come back
    std::vector<std::pair<std::uint64_t, ListenOrder>> forgetting_;  // by request
    std::pair<std::uint64_t, std::size_t> running_{};  // a request, and how many statements of it are done
    std::vector<Tag> tags_;                            // of requests that are not answered: a mark may be back before
    std::deque<Waiting> queue_;
    std::size_t queued_ = 0;                    // bytes
    std::vector<wire::AnnouncementPtr> early_;  // on channels whose LISTEN is under way: perhaps of its own transaction
    std::size_t early_bytes_ = 0;
    bool deaf_ = false, gap_ = false, overflowed_ = false;
};

}  // namespace leasehold::postgres
