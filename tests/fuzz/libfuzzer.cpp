// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry: runs the target that LEASEHOLD_FUZZ_TARGET names. One program for all targets, as the code they
// reach is the same; tests/fuzz/run starts it.
#include "tests/fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

leasehold::fuzz::Run chosen() {
    const char* const name = std::getenv("LEASEHOLD_FUZZ_TARGET");
    for (const leasehold::fuzz::Target& target : leasehold::fuzz::targets()) {
        if (name != nullptr && target.name == name) return target.run;
    }
    std::fprintf(stderr, "LEASEHOLD_FUZZ_TARGET names no target\n");
    std::exit(64);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const leasehold::fuzz::Run run = [] {
        leasehold::fuzz::fix_randomness();
        return chosen();
    }();
    run({data, size});
    return 0;
}
