// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/servers.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using config::TlsMode;
using wire::awaitable;
using wire::errc;
using Clock = pool::Clock;

// Servers may have been told meanwhile to trust us.
constexpr auto keys_wanted_for = std::chrono::seconds(30);

[[nodiscard]] Server server_of(const config::HostPort& host) {
    Server server;
    const bool local = host.unix_socket();
    server.address.host = local ? host.host + "/.s.PGSQL." + std::to_string(host.port) : host.host;
    server.address.port = host.port;
    server.host = host.host;
    server.name = server.address.text();
    return server;
}

[[nodiscard]] ServerChannel::Binding binding_of(std::string_view word) noexcept {
    if (word == "disable") return ServerChannel::Binding::disable;
    return word == "require" ? ServerChannel::Binding::require : ServerChannel::Binding::prefer;
}

[[nodiscard]] wire::TlsContext::ClientFiles files_of(const config::Url& url) {
    using Verify = wire::TlsContext::Verify;
    wire::TlsContext::ClientFiles files;
    const TlsMode mode = url.server_tls();
    files.ca = url.option("sslrootcert");
    files.cert = url.option("sslcert");
    files.key = url.option("sslkey");
    // As libpq: whoever names a CA wants it to be asked.
    files.verify = mode == TlsMode::verify_full ? Verify::full : !files.ca.empty() ? Verify::ca : Verify::none;
    files.protocols = {std::string(alpn_protocol)};
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
    std::optional<Found> second_best;
};

Servers::Servers(const dialects::ConnectorParams& params) : url_(params.url), rules_(params.executor) {
    for (const config::HostPort& host : url_.hosts) {
        servers_.push_back(server_of(host));
        names_.push_back(servers_.back().name);
    }
    rules_.computing = params.computing;
    rules_.mode = url_.server_tls();
    rules_.direct = url_.option("sslnegotiation") == "direct";
    rules_.send_name = url_.option("sslsni") != "0";
    binding_ = binding_of(url_.option("channel_binding"));
    wanted_ = target_session(url_.option("target_session_attrs"));
    tls_ = rules_.mode != TlsMode::disable && !std::ranges::all_of(servers_, &Server::local);
    credential_.user = params.user;
    if (params.password) credential_.verifier = parse_scram_verifier(*params.password);
    if (!credential_.verifier) credential_.password = params.password;
    (void)reload_certificates();  // each search asks what became of it
}

std::string Servers::reload_certificates() { return tls_ ? contexts_.load(files_of(url_)) : std::string(); }

// Of somebody else's login, who shares this pool with a verifier of his own, it is of no use.
void Servers::learn(const std::string& keys) {
    const std::optional<ScramKeys> recovered = parse_keys(keys);
    if (!recovered || !credential_.verifier || recovered->stored_key != credential_.verifier->stored_key) return;
    const std::lock_guard lock(mutex_);
    keys_ = recovered;
}

std::string Servers::learned() const {
    const std::lock_guard lock(mutex_);
    return keys_ ? to_string(*keys_) : std::string();
}

// False: nothing needs to be dialled to know how it ends.
bool Servers::prepare(Search& search) {
    search.login.channel.binding = binding_;
    search.login.credential = credential_;
    wire::UrlTls::Current tls = contexts_.current();
    Reached& reached = search.found.reached;
    if (tls_ && !tls.context) {
        reached.refuse(make_error_code(errc::tls_failed), std::move(tls.error), name());
        return false;
    }
    search.rules.context = std::move(tls.context);
    const std::lock_guard lock(mutex_);
    search.login.credential.keys = keys_;
    if (credential_.verifier && !keys_ && Clock::now() < keys_wanted_until_) {
        reached.refuse(make_error_code(errc::authentication_failed),
                       "nobody has logged in as \"" + credential_.user +
                           "\" since the start; its SCRAM verifier cannot dial by itself",
                       name());
        return false;
    }
    return true;
}

awaitable<Servers::Found> Servers::find(ServerLoginParams login, pool::Deadline deadline) {
    Search search(rules_);
    search.login = std::move(login);
    const bool ready = prepare(search);
    if (!ready) co_return std::move(search.found);
    wire::HostWalk walk(rules_.executor, names_, deadline);
    while (!search.over && walk.more()) {
        // One that serves is not kept waiting for a better one; else the first that is due is tried, soon enough.
        if (search.second_best && walk.must_wait()) break;
        const wire::HostWalk::Turn turn = co_await walk.next();
        co_await try_one(search, turn);
    }
    if (search.over) co_return std::move(search.found);
    if (search.second_best) co_return std::move(*search.second_best);
    search.found.reached.transport.reset();
    search.found.reached.message = search.failures.take();
    co_return std::move(search.found);
}

awaitable<void> Servers::try_one(Search& search, wire::HostWalk::Turn turn) {
    const Server& server = servers_[turn.host];
    const pool::Deadline until = turn.until;
    const auto began = Clock::now();
    DialRules rules = search.rules;
    Server copy = server;
    ServerLoginParams login = search.login;
    Found& found = search.found;
    found.reached = co_await dial_server(std::move(rules), std::move(copy), std::move(login), until);
    found.server = server;
    found.host = turn.host;
    if (found.reached.error) {
        note_failure(search, server, began);
        co_return;
    }
    wire::host_table().answered(server.name);
    const ServerLogin& said = *found.reached.login;
    found.cancel = cancel_by(search.rules, server, *found.reached.transport, said.pid(), said.secret());
    const bool fit = co_await fits(found.reached, until);
    if (found.reached.error) {
        note_failure(search, server, began);
    } else if (fit) {
        search.over = true;
    } else {
        found.reached.error = errc::unsupported;
        search.failures.add(server.name + ": " + std::string(unfit_because(wanted_)));
        if (wanted_ == TargetSession::prefer_standby && !search.second_best) {
            found.reached.error = {};
            search.second_best = std::move(found);
            found = Found();
            found.reached.error = errc::unsupported;
        }
    }
}

awaitable<bool> Servers::fits(Reached& reached, pool::Deadline until) {
    ServerRole role;
    role.in_hot_standby = reached.login->parameter("in_hot_standby");
    role.default_transaction_read_only = reached.login->parameter("default_transaction_read_only");
    const Fit fit = judge(wanted_, role);
    if (fit == Fit::fits || fit == Fit::unfit) co_return fit == Fit::fits;
    AskRole question(fit);
    reached.error = co_await wire::drive(*reached.transport, question, reached.inbox, until);
    if (reached.error) reached.said = question.diagnostics();
    co_return judge(wanted_, question.answer());
}

void Servers::note_failure(Search& search, const Server& server, pool::Deadline began) {
    Reached& reached = search.found.reached;
    search.over = search.failures.end(reached, server.name, began);
    if (!search.over) return;
    if (reached.login && reached.login->wants_keys()) {
        const std::lock_guard lock(mutex_);
        keys_wanted_until_ = Clock::now() + keys_wanted_for;
    }
    if (credential_.verifier && reached.error == errc::authentication_failed && reached.said.from_server) {
        reached.message += " (the SCRAM verifier that is configured may not be the server's any more)";
    }
}

}  // namespace leasehold::postgres
