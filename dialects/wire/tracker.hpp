// SPDX-License-Identifier: Apache-2.0
// Following a live session: one Tracker per client, of its dialect, from after the login to the end. It is given the
// whole span just read from one side, loops inside, fills outboxes, and says what happens next. Pure: no sockets, no
// clock, no threads. It owns the session's protocol state; the relay (daemon/relay) owns the bytes.
//
// Flow: without a lease only from_client() is called. It answers locally what needs no backend and returns `lease`
// when the bytes from in[consumed] on need one. The session checks a backend out, align()s it to settings(), calls
// attach(), and from_client() again with the same bytes. While attached both directions run, in any order, until
// from_backend() returns `boundary`, or something is lost. Unconsumed bytes are presented again, with more behind
// them or after the next from_backend(): a tracker leaves unconsumed what it must see whole and what has to wait for
// the other side, and streams everything else. The relay bounds what it reads meanwhile.
#pragma once

#include "dialects/wire/buffer.hpp"
#include "dialects/wire/errand.hpp"
#include "dialects/wire/exchange.hpp"
#include "dialects/wire/listener.hpp"
#include "dialects/wire/observed.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::wire {

// What a tracker knows of the backend it is attached to; each dialect derives its own (statements held, settings held).
// Lives in the backend and outlives every lease of it.
struct LeaseState {
    LeaseState() = default;
    LeaseState(const LeaseState&) = delete;
    LeaseState& operator=(const LeaseState&) = delete;
    virtual ~LeaseState() = default;
};

struct Verdict {
    enum class Kind : std::uint8_t {
        more,   // all that is usable was taken; call again with more bytes of that side
        lease,  // from_client, not attached: in[consumed..] needs a backend
        unsure,  // from_backend: nothing is outstanding, and whether the lease may end is not known: the next reply tells.
                 // When it matters earlier (the client is idle, somebody waits): ask()
        boundary,  // the lease may end here (unless pin() says otherwise). Mostly from_backend; from_client where a
                   // message ends whose reply has been complete for a while
        close,     // from_client: the client took its leave in order; what it sent before is carried out first (busy())
        fatal,     // the session cannot go on; to_client holds its last words. From the backend: it is unusable as well
        own,  // from_client, attached: what in[consumed..] asks for makes the backend the session's own for good; refuse()
              // answers it otherwise
        lost,     // from_backend: the server said farewell (not passed on); treat as the end of the connection
        refused,  // from_backend: settings that stood in front of the client's request were refused, and nothing of the
                  // request was carried out: lose() says so, and the connection is over
        errand,   // from_client, with a lease or without: nothing goes on before errand() has been carried out
    };
    Kind kind = Kind::more;
    std::size_t consumed = 0;
};

enum class TransactionStatus : std::uint8_t { idle, active, failed };

// Why a lease ended without a boundary.
struct Loss {
    enum class Kind : std::uint8_t {
        backend,           // the connection to the server died
        transaction_idle,  // transaction_idle_timeout
        transaction_time,  // transaction_timeout
        pin_idle,          // pin_idle_timeout
        killed,            // by an administrator
        settings,          // the session's settings were refused in front of its request: see refusal()
    };
    Kind kind = Kind::backend;
    std::string reason;      // for people: "server closed the connection", "idle for 31 s (transaction_idle_timeout)"
    bool unwritten = false;  // nothing of the outstanding requests was given to the kernel
};

// What becomes of the session after lose() or refuse(); to_client was filled accordingly.
enum class Aftermath : std::uint8_t { lives, ends };

// State that nobody's text told of: a function made it, or a view, a trigger, an operator.
struct Leak {
    std::string kind;       // "setting", or as a pin is called
    std::string what;       // the setting's name; else empty
    std::string function;   // those called meanwhile; empty: none by name
    std::string statement;  // the last one, literals masked
};

class Tracker {
  public:
    Tracker() = default;
    Tracker(const Tracker&) = delete;
    Tracker& operator=(const Tracker&) = delete;
    virtual ~Tracker() = default;

    [[nodiscard]] virtual Verdict from_client(Bytes in, Outbox& to_backend, Outbox& to_client) = 0;
    // May also write to the backend (statements injected on its account).
    [[nodiscard]] virtual Verdict from_backend(Bytes in, Outbox& to_client, Outbox& to_backend) = 0;

    // Asks the backend what `unsure` left open; does nothing where the answer has come, or is on its way.
    virtual void ask(Outbox&) {}

    // Whether the client's bytes that wait to be taken end with its goodbye: then it expects what stands in front of it
    // to be carried out, though it is not there any more.
    [[nodiscard]] virtual bool ends_with_goodbye(Bytes held) const noexcept = 0;

    virtual void attach(LeaseState& backend) = 0;
    virtual void detach() noexcept = 0;
    [[nodiscard]] virtual bool attached() const noexcept = 0;

    // The lease is gone, the session may live: writes what the loss table (dialects/README.md) says. Detaches.
    [[nodiscard]] virtual Aftermath lose(const Loss& loss, Outbox& to_client) = 0;
    // No backend could be had for the request that from_client() wanted a lease for: answers it with this error. The
    // request's bytes are presented again and are then consumed without a lease.
    [[nodiscard]] virtual Aftermath refuse(const Diagnostics& error, Outbox& to_client) = 0;
    // After the verdict `refused`, up to lose(): what the server said; else null.
    [[nodiscard]] virtual const Diagnostics* refusal() const noexcept { return nullptr; }
    // After the verdict `errand`: what is wanted. Valid until carried_out().
    [[nodiscard]] virtual const Errand& errand() const noexcept;
    // It was, or was not because of `error` (null: it was): tells the client. Not called after log_in_again, which ends
    // this tracker's session.
    [[nodiscard]] virtual Aftermath carried_out(const Diagnostics* error, Outbox& to_client);
    // Its side of hearing what the server announces; null: it never asks for it (yet).
    [[nodiscard]] virtual Listener* listener() noexcept { return nullptr; }
    // A request whose bytes have been taken begins anew, or something for the client waits that no reply brings:
    // from_client() goes on with it, though no byte comes.
    [[nodiscard]] virtual bool resumes() const noexcept { return false; }
    // The session is ended by leasehold (drain, kill): the protocol's last words, if it has any for a client in this state.
    virtual void farewell(const Diagnostics& error, Outbox& to_client) = 0;

    // What a checkout names: the variant must be equal, the fingerprint is preferred.
    [[nodiscard]] virtual std::uint64_t variant() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t fingerprint() const noexcept = 0;

    [[nodiscard]] virtual TransactionStatus status() const noexcept = 0;
    // A request was forwarded and its reply is not complete.
    [[nodiscard]] virtual bool busy() const noexcept = 0;
    // What is outstanding is the client's own: a cancel would end that, not something of leasehold's account.
    [[nodiscard]] virtual bool cancellable() const noexcept { return busy(); }
    // What is outstanding comes to its end without another byte of the client.
    [[nodiscard]] virtual bool completes() const noexcept = 0;
    // The reason why the lease does not end at the next boundary; empty: it does. Valid until the next call.
    [[nodiscard]] virtual std::string_view pin() const noexcept = 0;
    // At a boundary that a pin forbids: whether asking the backend what is left may end the pin.
    enum class Audit : std::uint8_t {
        useless,
        possible,  // nothing was seen that would end it
        due,
    };
    [[nodiscard]] virtual Audit audit() const noexcept { return Audit::useless; }
    // The statement that made the pin, literals masked; empty: not known.
    [[nodiscard]] virtual std::string pin_statement() const { return {}; }
    // What was found since the last call, once each.
    [[nodiscard]] virtual std::vector<Leak> take_leaks() { return {}; }
    // The session made state on its backend that reset() must remove before anybody else gets it.
    [[nodiscard]] virtual bool dirty() const noexcept = 0;
    [[nodiscard]] virtual std::string_view application() const noexcept = 0;
    // Statements of the transaction in progress (or the last), oldest first, at most a few, shortened; literals masked
    // unless `literals`.
    [[nodiscard]] virtual std::vector<std::string> transcript(bool literals) const = 0;

    // Tells of each statement that begins from now on; null: of none any more. Who observes outlives the tracker, or
    // takes itself away.
    virtual void observe(StatementObserver*) {}
    // A statement as records show it: one line of at most `limit` bytes, literals masked.
    [[nodiscard]] virtual std::string masked(std::string_view, std::size_t) const { return {}; }

    // Since the session began: the client's requests that a server has answered, and the transactions that ended with
    // one of them (a statement outside of a transaction is one).
    struct Counts {
        std::uint64_t requests = 0, transactions = 0;
    };
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

  protected:
    Counts counts_;
};

// Statement mode and other rules of the pool that a tracker must know.
enum class LeaseMode : std::uint8_t { transaction, session, statement };

[[nodiscard]] std::string_view to_string(TransactionStatus status) noexcept;
[[nodiscard]] std::string_view to_string(Loss::Kind kind) noexcept;

}  // namespace leasehold::wire
