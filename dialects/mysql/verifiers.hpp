// SPDX-License-Identifier: Apache-2.0
// What makes the second login with a caching_sha2_password hash a quick one: SHA256(SHA256(password)) by stored hash. A
// password or what logs in with it is not kept.
#pragma once

#include "dialects/mysql/auth.hpp"

#include <list>
#include <map>
#include <mutex>

namespace leasehold::mysql {

// Bounded; the longest unused entry goes first. What a client merely guessed is never put into it. Thread-safe.
class Verifiers {
  public:
    explicit Verifiers(std::size_t capacity = 4096) : capacity_(capacity) {}
    // `hash`: the stored hash, whole.
    [[nodiscard]] std::optional<Sha256> find(std::string_view hash);
    void put(std::string_view hash, std::string_view password);
    [[nodiscard]] std::size_t size() const;

  private:
    using Order = std::list<std::string>;  // front: the last used
    struct Entry {
        Sha256 verifier;
        Order::iterator at;
    };
    mutable std::mutex mutex_;
    std::map<std::string, Entry, std::less<>> by_hash_;
    Order order_;
    std::size_t capacity_;
};

// One for the process: all workers share what a password's comparison has cost once.
[[nodiscard]] Verifiers& verifiers();

// Whether keys that somebody's login showed are of the account with this secret: pools are shared by users, and
// another's do not log in for this one. A caching_sha2_password hash is known by the cache alone.
[[nodiscard]] bool belong(const LoginKeys& keys, std::string_view secret, Verifiers& cache = verifiers());

}  // namespace leasehold::mysql
