// SPDX-License-Identifier: Apache-2.0
// Backend URLs: either a URL or problems, what is written is read again as the same, and a password is never shown.
#include "config/url.hpp"
#include "tests/fuzz/target.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("config_url", [](Bytes data) {
    const std::string text(wire::as_text(data));
    const config::ParsedUrl parsed = config::parse_url(text);
    require(parsed.url.has_value() == parsed.problems.empty(), "a URL or problems");
    for (const config::UrlProblem& problem : parsed.problems) require(!problem.message.empty(), "problems say what");
    if (!parsed.url) return;
    require(!parsed.url->hosts.empty(), "a URL has a host");
    const config::ParsedUrl again = config::parse_url(parsed.url->render(false));
    if (!again.url) violated("what is written can be read", parsed.url->render(false));
    require_same(parsed.url->render(false), again.url->render(false), "written twice");
    if (!(*again.url == *parsed.url)) violated("what is written is read as the same", parsed.url->render(false));
    config::Url secret = *parsed.url;
    secret.password = "hunter2hunter2";
    require(secret.render().find("hunter2") == std::string::npos || text.find("hunter2") != std::string::npos,
            "a password is not shown");
    (void)parsed.url->tls_mode();
    (void)parsed.url->family();
});

}  // namespace
}  // namespace leasehold::fuzz
