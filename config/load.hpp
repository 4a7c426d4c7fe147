// SPDX-License-Identifier: Apache-2.0
// From a YAML file to a Config, or to all of its problems with their places.
#pragma once

#include "config/model.hpp"

#include <functional>

namespace leasehold::config {

struct Problem {
    enum class Severity : std::uint8_t { error, warning };
    Severity severity = Severity::error;
    std::string file;
    int line = 0;  // from 1; 0: the file as a whole
    int column = 0;
    std::string key;  // "pools.orders.pool_size"
    std::string message;
    std::string suggestion;  // "did you mean pool_size?"; may be empty

    // "leasehold.yaml:7: pools.orders.pool_sise: unknown key; did you mean pool_size?"
    [[nodiscard]] std::string render() const;
};

struct Loaded {
    std::optional<Config> config;   // none when there is an error among the problems
    std::vector<Problem> problems;  // in the file's order; warnings too
    bool unreadable = false;        // the file could not be read at all
};

// Where ${ENV}, `!file` and `!credential` are looked up; the defaults ask the process and the file system.
struct Secrets {
    std::function<std::optional<std::string>(const std::string& name)> environment;
    std::function<std::optional<std::string>(const std::string& path)> file;
    std::function<std::optional<std::string>(const std::string& name)> credential;
    [[nodiscard]] static Secrets system();
};

// What somebody who can read certificates says of the files of a listener's `tls`.
struct TlsFinding {
    std::string key;  // "cert", "key", "client_ca"
    std::string message;
    std::string suggestion;
    bool error = true;
};
using TlsCheck = std::function<std::vector<TlsFinding>(const Tls&)>;
// The same of the files that a pool's URL names (sslrootcert, sslcert, sslkey): what is wrong, or nothing.
using UrlFilesCheck = std::function<std::string(const Url&)>;

[[nodiscard]] Loaded load_file(const std::string& path, const Secrets& secrets = Secrets::system(),
                               const TlsCheck& check_tls = {}, const UrlFilesCheck& check_url = {});
[[nodiscard]] Loaded load_text(const std::string& text, const std::string& name, const Secrets& secrets,
                               const TlsCheck& check_tls = {}, const UrlFilesCheck& check_url = {});

}  // namespace leasehold::config
