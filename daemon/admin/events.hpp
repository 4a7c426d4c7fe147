// SPDX-License-Identifier: Apache-2.0
// The last life-cycle events of the process, for SHOW EVENTS: what the log wrote at info and above, repeats folded. Any
// thread may call; nothing is written to disk.
#pragma once

#include "daemon/admin/table.hpp"
#include "daemon/log_line.hpp"

#include <deque>

namespace leasehold::daemon::admin {

class EventRecords {
  public:
    explicit EventRecords(std::size_t capacity = 1000);

    // Takes the line if it is of info or above; what peers chose in it is cut to a bounded length.
    void add(const LogLine& line);
    [[nodiscard]] std::vector<LogLine> snapshot() const;  // newest first

  private:
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::deque<LogLine> lines_;  // oldest first
};

// The process's, as there is one log. Never destroyed: threads may log until the process is gone.
[[nodiscard]] EventRecords& event_records();

[[nodiscard]] const std::vector<dialects::Column>& events_columns();
[[nodiscard]] Rows events_rows(const std::vector<LogLine>& lines);

}  // namespace leasehold::daemon::admin
