// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/status.hpp"

#include "daemon/web/json.hpp"

#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace leasehold::daemon::web {
namespace {

using namespace std::chrono_literals;
using Type = dialects::Column::Type;

About about() {
    About result;
    result.version = "0.1.0";
    result.uptime = 90061s;
    result.workers = 2;
    result.clients = 3;
    result.clients_limit = 100;
    return result;
}

Section section(std::string name, std::vector<dialects::Column> columns, admin::Rows rows) {
    Section result;
    result.title = name;
    result.name = std::move(name);
    result.result.columns = std::move(columns);
    result.result.rows = std::move(rows);
    return result;
}

TEST(StatusPage, EscapesWhatClientsChose) {
    const std::string html =
        page(about(), {section("LEASES", {{"application", Type::text}}, {{"<script>alert('x')</script>&\"\n"}})});
    EXPECT_EQ(html.find("<script"), std::string::npos);
    EXPECT_NE(html.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot; "), std::string::npos) << html;
}

TEST(StatusPage, SaysWhatItIsAndForHowLong) {
    const std::string html = page(about(), {});
    EXPECT_NE(html.find("leasehold 0.1.0"), std::string::npos);
    EXPECT_NE(html.find("up 1 d 01:01:01, 2 workers, 3 of 100 clients"), std::string::npos) << html;
    EXPECT_EQ(html.find("shutting down"), std::string::npos);
    About ending = about();
    ending.draining = true;
    EXPECT_NE(page(ending, {}).find("shutting down"), std::string::npos);
}

TEST(StatusPage, MarksPoolsThatServeNobody) {
    const std::vector<dialects::Column> columns{
        {"database", Type::text}, {"url", Type::text}, {"waiting", Type::integer}, {"status", Type::text}};
    EXPECT_EQ(page(about(), {section("POOLS", columns, {{"orders", "postgresql://", "0", "ok"}})}).find("class=bad>"),
              std::string::npos);
    EXPECT_NE(
        page(about(), {section("POOLS", columns, {{"orders", "postgresql://", "1", "ok"}})}).find("<tr class=bad>"),
        std::string::npos);
    const std::string failing =
        page(about(), {section("POOLS", columns, {{"orders", "postgresql://", "0", "failing"}})});
    EXPECT_NE(failing.find("<tr class=bad>"), std::string::npos);
    EXPECT_EQ(failing.find("postgresql://"), std::string::npos) << "where a pool leads is not for the page";
}

TEST(StatusPage, IsBoundedAndSaysWhatItLeavesOut) {
    const std::string html =
        page(about(), {section("WAITERS", {{"id", Type::integer}}, admin::Rows(100'000, admin::Row{"1"}))});
    EXPECT_LT(html.size(), 20'000u);
    EXPECT_NE(html.find("and 99800 more: SHOW WAITERS"), std::string::npos);
}

TEST(StatusPage, IsJsonForPrograms) {
    Section missing = section("LEASES", {}, {});
    missing.problem = "not every worker answered in time";
    const Response json = to_json(
        about(), {section("POOLS", {{"database", Type::text}, {"size", Type::integer}}, {{"orders", "5"}}), missing});
    EXPECT_EQ(json.body, R"({"version":"0.1.0","uptime_seconds":90061,"draining":false,"workers":2,"clients":3,)"
                         R"("max_clients":100,"pools":[{"database":"orders","size":5}],"leases":null})"
                         "\n");
}

TEST(StatusTables, GoOnWithoutATableThatDoesNotAnswer) {
    boost::asio::io_context loop;
    admin::Tables tables;
    std::vector<admin::Done> kept;
    tables.add({"POOLS", {{"database", Type::text}}, admin::Permission::read, "", [&](const admin::Done& done) {
                    kept.push_back(done);
                }});
    tables.add({"QUARANTINE", {{"id", Type::integer}}, admin::Permission::read, "", [](const admin::Done& done) {
                    done({{"7"}});
                }});
    const admin::Console console(tables);
    StatusTables status(loop.get_executor(), console, 50ms);
    std::vector<std::string> problems;
    int served = 0;
    const auto take = [&] {
        status.take([&](const std::vector<Section>& sections) {
            ++served;
            for (const Section& one : sections) {
                if (one.name == "POOLS") problems.push_back(one.problem);
                if (one.name == "QUARANTINE") {
                    EXPECT_EQ(one.result.rows.size(), 1u);
                }
            }
        });
    };
    take();
    take();
    take();  // these two together, behind the first
    loop.run_for(5s);
    EXPECT_EQ(served, 3);
    EXPECT_EQ(problems, std::vector<std::string>(3, "not every worker answered in time; see /healthz"));
    EXPECT_EQ(kept.size(), 2u);
    for (const admin::Done& late : kept) late({{"late"}});
    loop.restart();
    loop.run_for(1s);
    EXPECT_EQ(served, 3);
}

}  // namespace
}  // namespace leasehold::daemon::web
