// SPDX-License-Identifier: Apache-2.0
// The console's commands: from the text of one to its answer, whatever protocol it came by. Tables are shown through
// `SHOW <NAME>`; other commands are registered. What drivers say by themselves when they connect (SET, BEGIN,
// SELECT version()) is answered without effect.
#pragma once

#include "daemon/admin/table.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::daemon::admin {

struct Answer {
    std::optional<wire::Diagnostics> error;
    dialects::Result result;  // without an error; no columns and an empty tag: the text held no command

    [[nodiscard]] static Answer failed(std::string sqlstate, int number, std::string message);
    [[nodiscard]] static Answer done(std::string tag);
};
// Who gives a command, and how it is told something before the answer.
struct Caller {
    Permission permission = Permission::read;
    std::string name{};                                    // for the log: "operator@127.0.0.1:5012"
    std::uint64_t session = 0;                             // its own; 0: it has none
    std::function<void(std::string)> notice{};             // from any thread; may be empty
    std::shared_ptr<const std::atomic<bool>> cancelled{};  // set once it wants its command back; may be null
};

// Called exactly once, on any thread, perhaps before execute() returns.
using Reply = std::function<void(Answer)>;

// The words of a command: bare words in capitals, quoted ones ('a' or "a") as they stand, punctuation one by one.
struct Token {
    enum class Kind : std::uint8_t { word, quoted, symbol } kind = Kind::word;
    std::string text;  // as written, without quotes
    [[nodiscard]] bool is(std::string_view capitals) const;
};
// None when a quote or comment has no end. Comments (--, #, /* */) are left out.
[[nodiscard]] std::optional<std::vector<Token>> tokens(std::string_view text);

struct Command {
    std::string name;       // the first word: "PAUSE"
    std::string arguments;  // for people: "[pool]"
    Permission permission = Permission::administer;
    std::string description;
    // `arguments` are the tokens behind the name. Calls reply exactly once; may throw before it does.
    std::function<void(const Caller& caller, std::vector<Token> arguments, Reply reply)> run;
};

class Console {
  public:
    // Both outlive the console. Registers SHOW's own tables: VERSION, HELP, TABLES.
    explicit Console(Tables& tables);
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    void add(Command command);  // before the first execute()
    // One command. Thread-safe.
    void execute(std::string_view text, const Caller& caller, Reply reply) const;
    void execute(std::string_view text, Permission permission, Reply reply) const;
    // The columns of its answer, as far as they are known beforehand; nothing is carried out. Thread-safe.
    [[nodiscard]] dialects::Result describe(std::string_view text) const;

  private:
    void show(const std::vector<Token>& words, const Caller& caller, Reply reply) const;
    void show_table(const Table& table, const Caller& caller, Reply reply) const;
    [[nodiscard]] std::string commands() const;  // "SHOW, PAUSE"
    void register_own();

    Tables& tables_;
    std::map<std::string, Command, std::less<>> commands_;
};

// What to ask instead of a table of PgBouncer's that there is none of here, its name in capitals; empty for others.
[[nodiscard]] std::string_view absent_table(std::string_view name) noexcept;

// What clients send by themselves, answered as a server would; none for everything else. `words` is not empty.
[[nodiscard]] std::optional<Answer> courtesy(const std::vector<Token>& words);

}  // namespace leasehold::daemon::admin
