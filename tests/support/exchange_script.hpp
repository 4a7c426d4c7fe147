// SPDX-License-Identifier: Apache-2.0
// Plays a script against a wire::Exchange without I/O: what it must write, what it is given to read, how it must end;
// and replays the same script broken in every way: fed byte by byte, an error at every step, a cancellation at every
// step, hostile bytes in place of every read. Knows no dialect.
//
//   const Script script = Script().expect_write(hello).read(reply).expect_done();
//   play(script, [] { return std::make_unique<Ping>(); });
#pragma once

#include "dialects/wire/exchange.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::test {

using ByteVector = std::vector<std::uint8_t>;
using MakeExchange = std::function<std::unique_ptr<wire::Exchange>()>;

[[nodiscard]] inline ByteVector bytes_of(wire::Bytes bytes) { return {bytes.begin(), bytes.end()}; }
[[nodiscard]] inline ByteVector bytes_of(std::string_view text) { return bytes_of(wire::as_bytes(text)); }
// What `build` writes into a Writer.
template <class Build>
[[nodiscard]] ByteVector built(Build build) {
    wire::Writer writer;
    build(writer);
    return bytes_of(writer.bytes());
}
// Control characters shown as \xx, for failures that can be read.
[[nodiscard]] inline std::string shown(wire::Bytes bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t b : bytes.first(std::min<std::size_t>(bytes.size(), 400))) {
        if (b >= 0x20 && b < 0x7F && b != '\\') {
            text += static_cast<char>(b);
        } else {
            ((text += '\\') += digits[b >> 4]) += digits[b & 15];
        }
    }
    return text;
}

class Script {
  public:
    struct Step {
        enum class Kind : std::uint8_t { write, read, end_of_stream, start_tls, compute, done };
        Kind kind = Kind::done;
        ByteVector bytes{};                        // write: exactly these; read: these arrive
        std::function<void(wire::Bytes)> check{};  // write: looks at the bytes instead
        std::function<ByteVector()> make{};        // read: made when it is their turn
        std::error_code error{};                   // done
        wire::TlsFacts facts{};                    // start_tls: what the handshake establishes
        bool direct = false;                       // start_tls: the input begins the handshake
    };

    Script& expect_write(ByteVector bytes) { return add({Step::Kind::write, std::move(bytes), {}, {}, {}}); }
    Script& expect_write(std::function<void(wire::Bytes)> check) {
        return add({Step::Kind::write, {}, std::move(check), {}, {}});
    }
    Script& read(ByteVector bytes) { return add({Step::Kind::read, std::move(bytes), {}, {}, {}}); }
    Script& read(std::function<ByteVector()> make) { return add({Step::Kind::read, {}, {}, std::move(make), {}}); }
    // The peer closes: the exchange's read ends with errc::closed.
    Script& read_end() { return add({Step::Kind::end_of_stream, {}, {}, {}, {}}); }
    // The handshake succeeds with these facts. `direct`: the unconsumed input is part of it.
    Script& expect_start_tls(wire::TlsFacts facts = {}, bool direct = false) {
        return add({Step::Kind::start_tls, {}, {}, {}, {}, std::move(facts), direct});
    }
    Script& expect_compute() { return add({Step::Kind::compute, {}, {}, {}, {}}); }
    Script& expect_done(std::error_code error = {}) { return add({Step::Kind::done, {}, {}, {}, error}); }
    // Bytes of the last read that the exchange must leave for whoever comes next.
    Script& leaving(ByteVector bytes) {
        left_ = std::move(bytes);
        return *this;
    }

    [[nodiscard]] const std::vector<Step>& steps() const noexcept { return steps_; }
    [[nodiscard]] const ByteVector& left() const noexcept { return left_; }

  private:
    Script& add(Step step) {
        steps_.push_back(std::move(step));
        return *this;
    }
    std::vector<Step> steps_;
    ByteVector left_;
};

[[nodiscard]] inline std::string_view to_string(wire::Action::Kind kind) noexcept {
    switch (kind) {
        case wire::Action::Kind::read: return "read";
        case wire::Action::Kind::write: return "write";
        case wire::Action::Kind::start_tls: return "start_tls";
        case wire::Action::Kind::compute: return "compute";
        case wire::Action::Kind::done: return "done";
    }
    return "?";
}

// One run of a script. The variations of a run:
struct Variation {
    bool byte_by_byte = false;
    std::size_t fail_at = SIZE_MAX;  // the number of the action that fails instead of being performed
    std::error_code fail_with{};
    std::size_t replace_read = SIZE_MAX;  // the number of the read step that brings other bytes
    ByteVector replacement{};
};

class ScriptRun {
  public:
    ScriptRun(wire::Exchange& exchange, const Script& script, Variation variation = {})
        : exchange_(exchange), script_(script), variation_(std::move(variation)) {}

    struct Outcome {
        bool done = false;
        bool interrupted = false;  // by the variation
        bool starved = false;      // wanted to read when the replaced bytes were used up
        std::error_code error{};
        std::size_t actions = 0;
    };

    // Fails the test where the exchange leaves the script; a run with an interruption ends at it.
    Outcome run() {
        wire::Action action = call({});
        for (;;) {
            EXPECT_LE(action.consumed, input_.size());
            input_.erase(input_.begin(),
                         input_.begin() + static_cast<std::ptrdiff_t>(std::min(action.consumed, input_.size())));
            if (++outcome_.actions > 5'000'000) {
                ADD_FAILURE() << "the exchange does not come to an end";
                return outcome_;
            }
            if (action.kind == wire::Action::Kind::done) return finish(action);
            if (outcome_.interrupted) {
                ADD_FAILURE() << "asked for " << to_string(action.kind) << " after an interruption";
                return outcome_;
            }
            if (outcome_.actions - 1 == variation_.fail_at) {
                outcome_.interrupted = true;
                if (action.kind == wire::Action::Kind::start_tls) exchange_.tls_failed("it was interrupted");
                action = call(variation_.fail_with);
                continue;
            }
            const std::optional<std::error_code> next = perform(action);
            if (!next) return outcome_;
            action = call(*next);
        }
    }

  private:
    wire::Action call(std::error_code ec) { return exchange_.resume(input_, ec); }

    [[nodiscard]] const Script::Step* next_step() const noexcept {
        return at_ < script_.steps().size() ? &script_.steps()[at_] : nullptr;
    }

    std::optional<std::error_code> unexpected(const wire::Action& action) {
        if (off_script_) return std::nullopt;  // hostile bytes were fed: anything goes but a crash
        ADD_FAILURE() << "step " << at_ << ": the exchange asks to " << to_string(action.kind)
                      << (action.kind == wire::Action::Kind::write ? ": " + shown(action.output) : std::string());
        return std::nullopt;
    }

    // What the action ended with; nothing: the run is over.
    std::optional<std::error_code> perform(const wire::Action& action) {
        if (action.kind == wire::Action::Kind::read) return perform_read(action);
        if (off_script_) {
            if (action.kind == wire::Action::Kind::compute) exchange_.compute();
            if (action.kind == wire::Action::Kind::start_tls) return refuse_tls(action);
            return std::error_code();
        }
        const Script::Step* step = next_step();
        const bool matches =
            step != nullptr &&
            ((action.kind == wire::Action::Kind::write && step->kind == Script::Step::Kind::write) ||
             (action.kind == wire::Action::Kind::start_tls && step->kind == Script::Step::Kind::start_tls) ||
             (action.kind == wire::Action::Kind::compute && step->kind == Script::Step::Kind::compute));
        if (!matches) return unexpected(action);
        if (action.kind == wire::Action::Kind::compute) exchange_.compute();
        if (action.kind == wire::Action::Kind::start_tls) {
            ++at_;
            return start_tls(action, *step);
        }
        if (action.kind == wire::Action::Kind::write) {
            if (step->check) {
                step->check(action.output);
            } else {
                EXPECT_EQ(shown(action.output), shown(step->bytes)) << "step " << at_;
                EXPECT_TRUE(bytes_of(action.output) == step->bytes) << "step " << at_;
            }
        }
        ++at_;
        return std::error_code();
    }

    // As drive() does.
    std::error_code start_tls(const wire::Action& action, const Script::Step& step) {
        EXPECT_EQ(action.direct, step.direct) << "step " << at_ - 1;
        if (!action.direct && !input_.empty()) return make_error_code(wire::errc::plaintext_before_tls);
        input_.clear();
        if (action.direct) arriving_.clear();  // the rest of what began the handshake
        exchange_.secured(step.facts);
        return {};
    }

    // Hostile bytes make no handshake.
    std::error_code refuse_tls(const wire::Action& action) {
        if (!action.direct && !input_.empty()) return make_error_code(wire::errc::plaintext_before_tls);
        exchange_.tls_failed("no handshake");
        return make_error_code(wire::errc::tls_failed);
    }

    std::optional<std::error_code> perform_read(const wire::Action& action) {
        if (arriving_.empty()) {
            if (off_script_) {
                outcome_.starved = true;
                return std::nullopt;
            }
            const Script::Step* step = next_step();
            if (step == nullptr) return unexpected(action);
            if (step->kind == Script::Step::Kind::end_of_stream) {
                ++at_;
                return make_error_code(wire::errc::closed);
            }
            if (step->kind != Script::Step::Kind::read) return unexpected(action);
            const ByteVector bytes = step->make ? step->make() : step->bytes;
            ++at_;
            if (reads_++ == variation_.replace_read) {
                off_script_ = true;
                arriving_.assign(variation_.replacement.begin(), variation_.replacement.end());
            } else {
                arriving_.assign(bytes.begin(), bytes.end());
            }
            if (arriving_.empty()) return unexpected(action);
        }
        const std::size_t n = variation_.byte_by_byte ? 1 : arriving_.size();
        input_.insert(input_.end(), arriving_.begin(), arriving_.begin() + static_cast<std::ptrdiff_t>(n));
        arriving_.erase(arriving_.begin(), arriving_.begin() + static_cast<std::ptrdiff_t>(n));
        return std::error_code();
    }

    Outcome finish(const wire::Action& action) {
        outcome_.done = true;
        outcome_.error = action.error;
        if (outcome_.interrupted || off_script_) return outcome_;
        const Script::Step* step = next_step();
        if (step == nullptr || step->kind != Script::Step::Kind::done) {
            ADD_FAILURE() << "step " << at_ << ": the exchange is done with '" << action.error.message() << "' ("
                          << exchange_.diagnostics().message << ')';
            return outcome_;
        }
        EXPECT_EQ(action.error, step->error) << action.error.message() << ": " << exchange_.diagnostics().message;
        ByteVector left = input_;
        left.insert(left.end(), arriving_.begin(), arriving_.end());
        if (!action.error) {
            EXPECT_EQ(shown(left), shown(script_.left())) << "bytes left unconsumed";
        }
        return outcome_;
    }

    wire::Exchange& exchange_;
    const Script& script_;
    Variation variation_;
    std::size_t at_ = 0;
    std::size_t reads_ = 0;
    bool off_script_ = false;
    ByteVector input_;
    std::deque<std::uint8_t> arriving_;
    Outcome outcome_;
};

// The script as it is; the exchange can be asked for its results afterwards.
inline void play(const Script& script, wire::Exchange& exchange) { (void)ScriptRun(exchange, script).run(); }

// The script as it is, then broken in every generic way. `close_is_in_order`: the exchange may take the end of the
// stream for a good end.
inline void play_all(const Script& script, const MakeExchange& make, bool close_is_in_order = false) {
    std::size_t whole_actions = 0;
    {
        SCOPED_TRACE("whole");
        const auto exchange = make();
        const auto outcome = ScriptRun(*exchange, script).run();
        ASSERT_TRUE(outcome.done);
        whole_actions = outcome.actions;
    }
    std::size_t actions = whole_actions;
    {
        SCOPED_TRACE("byte by byte");
        const auto exchange = make();
        Variation variation;
        variation.byte_by_byte = true;
        const auto outcome = ScriptRun(*exchange, script, variation).run();
        ASSERT_TRUE(outcome.done);
        actions = outcome.actions;
    }
    // Interruptions at every action of the byte-wise run: before, in the middle of and behind every message.
    const std::error_code failures[] = {make_error_code(wire::errc::closed), make_error_code(wire::errc::cancelled),
                                        make_error_code(wire::errc::timed_out),
                                        std::make_error_code(std::errc::connection_reset)};
    for (const std::error_code& failure : failures) {
        for (std::size_t at = 0; at + 1 < actions; ++at) {
            SCOPED_TRACE("'" + failure.message() + "' at action " + std::to_string(at));
            const auto exchange = make();
            Variation variation;
            variation.byte_by_byte = true;
            variation.fail_at = at;
            variation.fail_with = failure;
            const auto outcome = ScriptRun(*exchange, script, variation).run();
            EXPECT_TRUE(outcome.done);
            if (failure == wire::errc::closed && close_is_in_order) continue;
            EXPECT_EQ(outcome.error, failure);
        }
    }
}

// Puts `bytes` in the place of every read in turn. The exchange must end with an error, and without asking for more:
// what cannot be right is not waited for.
inline void play_hostile(const Script& script, const MakeExchange& make, const ByteVector& bytes) {
    std::size_t reads = 0;
    for (const Script::Step& step : script.steps()) reads += step.kind == Script::Step::Kind::read ? 1 : 0;
    for (std::size_t at = 0; at < reads; ++at) {
        for (const bool byte_by_byte : {false, true}) {
            SCOPED_TRACE("hostile bytes at read " + std::to_string(at) + (byte_by_byte ? ", byte by byte" : ""));
            const auto exchange = make();
            Variation variation;
            variation.byte_by_byte = byte_by_byte;
            variation.replace_read = at;
            variation.replacement = bytes;
            const auto outcome = ScriptRun(*exchange, script, variation).run();
            EXPECT_FALSE(outcome.starved) << "it waits for more of " << shown(bytes);
            EXPECT_TRUE(outcome.error) << "it accepts " << shown(bytes);
        }
    }
}

// Random bytes in the place of every read: any end will do, and so will waiting for more.
inline void play_noise(const Script& script, const MakeExchange& make, std::uint32_t seed, int rounds = 200) {
    std::size_t reads = 0;
    for (const Script::Step& step : script.steps()) reads += step.kind == Script::Step::Kind::read ? 1 : 0;
    std::uint32_t x = seed | 1;
    const auto random = [&x] { return x ^= x << 13, x ^= x >> 17, x ^= x << 5; };
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t at = 0; at < reads; ++at) {
            SCOPED_TRACE("noise of seed " + std::to_string(seed) + ", round " + std::to_string(round));
            const auto exchange = make();
            Variation variation;
            variation.replace_read = at;
            for (std::uint32_t n = random() % 64 + 1; n > 0; --n) {
                variation.replacement.push_back(static_cast<std::uint8_t>(random()));
            }
            // Half of them keep the genuine beginning, so that the noise gets past the framing.
            std::size_t seen = 0;
            for (const Script::Step& step : script.steps()) {
                if (step.kind != Script::Step::Kind::read || seen++ != at || round % 2 == 0) continue;
                const std::size_t keep = std::min<std::size_t>(step.bytes.size(), random() % 32);
                variation.replacement.insert(variation.replacement.begin(), step.bytes.begin(),
                                             step.bytes.begin() + static_cast<std::ptrdiff_t>(keep));
            }
            const auto outcome = ScriptRun(*exchange, script, variation).run();
            EXPECT_TRUE(outcome.done || outcome.starved);
        }
    }
}

}  // namespace leasehold::test
