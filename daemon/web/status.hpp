// SPDX-License-Identifier: Apache-2.0
// The status page: a few of the console's tables for people with a browser, and the same for programs. Whatever it shows
// may have been chosen by a client, and is escaped.
#pragma once

#include "daemon/admin/console.hpp"
#include "daemon/web/http.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace leasehold::daemon::web {

// A table as it was answered; without an answer within the time, `result` is empty and `problem` says so.
struct Section {
    std::string name;   // "POOLS"
    std::string title;  // for people
    dialects::Result result;
    std::string problem;
};

struct About {
    std::string version;
    std::chrono::seconds uptime{0};
    bool draining = false;
    std::size_t workers = 0;
    int clients = 0, clients_limit = 0;
};

[[nodiscard]] std::string escaped(std::string_view text);  // for HTML, in text and in attributes
[[nodiscard]] std::string page(const About& about, const std::vector<Section>& sections);

// Gathers the page's tables. The loop's thread only; at most one gathering at a time: those who ask meanwhile are served
// by the next.
class StatusTables {
  public:
    StatusTables(wire::Executor loop, const admin::Console& console, std::chrono::milliseconds patience);
    ~StatusTables();
    StatusTables(const StatusTables&) = delete;
    StatusTables& operator=(const StatusTables&) = delete;

    using Then = std::function<void(const std::vector<Section>&)>;
    void take(Then then);

  private:
    void begin();
    void told(std::uint64_t round, std::size_t index, admin::Answer answer);
    void finish();

    wire::Executor loop_;
    const admin::Console& console_;
    const std::chrono::milliseconds patience_;
    boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor> timer_;
    std::vector<Then> served_, next_;
    std::vector<Section> sections_;
    std::vector<bool> missing_;
    std::uint64_t round_ = 0;
    bool running_ = false;
};

}  // namespace leasehold::daemon::web
