// SPDX-License-Identifier: Apache-2.0
// The certificates of listeners: read from their files at the start, anew on a reload, and shared by all workers. What
// is in them, and the handshakes, are dialects/wire's business.
#pragma once

#include "config/load.hpp"
#include "dialects/wire/tls.hpp"

#include <map>
#include <mutex>

namespace leasehold::daemon {

// What is wrong with the files of a listener's `tls`, if anything; for the loader of the configuration, so that it is
// reported with its place and before anything is served.
[[nodiscard]] std::vector<config::TlsFinding> check_tls_files(const config::Tls& tls);
// The same for the files that a pool's URL names.
[[nodiscard]] std::string check_url_files(const config::Url& url);

// Thread-safe.
class Certificates {
  public:
    struct Reading {
        const config::Listen* listen = nullptr;  // the configuration's
        std::string address;
        std::string error;  // empty: they can be used
        std::shared_ptr<const wire::TlsContext> context;
    };
    // One a listener that offers TLS; changes nothing.
    [[nodiscard]] static std::vector<Reading> load(const config::Config& config);
    // From the next connection on these count and no others, but where one has an error: there the old ones stay.
    void use(const std::vector<Reading>& readings);
    std::vector<Reading> read(const config::Config& config);  // both
    // What a new connection is secured by; null: TLS is not offered, never on a unix socket.
    [[nodiscard]] std::shared_ptr<const wire::TlsContext> of(const config::Listen& listen) const;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const wire::TlsContext>> contexts_;  // by address
};

}  // namespace leasehold::daemon
