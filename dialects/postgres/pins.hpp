// SPDX-License-Identifier: Apache-2.0
// What keeps a session on its backend: the reasons, those that the transaction in progress has made apart, the statement
// that made the first of them, and whether it is time to ask the backend what is left. A plain value.
#pragma once

#include "dialects/postgres/digest.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres {

struct FoundSetting {
    std::string name, value;
    bool reset = false;  // to the backend's own default
};

// What of a session its backend holds outside of transactions, as the backend itself says (audit.hpp).
struct Found {
    bool temporary = false, lock = false, cursor = false, prepared = false, listens = false;
    std::vector<FoundSetting> settings{};  // that are not as leasehold has set them
    [[nodiscard]] std::uint16_t kinds() const noexcept;
    void only(std::uint16_t kinds) noexcept;
};

class Pins {
  public:
    // Bits of what a backend can be asked for.
    static constexpr std::uint16_t answerable = bit(PinKind::temporary) | bit(PinKind::listen) |
                                                bit(PinKind::advisory_lock) | bit(PinKind::held_cursor) |
                                                bit(PinKind::prepared) | bit(PinKind::unseen) | bit(PinKind::function);

    // A statement of the transaction in progress. The first reason is the one that is told.
    void add(PinKind kind, std::string_view variable, std::string_view statement);
    void add_more(std::uint16_t kinds) noexcept;
    void release(PinKind kind);
    // Its state may be gone.
    void doubt() noexcept { due_ = true; }
    // The transaction in progress is over.
    void settle();
    void drop_fresh();  // it was lost, with what it made
    void clear() noexcept;

    // `uncarried`: a setting that it found, and that no other backend can be given; empty: there is none.
    void audited(const Found& found, std::string_view uncarried = {});
    // The backend could not say: asked again behind the next statement.
    void unanswered() noexcept {
        due_ = false;
        again_ = true;
    }

    [[nodiscard]] bool any() const noexcept { return kinds() != 0; }
    [[nodiscard]] bool has(PinKind kind) const noexcept { return (kinds() & bit(kind)) != 0; }
    [[nodiscard]] std::uint16_t kinds() const noexcept { return old_.kinds | fresh_.kinds; }
    // State older than the transaction. What a function may have done is none that is known of.
    [[nodiscard]] bool older() const noexcept { return (old_.kinds & ~bit(PinKind::function)) != 0; }
    // Of a transaction that is over.
    [[nodiscard]] bool settled(PinKind kind) const noexcept { return (old_.kinds & bit(kind)) != 0; }
    [[nodiscard]] std::string_view reason() const noexcept { return told().reason; }
    [[nodiscard]] std::string_view statement() const noexcept { return told().statement; }
    // What pins is what a backend can tell of, so that an answer may end it.
    [[nodiscard]] bool may_end() const noexcept { return any() && ((old_.kinds | fresh_.kinds) & ~answerable) == 0; }
    [[nodiscard]] bool due() const noexcept { return due_ && may_end(); }

  private:
    struct Set {
        std::uint16_t kinds = 0;
        PinKind first = PinKind::none;
        std::string reason, statement;
        void keep(std::uint16_t kept);
    };
    [[nodiscard]] const Set& told() const noexcept { return old_.kinds != 0 ? old_ : fresh_; }
    Set old_, fresh_;
    bool due_ = false, again_ = false;
};

}  // namespace leasehold::postgres
