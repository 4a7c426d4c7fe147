// SPDX-License-Identifier: Apache-2.0
// A tracker between a client and a backend that a test plays: bytes go in whole or one by one, and what comes out on
// either side is kept. Does what the daemon does at verdicts, with one backend at a time.
#pragma once

#include "dialects/mysql/tracker.hpp"
#include "tests/unit/mysql/packets.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace leasehold::mysql::test {

struct PlayedSession {
    explicit PlayedSession(TrackerOptions options = {}, bool byte_wise = false)
        : server_capabilities(options.capabilities & cap::canonical), tracker(std::move(options)), bytewise(byte_wise),
          backend(std::make_unique<MysqlLease>()) {
        backend->mariadb = true;
        backend->capabilities = server_capabilities;
    }

    // What the client sends. Leases are had at once, and aligned.
    void client(const Raw& bytes) {
        for (std::size_t i = 0; i < bytes.size();) {
            const std::size_t n = bytewise ? 1 : bytes.size();
            held.insert(held.end(), bytes.begin() + static_cast<std::ptrdiff_t>(i),
                        bytes.begin() + static_cast<std::ptrdiff_t>(i + n));
            i += n;
            push();
        }
    }
    void push() {
        for (;;) {
            const wire::Verdict verdict = tracker.from_client(held, out_backend, out_client);
            keep();
            ASSERT_LE(verdict.consumed, held.size());
            held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(verdict.consumed));
            last = verdict.kind;
            if (verdict.kind == wire::Verdict::Kind::boundary) {
                ++boundaries;
                if (tracker.pin().empty()) tracker.detach();
                if (held.empty()) return;
                continue;
            }
            if (verdict.kind != wire::Verdict::Kind::lease || !gives_leases) return;
            ASSERT_FALSE(tracker.attached());
            ++leases;
            backend->held = tracker.settings();
            tracker.attach(*backend);
        }
    }
    // What the backend sends. A boundary ends the lease, as in the daemon.
    void server(const Raw& bytes) {
        for (std::size_t i = 0; i < bytes.size();) {
            const std::size_t n = bytewise ? 1 : bytes.size();
            owed.insert(owed.end(), bytes.begin() + static_cast<std::ptrdiff_t>(i),
                        bytes.begin() + static_cast<std::ptrdiff_t>(i + n));
            i += n;
            const wire::Verdict verdict = tracker.from_backend(owed, out_client, out_backend);
            keep();
            ASSERT_LE(verdict.consumed, owed.size());
            owed.erase(owed.begin(), owed.begin() + static_cast<std::ptrdiff_t>(verdict.consumed));
            last = verdict.kind;
            if (verdict.kind == wire::Verdict::Kind::boundary) {
                ++boundaries;
                if (tracker.pin().empty()) tracker.detach();
            }
            if (verdict.kind == wire::Verdict::Kind::boundary || verdict.kind == wire::Verdict::Kind::more) push_held();
        }
    }
    void push_held() {
        const wire::Verdict::Kind seen = last;
        if (!held.empty()) push();
        if (held.empty()) last = seen;
    }
    void keep() {
        std::vector<std::uint8_t> bytes;
        out_backend.flatten(bytes);
        to_backend = to_backend + bytes;
        bytes.clear();
        out_client.flatten(bytes);
        to_client = to_client + bytes;
        out_backend.clear();
        out_client.clear();
    }
    void ask() {
        tracker.ask(out_backend);
        keep();
    }
    wire::Aftermath lose(std::string reason, bool unwritten = false) {
        const wire::Aftermath aftermath =
            tracker.lose({wire::Loss::Kind::backend, std::move(reason), unwritten}, out_client);
        keep();
        renew();
        return aftermath;
    }
    void renew() {
        backend = std::make_unique<MysqlLease>();
        backend->mariadb = true;
        backend->capabilities = server_capabilities;
        owed.clear();
    }
    // The error in the last packet to the client, 0: none.
    [[nodiscard]] int client_error() {
        std::size_t at = 0;
        int number = 0;
        while (at + 4 <= to_client.size()) {
            const std::size_t length = to_client[at] + 256u * to_client[at + 1] + 65536u * to_client[at + 2];
            if (at + 4 + length > to_client.size()) break;
            number = length > 2 && to_client[at + 4] == 0xFF ? to_client[at + 5] + 256 * to_client[at + 6] : 0;
            at += 4 + length;
        }
        return number;
    }
    Raw take_client() { return std::exchange(to_client, {}); }
    Raw take_backend() { return std::exchange(to_backend, {}); }

    Capabilities server_capabilities;  // of backends to come; the client's own if nothing is said
    Tracker tracker;
    bool bytewise;
    bool gives_leases = true;
    std::unique_ptr<MysqlLease> backend;
    wire::Outbox out_client, out_backend;
    Raw held, owed, to_client, to_backend;
    wire::Verdict::Kind last = wire::Verdict::Kind::more;
    int leases = 0, boundaries = 0;
};

}  // namespace leasehold::mysql::test
