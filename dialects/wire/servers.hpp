// SPDX-License-Identifier: Apache-2.0
// What dialling the servers of one URL has in common: a server, what came of a dial, when the search ends, and in whose
// certificates we trust.
#pragma once

#include "dialects/wire/address.hpp"
#include "dialects/wire/exchange.hpp"
#include "dialects/wire/tls.hpp"
#include "dialects/wire/transport.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace leasehold::wire {

struct Server {
    ServerAddress address;
    std::string host;  // as the URL has it: the name that a certificate must be for
    std::string name;  // "db.internal:5432"
    [[nodiscard]] bool local() const noexcept { return address.local(); }
};

struct Reached {
    std::unique_ptr<Transport> transport;  // null on error
    Inbox inbox;
    std::error_code error{};
    Diagnostics said{};      // by the server, or by us about it
    std::string message;     // of an error: names the server, never a credential
    bool saturated = false;  // as in pool::Connected, of the search
    bool refused = false;

    // `said`, or else the error, becomes the message.
    void failed(const std::string& name);
    // Nothing needs to be dialled to know how it ends.
    void refuse(std::error_code why, std::string words, const std::string& name);
};

// The failures of one search, and whether it goes on behind them.
class Failures {
  public:
    void add(const std::string& failure) { text_ += (text_.empty() ? "" : "; ") + failure; }
    // True: the search is over, as the server is there and says no, or is not the one that we want to talk to. Else it is
    // left alone for a while. `elsewhere`: the server says no, and another one may not.
    [[nodiscard]] bool end(Reached& reached, const std::string& name, Deadline began, bool elsewhere = false);
    // Of all servers tried: "a:5432: Connection refused; b:5432: ..."
    [[nodiscard]] std::string take() noexcept { return std::move(text_); }

  private:
    std::string text_;
};

// The TLS settings of a URL, which a reload reads anew. Thread-safe.
class UrlTls {
  public:
    [[nodiscard]] std::string load(const TlsContext::ClientFiles& files);  // why not: then the old ones stay
    struct Current {
        std::shared_ptr<const TlsContext> context;
        std::string error;  // why there is none
    };
    [[nodiscard]] Current current() const;

  private:
    mutable std::mutex mutex_;
    Current current_;
};

}  // namespace leasehold::wire
