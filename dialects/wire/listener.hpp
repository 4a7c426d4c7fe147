// SPDX-License-Identifier: Apache-2.0
// Hearing for many sessions what a server announces (PostgreSQL's LISTEN) over one connection of leasehold's own: what was
// said, the side of the connection (Ear) and the side of each session (Listener). Pure; who carries it from the one to the
// others is the daemon's business.
//
// A session's request to listen is an errand: the ear hears the channel first. The session then puts a mark of its own into
// its transaction, which comes back through the ear exactly where the request took effect, or never. So the ear decides
// nothing: it tells each session in order what was said on the channels that it may want, and the session sorts it out.
#pragma once

#include "dialects/wire/buffer.hpp"
#include "dialects/wire/exchange.hpp"

#include <memory>
#include <string>
#include <vector>

namespace leasehold::wire {

struct Announcement {
    std::uint64_t session = 0;  // a mark, for this one alone; 0: for all who want the channel
    std::uint32_t from = 0;     // the server's process that said it
    std::string channel;
    std::string payload;
};
using AnnouncementPtr = std::shared_ptr<const Announcement>;

class Ear {
  public:
    Ear() = default;
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    virtual ~Ear() = default;

    // Each is one request with one answer, in their order.
    virtual void listen(const std::vector<std::string>& channels, Outbox& to_server) = 0;
    virtual void unlisten(const std::vector<std::string>& channels, Outbox& to_server) = 0;
    virtual void probe(Outbox& to_server) = 0;  // what was said before it has been heard when its answer comes

    // Where the sessions' marks go; it is listened to like any other channel.
    [[nodiscard]] virtual const std::string& mark_channel() const noexcept = 0;

    struct Event {
        enum class Kind : std::uint8_t {
            more,      // all that is whole was taken
            heard,     // `heard`
            answered,  // the oldest request
            refused,   // the oldest request, because of `error`
            broken,    // the connection is of no use any more, because of `error`
        };
        Kind kind = Kind::more;
        AnnouncementPtr heard{};
        Diagnostics error{};
    };
    [[nodiscard]] virtual Event next(Inbox& from_server) = 0;
};

class Listener {
  public:
    // The ear hears this channel for `session`; its marks go to `mark_channel`.
    virtual void ready(const std::string& channel, const std::string& mark_channel, std::uint64_t session) = 0;
    virtual void heard(const AnnouncementPtr& said) = 0;
    // The ear's connection is gone: up to restored() nothing is heard, and something may be missed.
    virtual void lost() = 0;
    virtual void restored(const std::string& mark_channel) = 0;
    // Channels that are to be heard for it, all of them or those that it has no use for any more.
    [[nodiscard]] virtual std::vector<std::string> wanted() const = 0;
    [[nodiscard]] virtual std::vector<std::string> take_unwanted() = 0;
    // Its client does not take what it is told: more waits for it than may be kept.
    [[nodiscard]] virtual bool overflowed() const noexcept = 0;

  protected:
    ~Listener() = default;
};

}  // namespace leasehold::wire
