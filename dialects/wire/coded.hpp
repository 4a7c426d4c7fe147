// SPDX-License-Identifier: Apache-2.0
// A transport's codec with the bytes that wait below it. For transport.cpp and coded.cpp only.
#pragma once

#include "dialects/wire/buffer.hpp"
#include "dialects/wire/codec.hpp"

#include <memory>

namespace leasehold::wire {

struct Coded {
    std::unique_ptr<Codec> codec;
    Inbox in;                // read from below, not yet decoded
    Inbox out;               // encoded, not yet taken by what is below
    std::error_code end{};   // what reading from below ended in
    bool exhausted = false;  // the last call ended before the socket had nothing more

    // recv() may have something without the socket becoming readable.
    [[nodiscard]] bool more() const noexcept { return exhausted || codec->more() || !in.empty() || end; }
};

}  // namespace leasehold::wire
