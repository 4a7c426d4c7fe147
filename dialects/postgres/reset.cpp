// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/reset.hpp"

#include <random>

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::string digits() {
    std::random_device source;
    std::uint64_t number = std::uint64_t{source()} << 32 | source();
    std::string text;
    for (int i = 0; i < 17; ++i, number /= 10) text += static_cast<char>('0' + number % 10);
    return text;
}

}  // namespace

Reset::Reset() : Round("DISCARD ALL") {}

std::error_code Reset::judge() {
    if (tag() != "DISCARD ALL") {
        diagnostics_ = {"08P01", 0, "the reply does not answer the reset", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

Unlisten::Unlisten() : Round("UNLISTEN *") {}

std::error_code Unlisten::judge() {
    if (tag() != "UNLISTEN") {
        diagnostics_ = {"08P01", 0, "the reply does not answer UNLISTEN", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

Reseed::Reseed() : Round("SELECT pg_catalog.setseed(0." + digits() + ')') {}

std::error_code Reseed::judge() {
    if (tag() != "SELECT 1") {
        diagnostics_ = {"08P01", 0, "the reply does not answer the seed", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

}  // namespace leasehold::postgres
