// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/pins.hpp"

#include <bit>
#include <utility>

namespace leasehold::postgres {

std::uint16_t Found::kinds() const noexcept {
    std::uint16_t all = 0;
    if (temporary) all |= bit(PinKind::temporary);
    if (lock) all |= bit(PinKind::advisory_lock);
    if (cursor) all |= bit(PinKind::held_cursor);
    if (prepared) all |= bit(PinKind::prepared);
    if (listens) all |= bit(PinKind::listen);
    return all;
}

void Found::only(std::uint16_t kinds) noexcept {
    temporary = temporary && (kinds & bit(PinKind::temporary)) != 0;
    lock = lock && (kinds & bit(PinKind::advisory_lock)) != 0;
    cursor = cursor && (kinds & bit(PinKind::held_cursor)) != 0;
    prepared = prepared && (kinds & bit(PinKind::prepared)) != 0;
    listens = listens && (kinds & bit(PinKind::listen)) != 0;
}

// Only these are left; the reason that is told is one of them.
void Pins::Set::keep(std::uint16_t kept) {
    kinds = kept;
    if (kinds == 0) {
        *this = {};
    } else if ((kinds & bit(first)) == 0) {
        first = static_cast<PinKind>(std::countr_zero(kinds) + 1);
        reason = describe_pin(first, {});
    }
}

void Pins::add(PinKind kind, std::string_view variable, std::string_view statement) {
    due_ = true;  // whether there is anything to keep shows at the boundary
    if (fresh_.kinds == 0) {
        fresh_.first = kind;
        fresh_.reason = describe_pin(kind, variable);
        fresh_.statement = statement;
    }
    fresh_.kinds |= bit(kind);
}

void Pins::add_more(std::uint16_t kinds) noexcept {
    if (fresh_.kinds != 0) fresh_.kinds |= kinds;
}

void Pins::release(PinKind kind) {
    const auto others = static_cast<std::uint16_t>(~bit(kind));
    old_.keep(old_.kinds & others);
    fresh_.keep(fresh_.kinds & others);
    due_ = true;
}

void Pins::settle() {
    if (fresh_.kinds != 0) {
        const std::uint16_t kinds = old_.kinds | fresh_.kinds;
        if (old_.kinds == 0) old_ = std::move(fresh_);
        old_.kinds = kinds;
        fresh_ = {};
    }
    due_ |= std::exchange(again_, false);
}

void Pins::drop_fresh() {
    fresh_ = {};
    old_.keep(static_cast<std::uint16_t>(old_.kinds & ~bit(PinKind::function)));
}

void Pins::clear() noexcept {
    old_ = fresh_ = {};
    due_ = again_ = false;
}

void Pins::audited(const Found& found, std::string_view uncarried) {
    due_ = again_ = false;
    const std::uint16_t setting = uncarried.empty() ? std::uint16_t{0} : bit(PinKind::setting);
    const bool had = (old_.kinds & bit(PinKind::setting)) != 0;
    old_.keep(static_cast<std::uint16_t>((old_.kinds & ~answerable) | found.kinds() | setting));
    if (setting != 0 && !had && old_.first == PinKind::setting) {
        old_.reason = describe_pin(PinKind::setting, uncarried);
    }
}

}  // namespace leasehold::postgres
