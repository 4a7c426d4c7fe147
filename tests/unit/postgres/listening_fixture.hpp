// SPDX-License-Identifier: Apache-2.0
// A session that listens, without its tracker: what tests of it and of its backend share.
#pragma once

#include "dialects/postgres/listening.hpp"
#include "dialects/postgres/messages.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {

inline wire::AnnouncementPtr said(std::string channel, std::string payload, std::uint32_t from = 7) {
    return std::make_shared<wire::Announcement>(wire::Announcement{0, from, std::move(channel), std::move(payload)});
}

class Listens : public ::testing::Test {
  protected:
    // The statement is sent; its mark comes back by mark_of().
    std::string order(std::string_view sql) {
        const ListenOrder read = read_listen(sql);
        if (read.kind == ListenOrder::Kind::listen) listening.ready(read.channel, "marks", 17);
        const std::string text = listening.mark(read, ++request);
        const std::string front = "NOTIFY \"marks\", '17 ";
        EXPECT_EQ(text.substr(0, front.size()), front);
        return text.substr(front.size(), 32);
    }
    void comes_back(const std::string& nonce, std::uint32_t from = 7) {
        listening.heard(std::make_shared<wire::Announcement>(wire::Announcement{17, from, "marks", nonce}), false);
    }
    void hear(const wire::AnnouncementPtr& what, bool idle = false) { listening.heard(what, idle); }
    void listen(std::string_view sql) {
        comes_back(order(sql));
        listening.over(true);
        listening.caught_up();
    }
    // "news one; news two"
    std::string delivered() {
        wire::Writer out;
        listening.deliver(out);
        std::string all;
        wire::Bytes in = out.bytes();
        while (!in.empty()) {
            const Header header = *peek(in);
            wire::Cursor cursor(in.subspan(header_size, header.body()));
            if (header.type == backend::notification) {
                cursor.skip(4);
                const std::string_view channel = cursor.cstring();
                all += std::string(channel) + ' ' + std::string(cursor.cstring()) + ';';
            } else {
                all += std::string(1, static_cast<char>(header.type)) + ';';
            }
            in = in.subspan(header.size());
        }
        return all;
    }

    Listening listening;
    std::uint64_t request = 0;
};

}  // namespace leasehold::postgres
