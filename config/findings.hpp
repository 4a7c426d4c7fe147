// SPDX-License-Identifier: Apache-2.0
// What was found wrong while a file was read, and where each of its keys stands. Private to this folder.
#pragma once

#include "config/load.hpp"

#include <map>
#include <string>
#include <string_view>

namespace leasehold::config {

// From 1; line 0 is the file as a whole.
struct Place {
    int line = 0;
    int column = 0;
};

class Findings {
  public:
    explicit Findings(std::string file) : file_(std::move(file)) {}

    void error(Place place, std::string key, std::string message, std::string suggestion = {});
    void warning(Place place, std::string key, std::string message, std::string suggestion = {});
    // At the place where the file has this key, or else the nearest one that contains it.
    void error(const std::string& key, std::string message, std::string suggestion = {});
    void warning(const std::string& key, std::string message, std::string suggestion = {});

    void seen(const std::string& key, Place place);  // the first of each name counts
    [[nodiscard]] bool has(const std::string& key) const;
    [[nodiscard]] Place place(std::string key) const;

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] std::vector<Problem> take();  // in the file's order

  private:
    void add(Problem::Severity severity, Place place, std::string key, std::string message, std::string suggestion);

    std::string file_;
    std::map<std::string, Place> places_;
    std::vector<Problem> problems_;
    bool failed_ = false;
};

// In quotes, control characters replaced, long texts cut: fit for a terminal and a log.
[[nodiscard]] std::string shown(std::string_view text);
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace leasehold::config
