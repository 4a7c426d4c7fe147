// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/servers.hpp"

#include "dialects/mysql/round.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using config::TlsMode;
using wire::awaitable;
using wire::errc;
using Clock = pool::Clock;

// ER_HOST_IS_BLOCKED: too many of our connections broke off. Another server may not think so.
constexpr int host_is_blocked = 1129;

[[nodiscard]] wire::TlsContext::ClientFiles files_of(const config::Url& url) {
    using Verify = wire::TlsContext::Verify;
    const config::TlsFiles named = url.tls_files();
    const TlsMode mode = url.server_tls();
    wire::TlsContext::ClientFiles files;
    files.ca = named.ca;
    files.ca_folder = named.ca_folder;
    files.crl = named.crl;
    files.cert = named.cert;
    files.key = named.key;
    files.verify = mode == TlsMode::verify_full ? Verify::full : mode == TlsMode::verify_ca ? Verify::ca : Verify::none;
    return files;
}

}  // namespace

// One search: what it began with, and what it has found out so far.
struct Servers::Search {
    explicit Search(const DialRules& dial) : rules(dial) {}
    DialRules rules;
    ServerLoginParams login;
    Found found;
    bool over = false;
    wire::Failures failures;
};

Servers::Servers(const dialects::ConnectorParams& params) : url_(params.url), rules_(params.executor) {
    for (const config::HostPort& host : url_.hosts) {
        servers_.push_back(server_of(host));
        names_.push_back(servers_.back().name);
    }
    rules_.computing = params.computing;
    rules_.mode = url_.server_tls();
    wanted_ = role_of(url_.option("role"));
    tls_ = rules_.mode != TlsMode::disable && !std::ranges::all_of(servers_, &Server::local);
    (void)reload_certificates();  // each search asks what became of it
}

std::string Servers::reload_certificates() { return tls_ ? contexts_.load(files_of(url_)) : std::string(); }

awaitable<Servers::Found> Servers::find(ServerLoginParams login, pool::Deadline deadline) {
    Search search(rules_);
    search.login = std::move(login);
    wire::UrlTls::Current tls = contexts_.current();
    if (tls_ && !tls.context) {
        search.found.reached.refuse(make_error_code(errc::tls_failed), std::move(tls.error), name());
        co_return std::move(search.found);
    }
    search.rules.context = std::move(tls.context);
    wire::HostWalk walk(rules_.executor, names_, deadline);
    while (!search.over && walk.more()) {
        const wire::HostWalk::Turn turn = co_await walk.next();
        co_await try_one(search, turn);
    }
    if (!search.over) {
        search.found.reached.transport.reset();
        search.found.reached.message = search.failures.take();
    }
    co_return std::move(search.found);
}

awaitable<void> Servers::try_one(Search& search, wire::HostWalk::Turn turn) {
    // A socket's folder may have come to be since.
    const Server server = server_of(url_.hosts[turn.host]);
    const auto began = Clock::now();
    DialRules rules = search.rules;
    Server copy = server;
    ServerLoginParams login = search.login;
    Found& found = search.found;
    found.reached = co_await dial_server(std::move(rules), std::move(copy), std::move(login), turn.until);
    found.server = server;
    found.host = turn.host;
    if (found.reached.error) {
        note_failure(search, turn.host, began);
        co_return;
    }
    found.cancel = cancel_by(search.rules, server, *found.reached.transport, found.reached.params,
                             found.reached.login->greeting().connection_id);
    const bool fit = co_await fits(found.reached, turn.until);
    if (found.reached.error) {
        note_failure(search, turn.host, began);
        co_return;
    }
    wire::host_table().answered(names_[turn.host]);
    search.over = fit;
    if (fit) co_return;
    found.reached.error = errc::unsupported;
    search.failures.add(server.name + ": " + std::string(unfit_because(wanted_)));
}

awaitable<bool> Servers::fits(Reached& reached, pool::Deadline until) {
    if (wanted_ == Role::any) co_return true;
    Round question((reached.login->capabilities() & cap::deprecate_eof) != 0);
    question.command(Command::query, "SELECT @@global.read_only", true);
    reached.error = co_await wire::drive(*reached.transport, question, reached.inbox, until);
    if (reached.error) reached.said = question.diagnostics();
    co_return fits_role(wanted_, question.first_field());
}

void Servers::note_failure(Search& search, std::size_t host, pool::Deadline began) {
    Reached& reached = search.found.reached;
    const bool elsewhere = reached.said.from_server && reached.said.number == host_is_blocked;
    search.over = search.failures.end(reached, names_[host], began, elsewhere);
}

}  // namespace leasehold::mysql
