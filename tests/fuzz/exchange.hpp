// SPDX-License-Identifier: Apache-2.0
// Plays a sans-I/O exchange against a peer that says what the fuzzer wants: once with each of its turns in one piece,
// once in small pieces, and compares everything that can be seen from outside.
//
// The input: how the pieces are cut, how the stream ends, then the peer's turns, each two bytes of length and its bytes.
// A turn begins when all of the one before was read and the exchange wants more.
#pragma once

#include "dialects/wire/exchange.hpp"
#include "tests/fuzz/target.hpp"

#include <memory>

namespace leasehold::fuzz {

struct Conversation {
    std::uint8_t cut = 0;
    std::error_code end;
    std::vector<Bytes> turns;
    std::size_t size = 0;
};

[[nodiscard]] inline Conversation conversation(Input& input) {
    constexpr wire::errc ends[] = {wire::errc::closed, wire::errc::cancelled, wire::errc::timed_out};
    Conversation made;
    made.cut = input.u8();
    made.end = ends[input.u8() % std::size(ends)];
    while (!input.empty()) {
        const std::size_t length = input.u16();
        made.turns.push_back(input.take(length));
        made.size += made.turns.back().size();
    }
    return made;
}

// What an exchange did, as text.
struct Outcome {
    std::string actions;  // without reads and computations
    std::string output;
    std::error_code error;
    wire::Diagnostics diagnostics;
    std::size_t consumed = 0;
};

class Peer {
  public:
    Peer(const Conversation& conversation, std::uint8_t cut) : conversation_(conversation), pieces_(cut) {}

    Outcome talk(wire::Exchange& exchange) {
        std::error_code ec;
        for (std::size_t actions = 0;; ++actions) {
            require(actions <= 64 + 4 * conversation_.size, "an exchange comes to an end");
            const Raw exact(input_);  // so that a sanitizer sees a read behind it
            const wire::Action action = exchange.resume(exact, ec);
            require(action.consumed <= input_.size(), "no more is consumed than was there");
            input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(action.consumed));
            outcome_.consumed += action.consumed;
            if (action.kind == wire::Action::Kind::done) return finish(exchange, action);
            require(!ec, "an exchange that was interrupted is done");
            ec = perform(exchange, action);
        }
    }

  private:
    std::error_code perform(wire::Exchange& exchange, const wire::Action& action) {
        switch (action.kind) {
            case wire::Action::Kind::read: return read();
            case wire::Action::Kind::write:
                require(!action.output.empty(), "something is written");
                outcome_.actions += 'w';
                outcome_.output += wire::as_text(action.output);
                require(outcome_.output.size() <= (128u << 10) + 64 * conversation_.size, "the output is bounded");
                return {};
            case wire::Action::Kind::start_tls: return start_tls(exchange, action.direct);
            case wire::Action::Kind::compute:
                exchange.compute();  // not compared: whether keys are known already is the cache's affair
                return {};
            case wire::Action::Kind::done: break;
        }
        return {};
    }

    // The handshake succeeds. What is there already is an attack; unless it is the handshake itself.
    std::error_code start_tls(wire::Exchange& exchange, bool direct) {
        outcome_.actions += direct ? 'T' : 't';
        if (!direct && !input_.empty()) return make_error_code(wire::errc::plaintext_before_tls);
        if (direct) {
            input_.clear();
            arriving_ = {};
        }
        wire::TlsFacts facts;
        facts.version = "TLSv1.3";
        facts.protocol = conversation_.cut % 2 == 0 ? "postgresql" : "";
        facts.server_end_point.assign(32, 0x42);
        exchange.secured(facts);
        return {};
    }

    std::error_code read() {
        while (arriving_.empty() && turn_ < conversation_.turns.size()) arriving_ = conversation_.turns[turn_++];
        if (arriving_.empty()) return conversation_.end;
        const std::size_t n = pieces_.next(arriving_.size());
        input_.insert(input_.end(), arriving_.begin(), arriving_.begin() + static_cast<std::ptrdiff_t>(n));
        arriving_ = arriving_.subspan(n);
        return {};
    }

    Outcome finish(wire::Exchange& exchange, const wire::Action& action) {
        outcome_.error = action.error;
        outcome_.diagnostics = exchange.diagnostics();
        const wire::Action again = exchange.resume({}, {});
        require(again.kind == wire::Action::Kind::done, "an exchange that is done stays done");
        return outcome_;
    }

    const Conversation& conversation_;
    Pieces pieces_;
    Raw input_;
    Bytes arriving_{};
    std::size_t turn_ = 0;
    Outcome outcome_;
};

// `make` returns the exchange, `result` what it has to say in the end, as text.
template <class Make, class Result>
void play(Input& input, Make make, Result result) {
    const Conversation conversation = fuzz::conversation(input);
    const auto run = [&](std::uint8_t cut, Outcome& outcome) {
        const auto exchange = make();
        outcome = Peer(conversation, cut).talk(*exchange);
        return result(*exchange);
    };
    Outcome whole, pieces;
    const std::string of_whole = run(Pieces::whole, whole);
    const std::string of_pieces = run(conversation.cut, pieces);
    // What came behind a request for TLS is refused if it was seen in time.
    if (whole.error == wire::errc::plaintext_before_tls || pieces.error == wire::errc::plaintext_before_tls) return;
    require_same(whole.actions, pieces.actions, "actions");
    require_same(whole.output, pieces.output, "output");
    require_same(whole.error.message(), pieces.error.message(), "error");
    require_same(whole.diagnostics.sqlstate, pieces.diagnostics.sqlstate, "SQLSTATE");
    require_same(whole.diagnostics.message, pieces.diagnostics.message, "message");
    if (whole.error) return;
    require_same(std::to_string(whole.consumed), std::to_string(pieces.consumed), "consumed");
    require_same(of_whole, of_pieces, "result");
}

}  // namespace leasehold::fuzz
