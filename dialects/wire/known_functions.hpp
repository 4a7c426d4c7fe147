// SPDX-License-Identifier: Apache-2.0
// Functions that the sessions of a pool have called: which of them are trusted to leave nothing behind, and which calls are
// looked at. One for a pool, on its worker's thread; no names of the servers' own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace leasehold::wire {

class KnownFunctions {
  public:
    static constexpr std::uint32_t clean_for_trust = 20;
    static constexpr std::size_t most = 4096;  // remembered; what is forgotten is looked at like a new one

    // `share`: of the calls of a trusted function that are looked at; 0: nothing is, 1: everything.
    explicit KnownFunctions(double share = 0.01) noexcept : share_(share) {}
    void set_share(double share) noexcept { share_ = share; }
    // Every lease is looked at, whatever it called.
    [[nodiscard]] bool all() const noexcept { return share_ >= 1; }

    // It is called: whether this lease is to be looked at. By a sample, calls went before it at which nobody looked.
    enum class Look : std::uint8_t { none, sample, always };
    [[nodiscard]] Look due(std::string_view name);
    void judge(std::string_view name, bool clean);
    [[nodiscard]] std::size_t size() const noexcept { return functions_.size(); }

    // Some function of some pool may be another one now: all of them begin anew. Any thread.
    static void replaced() noexcept;

  private:
    struct Function {
        std::uint32_t clean = 0;
        double passed = 0;  // what the calls that were not looked at add up to
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>()(name); }
    };
    void catch_up();
    void make_room();

    std::unordered_map<std::string, Function, Hash, std::equal_to<>> functions_;
    double share_;
    std::uint64_t since_ = 0;  // of the count of replacements
};

}  // namespace leasehold::wire
