// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server as far as a session's protocol goes (statements, portals, transactions, reported settings, the
// skipping after errors, replies kept back until Sync or Flush), and a relay that joins trackers with such servers.
#pragma once

#include "dialects/postgres/tracker.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>

namespace leasehold::postgres::model {

using Raw = std::vector<std::uint8_t>;

class Server {
  public:
    // Takes client bytes and adds to output(); replies stay inside until they are flushed, as in the real one.
    void feed(Bytes in);
    [[nodiscard]] Raw take_output();
    [[nodiscard]] char status() const { return status_; }
    // As if set by a session before and reported.
    void force(const std::string& name, const std::string& value);
    void farewell(const std::string& sqlstate);
    void notify();

    std::map<std::string, std::string> settings{{"application_name", ""},
                                                {"DateStyle", "ISO, MDY"},
                                                {"TimeZone", "UTC"},
                                                {"standard_conforming_strings", "on"}};
    std::map<std::string, std::string> prepared;  // named: text
    std::vector<std::string> executed;            // everything that ran
    int drawn = 0;                                // from the only sequence
    std::optional<int> number;                    // what lastval() tells
    std::string gone;                             // PREPARE of a text with this fails
    std::string refuses;                          // set_config() of this fails
    std::size_t parses = 0, closes = 0, messages = 0;

  private:
    struct Failure {
        std::string sqlstate, message;
    };
    void on_message(std::uint8_t type, Bytes body);
    void query(std::string_view sql);
    std::optional<Failure> parse(const std::string& name, const std::string& sql);
    std::optional<Failure> bind(Bytes body);
    std::optional<Failure> describe(Bytes body);
    std::optional<Failure> execute(const std::string& portal);
    std::optional<Failure> run(const std::string& statement, const std::string& parameters);
    std::optional<Failure> aborted(const std::string& statement) const;
    void extended(std::optional<Failure> failure);
    void fail(const Failure& failure);
    void ready();
    void release();
    void end_transaction(bool commit);
    void start();

    Raw in_, held_;
    wire::Writer out_;
    char status_ = 'I';
    bool skipping_ = false, copying_ = false, copy_extended_ = false, open_ = false;
    std::optional<std::string> unnamed_;
    struct Portal {
        std::string statement, parameters;
    };
    std::map<std::string, Portal> portals_;
    void assign(std::string_view name, std::string_view value, bool local);
    using Values = std::map<std::string, std::string>;
    Values reported_ = settings, before_;
    Values lasting_;  // of those that SET LOCAL hides; none: it had no value
    struct Savepoint {
        std::string name;
        Values settings, lasting;
    };
    std::vector<Savepoint> savepoints_;
};

// One backend behind leasehold.
struct Backend {
    explicit Backend(std::size_t held) : lease(held) {
        for (const auto& [name, value] : server.settings) {
            lease.reported.set(name, value);
            lease.defaults.set(name, value);
        }
    }
    Server server;
    PostgresLease lease;
    wire::Inbox inbox;
    bool leased = false;
};

// A client's session through leasehold: the relay's part in memory. A lease ends at each boundary that no pin forbids.
class Session {
  public:
    using Pick = std::function<Backend*()>;
    Session(TrackerOptions options, Pick pick) : tracker(std::move(options)), pick_(std::move(pick)) {}

    // What the client sends, `step` bytes at a time (0: whole). Does not pump the server.
    void send(Bytes bytes, std::size_t step = 0);
    // Lets the server answer, `step` bytes at a time; until nothing moves.
    void pump(std::size_t step = 0);
    // Lets it answer once.
    bool pump_once(std::size_t step = 0);
    [[nodiscard]] Raw received() { return std::exchange(received_, {}); }
    wire::Aftermath lose(wire::Loss loss = {});

    // What the backend says that it holds of the session when it is asked; without it, it is asked after DO and CALL only.
    std::function<Found()> holds;
    std::size_t audits = 0;
    Tracker tracker;
    Backend* backend = nullptr;
    std::size_t leases = 0, boundaries = 0;
    wire::Verdict::Kind last = wire::Verdict::Kind::more;
    bool closed = false, fatal = false, lost = false, wants_lease = false;

  private:
    void client(Bytes fresh);
    void on_backend(wire::Verdict verdict);
    void ship();
    void align();
    Pick pick_;
    wire::Inbox in_;
    wire::Outbox to_client_, to_backend_;
    Raw received_, server_bytes_;
};

// Builds a client's messages.
class Client {
  public:
    Client& query(std::string_view sql) { return postgres::query(out_, sql), *this; }
    Client& parse(std::string_view name, std::string_view sql) { return postgres::parse(out_, name, sql), *this; }
    Client& bind(std::string_view name, std::string_view portal = "") {
        return postgres::bind_message(out_, portal, name), *this;
    }
    Client& bind_with(std::string_view name, std::string_view value);
    Client& describe(char kind, std::string_view name) { return postgres::describe(out_, kind, name), *this; }
    Client& execute(std::string_view portal = "") { return postgres::execute(out_, portal), *this; }
    Client& close(char kind, std::string_view name) { return postgres::close(out_, kind, name), *this; }
    Client& sync() { return postgres::sync(out_), *this; }
    Client& flush() { return postgres::flush(out_), *this; }
    Client& terminate() { return postgres::terminate(out_), *this; }
    Client& raw(std::uint8_t type, std::string_view body);
    [[nodiscard]] Raw take() {
        const Raw all(out_.bytes().begin(), out_.bytes().end());
        out_.clear();
        return all;
    }

  private:
    wire::Writer out_;
};

// "1 2 T D C(SELECT 1) Z(I)", errors as E(26000 text).
[[nodiscard]] std::string readable(Bytes bytes);

}  // namespace leasehold::postgres::model
