// SPDX-License-Identifier: Apache-2.0
// Which server connections this instance has open, written down where its next start finds it: so that those that are left
// when the process is killed can be told from everybody else's, and ended. A small file with a place for each, in the
// state directory or beside the control socket; one process has it at a time. Thread-safe; the file is written by a
// thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace leasehold::daemon {

struct OpenBackend {
    std::string pool, user, address;  // address: "db.internal:5432", of the server
    std::uint64_t server_id = 0;      // its pid, or its connection's id
    std::uint16_t port = 0;           // ours, as the server sees it; 0 over a unix socket
    std::int64_t since = 0;           // seconds since 1970
    friend bool operator==(const OpenBackend&, const OpenBackend&) = default;
};

// One place of the file; empty when it does not fit one.
[[nodiscard]] std::string render(const OpenBackend& backend);
// Those of a file's text; what is no whole place is passed over.
[[nodiscard]] std::vector<OpenBackend> parse_journal(std::string_view text);

class BackendJournal {
  public:
    static constexpr std::size_t place_bytes = 512;
    static constexpr std::size_t most_places = 65536;

    // Empty path: nothing is written down.
    explicit BackendJournal(const std::string& path);
    ~BackendJournal();
    BackendJournal(const BackendJournal&) = delete;
    BackendJournal& operator=(const BackendJournal&) = delete;

    // Why there is none, for people; empty when there is one, or none was wanted.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    // What the process before this one left in it.
    [[nodiscard]] const std::vector<OpenBackend>& found() const noexcept { return found_; }

    using Place = std::size_t;
    static constexpr Place nowhere = most_places;
    [[nodiscard]] Place add(const OpenBackend& backend);
    void remove(Place place);

  private:
    void open(const std::string& path);
    void write_on();

    int file_ = -1;
    std::string problem_;
    std::vector<OpenBackend> found_;
    std::mutex mutex_;
    std::condition_variable news_;
    std::map<Place, std::string> unwritten_;
    std::vector<Place> free_;
    Place next_ = 0;
    bool over_ = false;
    std::thread writer_;
};

// $STATE_DIRECTORY/backends, else beside a control socket whose path the configuration names; else none.
[[nodiscard]] std::string journal_path(const std::string& control_socket);

}  // namespace leasehold::daemon
