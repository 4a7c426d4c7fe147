// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/servers.hpp"

#include "dialects/wire/hosts.hpp"

namespace leasehold::wire {
namespace {

[[nodiscard]] bool is_final(const Reached& reached) noexcept {
    const std::error_code ec = reached.error;
    if (ec == errc::server_saturated || ec == errc::authentication_failed || ec == errc::unsupported) return true;
    if (ec == errc::tls_failed || ec == errc::tls_refused || ec == errc::plaintext_before_tls) return true;
    return ec == errc::server_error && reached.said.from_server;
}

}  // namespace

void Reached::failed(const std::string& name) {
    message = name + ": " + (said.message.empty() ? error.message() : said.message);
}

void Reached::refuse(std::error_code why, std::string words, const std::string& name) {
    error = why;
    said.message = std::move(words);
    refused = true;
    failed(name);
}

bool Failures::end(Reached& reached, const std::string& name, Deadline began, bool elsewhere) {
    if (reached.message.empty()) reached.failed(name);
    add(reached.message);
    reached.transport.reset();
    if (elsewhere || !is_final(reached)) {
        host_table().failed(name, Clock::now(), Clock::now() - began);
        return false;
    }
    reached.saturated = reached.error == errc::server_saturated;
    reached.refused = !reached.saturated;
    reached.message = text_;
    return true;
}

std::string UrlTls::load(const TlsContext::ClientFiles& files) {
    TlsContext::Loaded loaded = TlsContext::client(files);
    const std::lock_guard lock(mutex_);
    if (!loaded.context) {
        if (!current_.context) current_.error = loaded.error;
        return loaded.error;
    }
    current_ = {std::move(loaded.context), {}};
    return {};
}

UrlTls::Current UrlTls::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

}  // namespace leasehold::wire
