// SPDX-License-Identifier: Apache-2.0
// The sets of parameters that only a connection's start can set, each under a number of its own: what a session names as
// its variant and a connector turns back into a startup packet. Process-wide and thread-safe; knows no sockets.
#pragma once

#include "dialects/postgres/settings.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace leasehold::postgres {

// Of the server's PGC_BACKEND and PGC_SU_BACKEND settings and those that are read at a connection's start only.
[[nodiscard]] bool is_start_only(std::string_view name) noexcept;
// Takes them out of `settings`.
[[nodiscard]] Settings take_start_only(Settings& settings);

// Lives in sessions; its number is forgotten some time after the last of them.
struct Variant {
    std::uint64_t id = 0;
    Settings parameters;
};
using VariantRef = std::shared_ptr<const Variant>;

class Variants {
  public:
    // The variant of a session for which no number is left: no connection is made for it.
    static constexpr std::uint64_t none_left = ~std::uint64_t{0};

    explicit Variants(std::size_t limit = 1000) : limit_(limit) {}
    // Null: `limit` different sets are in use.
    [[nodiscard]] VariantRef intern(Settings parameters);
    // Null: nobody has used it for a while.
    [[nodiscard]] VariantRef find(std::uint64_t id) const;

  private:
    void forget_unused();

    const std::size_t limit_;
    mutable std::mutex mutex_;
    std::map<std::uint64_t, VariantRef> by_id_;
    std::uint64_t last_ = 0;
};

// The one of the process.
[[nodiscard]] Variants& variants();

}  // namespace leasehold::postgres
