// SPDX-License-Identifier: Apache-2.0
// State that keeps a session on its backend until it ends, each by its name: temporary tables, locks of GET_LOCK(), cursors
// of HANDLER, statements prepared in SQL, user variables whose values only the server knows. Of locks and variables the
// backend is asked, in one round. A plain value.
#pragma once

#include "dialects/mysql/routines.hpp"
#include "dialects/mysql/settings.hpp"
#include "dialects/mysql/statements.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::mysql {

class Pins {
  public:
    // Beyond so many of a kind they have no names, and last as long as the session.
    static constexpr std::size_t most = 256;

    // Of a statement that succeeded, in the current database.
    void apply(const Effect& effect, std::string_view database);
    // It may have been carried out: what it makes may be there, and what it ends too.
    void apply_perhaps(const Effect& effect, std::string_view database);
    // Their values are to be asked for.
    void assigned(std::string_view variable);
    // It is known; or no other backend can be given it.
    void known(std::string_view variable);
    void uncarried(std::string_view variable);
    // ... of a session variable.
    void asked(std::string_view setting);
    // It may have used up what `SET insert_id` gave.
    void doubt_insert_id() noexcept { insert_id_due_ = !settings_.empty(); }
    // Some lock without a name that is known is held.
    void lock_somewhere() noexcept { locked_somewhere_ = locks_due_ = true; }
    // It ran, or may have: its definition is to be asked for. False: so many that nobody asks.
    [[nodiscard]] bool called(const Routine& routine);
    // A function that takes or releases locks has run.
    void doubt_locks() noexcept { locks_due_ = !locks_.empty(); }
    void clear() noexcept { *this = Pins(); }

    [[nodiscard]] std::string_view reason() const noexcept;
    // The statement that EXECUTE of this name carries out; null: there is none, or its text is not known.
    [[nodiscard]] std::shared_ptr<const Statement> prepared(std::string_view name) const;
    [[nodiscard]] bool has_prepared(std::string_view name) const;

    // Something is to be asked; empty: nothing. Then answered() with the packets of its reply, headers and all.
    [[nodiscard]] std::string question();
    // The routines that were asked about, with their definitions.
    struct Defined {
        Routine routine;
        std::optional<std::string> definition;
    };
    [[nodiscard]] std::vector<Defined> take_definitions() { return std::exchange(defined_, {}); }
    // The values of user variables as SQL are put into `values`, and those of session variables, by names without an @. Those that cannot be written down keep their session.
    // `extended`: columns are described with MariaDB's extended types. False: it was no answer, and nothing is known.
    [[nodiscard]] bool answered(Bytes packets, bool extended, std::vector<std::pair<std::string, std::string>>& values);
    void unanswered() noexcept;
    // All have been taken: who is called again is asked about again.
    void forget_looked_at() noexcept { looked_at_.clear(); }
    [[nodiscard]] bool awaits_definitions() const noexcept { return !called_.empty(); }

  private:
    struct Prepared {
        std::string name;
        std::shared_ptr<const Statement> text;
    };
    std::vector<std::string> tables_, handlers_, locks_, variables_;
    std::vector<std::string> settings_;  // that no other backend can be given
    std::vector<std::string> asked_;     // settings whose values are to be asked for
    bool settings_lost_ = false;         // one of these could not be read
    bool insert_id_due_ = false;
    std::vector<Prepared> prepared_;
    std::vector<Routine> called_, looked_at_;  // ... of which not, since it was clear
    std::vector<Defined> defined_;
    bool asked_definitions_ = false;
    bool tables_lost_ = false, handlers_lost_ = false, prepared_lost_ = false, variables_lost_ = false;
    bool locked_somewhere_ = false;
    bool locks_due_ = false, variables_due_ = false;
    // What the question was about, in this order.
    struct Asked {
        std::size_t locks = 0, insert_id = 0, settings = 0, variables = 0;  // fields for each; three for a variable
    } in_question_;
};

}  // namespace leasehold::mysql
