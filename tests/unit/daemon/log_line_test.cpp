// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_line.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

namespace leasehold::daemon {
namespace {

using namespace std::chrono_literals;

LogLine line_of(LogLevel level, std::string event, std::vector<LogLine::Field> fields = {}) {
    LogLine line;
    line.at = std::chrono::system_clock::time_point(1767225600s + 7ms);  // 2026-01-01
    line.level = level;
    line.event = std::move(event);
    line.fields = std::move(fields);
    return line;
}

TEST(LogText, IsOneLineOfKeysAndValues) {
    const auto line = line_of(LogLevel::info, "connect", {{"pool", "orders", true}, {"ms", "3", false}});
    EXPECT_EQ(render_text(line), "2026-01-01T00:00:00.007Z info event=connect pool=orders ms=3");
    EXPECT_EQ(render_text(line, false), "info event=connect pool=orders ms=3");
}

TEST(LogText, QuotesWhatWouldNotReadAsOneValue) {
    const auto value = [](std::string text) {
        const std::string whole = render_text(line_of(LogLevel::warn, "e", {{"k", std::move(text), true}}), false);
        return whole.substr(std::string("warn event=e k=").size());
    };
    EXPECT_EQ(value("plain"), "plain");
    EXPECT_EQ(value("db.internal:5432"), "db.internal:5432");
    EXPECT_EQ(value(""), "\"\"");
    EXPECT_EQ(value("two words"), "\"two words\"");
    EXPECT_EQ(value("a=b"), "\"a=b\"");
    EXPECT_EQ(value("say \"no\""), "\"say \\\"no\\\"\"");
    EXPECT_EQ(value("back\\slash"), "\"back\\\\slash\"");
    EXPECT_EQ(value("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
}

TEST(LogText, LetsNoPeerForgeALineOrReachTheTerminal) {
    const auto value = [](std::string text) {
        return render_text(line_of(LogLevel::warn, "e", {{"k", std::move(text), true}}), false);
    };
    EXPECT_EQ(value("x\n2026 error event=forged"), "warn event=e k=\"x\\n2026 error event=forged\"");
    EXPECT_EQ(value("\r\t\x1b[2J\x7f"), "warn event=e k=\"\\r\\t\\x1b[2J\\x7f\"");
    EXPECT_EQ(value(std::string("a\0b", 3)), "warn event=e k=\"a\\x00b\"");
    EXPECT_EQ(value("\xc2\x9b"
                    "31m"),
              "warn event=e k=\"\\x9b31m\"");                                // CSI as one character
    EXPECT_EQ(value("\xff\xc3"), "warn event=e k=\"\\xff\\xc3\"");           // no UTF-8
    EXPECT_EQ(value("\xc0\xaf"), "warn event=e k=\"\\xc0\\xaf\"");           // overlong
    EXPECT_EQ(value("\xed\xa0\x80"), "warn event=e k=\"\\xed\\xa0\\x80\"");  // half a surrogate pair
}

TEST(LogText, HasNoOtherEndsOfLinesEither) {
    const auto line = line_of(LogLevel::info, "e",
                              {{"k",
                                "a\xe2\x80\xa8"
                                "b\xe2\x80\xa9",
                                true}});
    EXPECT_EQ(render_text(line, false), "info event=e k=\"a\\u2028b\\u2029\"");
    EXPECT_NE(render_json(line).find(R"("k":"a\u2028b\u2029")"), std::string::npos);
}

TEST(LogJson, WritesNumbersBareAndTextEscaped) {
    auto line = line_of(LogLevel::error, "listen_failed",
                        {{"address", "a\"b\\c\n\x01", true}, {"port", "6432", false}, {"tls", "true", false}});
    line.repeated = 2;
    EXPECT_EQ(render_json(line), R"({"time":"2026-01-01T00:00:00.007Z","level":"error","event":"listen_failed",)"
                                 R"("address":"a\"b\\c\n\u0001","port":6432,"tls":true,"repeated":2})");
}

TEST(LogJson, QuotesWhatJsonHasNoNumberFor) {
    const auto line = line_of(LogLevel::info, "e", {{"a", "nan", false}, {"b", "-inf", false}, {"c", "-1.5", false}});
    EXPECT_NE(render_json(line).find(R"("a":"nan","b":"-inf","c":-1.5)"), std::string::npos) << render_json(line);
}

TEST(LogJson, IsValidWhateverAPeerSends) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
    for (int round = 0; round < 2000; ++round) {
        std::string bytes(random() % 40, '\0');
        for (char& c : bytes) c = static_cast<char>(random());
        const std::string json = render_json(line_of(LogLevel::warn, bytes, {{"k", bytes, true}, {bytes, "1", false}}));
        const auto parsed = nlohmann::json::parse(json, nullptr, false);
        ASSERT_FALSE(parsed.is_discarded()) << json;
        ASSERT_EQ(parsed["level"], "warn");
        ASSERT_EQ(json.find_first_of("\n\r"), std::string::npos);
    }
}

}  // namespace
}  // namespace leasehold::daemon
