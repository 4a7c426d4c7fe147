// SPDX-License-Identifier: Apache-2.0
#include "daemon/admission.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <cerrno>
#include <vector>

namespace leasehold::daemon {
namespace {

using config::AuthMethod;
using Kind = dialects::Credential::Kind;

// Where a client that was asked for nothing is turned away it is told what a wrong password or certificate would have
// told it: whether the user exists is nobody's business.
Admission refused(std::string_view sqlstate, std::string message, std::string hint) {
    Admission made;
    made.credential.kind = Kind::refused;
    made.credential.refusal.sqlstate = sqlstate;
    made.credential.refusal.message = std::move(message);
    made.hint = std::move(hint);
    return made;
}

Admission refused_as(std::string_view method, const std::string& user, std::string hint) {
    return refused("28000", std::string(method) + " authentication failed for user \"" + user + '"', std::move(hint));
}

Admission trusted() {
    Admission made;
    made.credential.kind = Kind::trust;
    return made;
}

// A map is the whole list, as in PostgreSQL's pg_ident.conf: a name that it lacks is nobody.
bool stands_for(const std::map<std::string, std::string>& map, const std::string& name, const std::string& user) {
    if (name.empty()) return false;
    if (map.empty()) return name == user;
    const auto found = map.find(name);
    return found != map.end() && found->second == user;
}

std::string not_the_user(std::string_view what, const std::string& name, const config::Listen& listen,
                         const std::string& user) {
    const std::string who = std::string(what) + " \"" + name + '"';
    if (listen.map.empty()) return who + " may log in as \"" + name + "\" only; map can say otherwise";
    const auto found = listen.map.find(name);
    if (found == listen.map.end()) return "map does not name the " + who;
    return "map lets the " + who + " log in as \"" + found->second + "\", not as \"" + user + '"';
}

const std::string no_such_user = "no such user here";

Admission by_certificate(const config::Listen& listen, const Account& account, const dialects::LoginRequest& request) {
    const std::string& name = request.certified_name;
    if (!request.encrypted || name.empty()) {
        return refused("28000", "connection requires a valid client certificate",
                       request.encrypted ? "the client showed no certificate with a common name"
                                         : "the connection is not encrypted");
    }
    if (!stands_for(listen.map, name, request.user)) {
        return refused_as("certificate", request.user, not_the_user("certificate", name, listen, request.user));
    }
    if (!account.known) return refused_as("certificate", request.user, no_such_user);
    return trusted();
}

Admission by_system_user(const config::Listen& listen, const Account& account, const dialects::LoginRequest& request,
                         const Identity& identity) {
    const std::string& name = identity.system_user;
    if (!identity.local || name.empty()) {
        return refused_as("peer", request.user,
                          identity.local ? "the system has no name for the client's user id" : "not a unix socket");
    }
    if (!stands_for(listen.map, name, request.user)) {
        return refused_as("peer", request.user, not_the_user("system user", name, listen, request.user));
    }
    if (!account.known) return refused_as("peer", request.user, no_such_user);
    return trusted();
}

}  // namespace

config::AuthMethod method_for(const config::Listen& listen, bool local) noexcept {
    // MySQL's clients have no other word for their own method.
    if (listen.auth == AuthMethod::automatic && local && listen.dialect != "mysql") return AuthMethod::peer;
    return listen.auth;
}

Admission admit(const config::Listen& listen, const Account& account, const dialects::LoginRequest& request,
                const Identity& identity) {
    const config::TlsMode mode = identity.local ? config::TlsMode::disable : listen.tls.mode;
    if (mode >= config::TlsMode::require && !request.encrypted) {
        return refused("28000", "connection requires encryption: use sslmode=require",
                       "the connection is not encrypted");
    }
    if (mode == config::TlsMode::verify_full && !stands_for(listen.map, request.certified_name, request.user)) {
        return refused_as("certificate", request.user,
                          not_the_user("certificate", request.certified_name, listen, request.user));
    }
    const AuthMethod method = method_for(listen, identity.local);
    Admission made;
    made.credential.method = method;
    switch (method) {
        case AuthMethod::trust:
            if (account.known) return trusted();
            return refused("28P01", "password authentication failed for user \"" + request.user + '"', no_such_user);
        case AuthMethod::cert: return by_certificate(listen, account, request);
        case AuthMethod::peer: return by_system_user(listen, account, request, identity);
        case AuthMethod::cleartext:
            // A unix socket's bytes never leave the machine.
            if (!identity.local && !request.encrypted) {
                return refused("28000", "the password would be sent readably: use sslmode=require",
                               "the connection is not encrypted");
            }
            break;
        case AuthMethod::automatic:
        case AuthMethod::scram:
        case AuthMethod::md5: break;
    }
    if (!account.known) {
        made.hint = no_such_user;
    } else if (!account.secret || (account.secret->empty() && listen.dialect != "mysql")) {
        made.hint = "this user has no password";
    } else {
        made.credential.kind = Kind::password;
        made.credential.secret = *account.secret;
    }
    return made;
}

std::optional<unsigned> peer_of(int descriptor) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer) return {};
    if (peer.uid == static_cast<uid_t>(-1)) return {};  // no unix socket: the kernel says nobody
    return peer.uid;
}

std::string system_user_name(unsigned id) {
    passwd entry{};
    passwd* found = nullptr;
    for (std::vector<char> text(1024);; text.resize(text.size() * 2)) {
        const int error = ::getpwuid_r(id, &entry, text.data(), text.size(), &found);
        if (error == ERANGE && text.size() < 1024 * 1024) continue;
        return error == 0 && found != nullptr ? std::string(found->pw_name) : std::string();
    }
}

}  // namespace leasehold::daemon
