// SPDX-License-Identifier: Apache-2.0
// One side's TLS settings, read from PEM files. Nothing is ever asked of a terminal, and every error names its file.
#include "dialects/wire/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

namespace leasehold::wire {
namespace {

constexpr std::size_t sessions_per_host = 4;
constexpr std::size_t hosts_remembered = 64;
constexpr long session_lifetime = 3600;  // seconds; a certificate taken back is not believed for longer

std::string openssl_reason() {
    const unsigned long code = ERR_peek_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason != nullptr ? reason : "not understood";
}

// Empty, or why the file cannot be read: OpenSSL's own words for it leave out the interesting half.
std::string unreadable(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string error;
    char byte = 0;
    if (descriptor < 0 || ::read(descriptor, &byte, 1) < 0)
        error = path + ": cannot be read: " + std::system_category().message(errno);
    if (descriptor >= 0) ::close(descriptor);
    return error;
}

int refuse_password(char*, int, int, void* asked) {
    if (asked != nullptr) *static_cast<bool*>(asked) = true;
    return -1;
}

std::string load_certificate(ssl_ctx_st* context, const std::string& cert, const std::string& key) {
    for (const std::string& path : {cert, key}) {
        if (std::string error = unreadable(path); !error.empty()) return error;
    }
    if (SSL_CTX_use_certificate_chain_file(context, cert.c_str()) != 1)
        return cert + ": no usable certificate in PEM form: " + openssl_reason();
    bool asked = false;
    SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
    const bool loaded = SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
    if (asked) {
        ERR_clear_error();
        return key +
               ": the key is encrypted with a passphrase, and leasehold cannot ask for one; store it decrypted, "
               "readable by leasehold's user alone";
    }
    if (!loaded) {
        const unsigned long code = ERR_peek_error();
        if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
            ERR_clear_error();
            return key + ": the key does not match the certificate in " + cert;
        }
        return key + ": no usable private key in PEM form: " + openssl_reason();
    }
    if (SSL_CTX_check_private_key(context) != 1) {
        const std::string reason = openssl_reason();
        return key + ": the key does not match the certificate in " + cert + ": " + reason;
    }
    return {};
}

std::string load_authorities(ssl_ctx_st* context, const std::string& path) {
    if (std::string error = unreadable(path); !error.empty()) return error;
    if (SSL_CTX_load_verify_locations(context, path.c_str(), nullptr) != 1)
        return path + ": no usable CA certificate in PEM form: " + openssl_reason();
    return {};
}

// OpenSSL looks into it when a certificate comes, and says nothing now.
std::string load_folder(ssl_ctx_st* context, const std::string& path) {
    if (path.empty()) return {};
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return path + ": no readable folder: " + std::system_category().message(errno);
    ::close(descriptor);
    if (SSL_CTX_load_verify_dir(context, path.c_str()) != 1) return path + ": " + openssl_reason();
    return {};
}

// Of the server's own certificate alone: CAs often publish no list for their intermediate ones.
std::string load_revoked(ssl_ctx_st* context, const std::string& path) {
    if (path.empty()) return {};
    if (std::string error = unreadable(path); !error.empty()) return error;
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr || X509_load_crl_file(lookup, path.c_str(), X509_FILETYPE_PEM) < 1)
        return path + ": no usable list of revoked certificates in PEM form: " + openssl_reason();
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return {};
}

// As ALPN writes a list: each name behind its length.
std::string protocol_list(const std::vector<std::string>& protocols) {
    std::string list;
    for (const std::string& protocol : protocols) {
        if (protocol.empty() || protocol.size() > 255) continue;
        list.push_back(static_cast<char>(protocol.size()));
        list += protocol;
    }
    return list;
}

ssl_ctx_st* make_context(TlsContext::Role role) {
    ssl_ctx_st* context = SSL_CTX_new(role == TlsContext::Role::server ? TLS_server_method() : TLS_client_method());
    if (context == nullptr) throw std::bad_alloc();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    SSL_CTX_set_timeout(context, session_lifetime);
    return context;
}

int choose_protocol(ssl_st*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned offered_length, void* owner) {
    const std::string& ours = static_cast<const TlsContext*>(owner)->protocols();
    unsigned char* found = nullptr;
    const int outcome = SSL_select_next_proto(&found, length, reinterpret_cast<const unsigned char*>(ours.data()),
                                              static_cast<unsigned>(ours.size()), offered, offered_length);
    *chosen = found;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Called on whatever thread reads the connection.
int remember_session(ssl_st* connection, ssl_session_st* session) {
    const auto* party = static_cast<const TlsParty*>(SSL_get_app_data(connection));
    if (party != nullptr && !party->host.empty()) party->context->keep_session(party->host, session);
    return 0;  // the reference stays OpenSSL's
}

}  // namespace

struct TlsContext::Sessions {
    std::mutex mutex;
    std::map<std::string, std::deque<ssl_session_st*>> of;  // the newest in front

    ~Sessions() {
        for (auto& [host, sessions] : of) {
            for (ssl_session_st* session : sessions) SSL_SESSION_free(session);
        }
    }
};

TlsContext::TlsContext(Role role, Verify verify, ssl_ctx_st* context)
    : role_(role), verify_(verify), context_(context), sessions_(std::make_unique<Sessions>()) {}
TlsContext::~TlsContext() { SSL_CTX_free(context_); }

// A TLS 1.3 ticket is used once, so that connections cannot be told to be the same client's; older ones stay.
ssl_session_st* TlsContext::take_session(const std::string& host) const {
    const std::lock_guard lock(sessions_->mutex);
    const auto found = sessions_->of.find(host);
    if (found == sessions_->of.end() || found->second.empty()) return nullptr;
    ssl_session_st* session = found->second.front();
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) return SSL_SESSION_dup(session);
    found->second.pop_front();
    return session;
}

void TlsContext::keep_session(const std::string& host, const ssl_session_st* session) const {
    // A copy: OpenSSL spoils the connection's own one when the peer closes without close_notify.
    ssl_session_st* copy = SSL_SESSION_dup(session);
    if (copy == nullptr) return;
    const std::lock_guard lock(sessions_->mutex);
    if (sessions_->of.size() >= hosts_remembered && !sessions_->of.contains(host)) {
        for (ssl_session_st* old : sessions_->of.begin()->second) SSL_SESSION_free(old);
        sessions_->of.erase(sessions_->of.begin());
    }
    std::deque<ssl_session_st*>& sessions = sessions_->of[host];
    sessions.push_front(copy);
    if (sessions.size() > sessions_per_host) {
        SSL_SESSION_free(sessions.back());
        sessions.pop_back();
    }
}

TlsContext::Loaded TlsContext::server(const ServerFiles& files) {
    ERR_clear_error();
    const auto context = std::make_shared<TlsContext>(Role::server, Verify::none, make_context(Role::server));
    ssl_ctx_st* native = context->native();
    if (std::string error = load_certificate(native, files.cert, files.key); !error.empty()) return {nullptr, error};
    SSL_CTX_set_dh_auto(native, 1);
    // Sessions are resumed by tickets, whose key lives as long as this context: nothing is kept here for a client.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(native, 1);
    static constexpr std::string_view session_context = "leasehold";
    SSL_CTX_set_session_id_context(native, reinterpret_cast<const unsigned char*>(session_context.data()),
                                   static_cast<unsigned>(session_context.size()));
    if (!files.client_ca.empty()) {
        if (std::string error = load_authorities(native, files.client_ca); !error.empty()) return {nullptr, error};
        STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca.c_str());
        if (names == nullptr)
            return {nullptr, files.client_ca + ": no usable CA certificate in PEM form: " + openssl_reason()};
        SSL_CTX_set_client_CA_list(native, names);
        SSL_CTX_set_verify(native, SSL_VERIFY_PEER | (files.client_must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           nullptr);
    } else if (files.client_must) {
        return {nullptr, "client certificates are demanded, but no client_ca says who signs them"};
    }
    context->protocols_ = protocol_list(files.protocols);
    if (!context->protocols_.empty()) SSL_CTX_set_alpn_select_cb(native, choose_protocol, context.get());
    return {context, {}};
}

TlsContext::Loaded TlsContext::client(const ClientFiles& files) {
    ERR_clear_error();
    const auto context = std::make_shared<TlsContext>(Role::client, files.verify, make_context(Role::client));
    ssl_ctx_st* native = context->native();
    if (!files.cert.empty() || !files.key.empty()) {
        if (files.cert.empty() || files.key.empty())
            return {nullptr, files.cert + files.key + ": a certificate and its key are needed, only one is named"};
        if (std::string error = load_certificate(native, files.cert, files.key); !error.empty())
            return {nullptr, error};
    }
    if (files.ca == "system") {
        if (SSL_CTX_set_default_verify_paths(native) != 1)
            return {nullptr, "the system's CA certificates: " + openssl_reason()};
    } else if (!files.ca.empty()) {
        if (std::string error = load_authorities(native, files.ca); !error.empty()) return {nullptr, error};
    } else if (files.verify != Verify::none && files.ca_folder.empty()) {
        return {nullptr, "the server's certificate is to be verified, but no CA is named"};
    }
    if (std::string error = load_folder(native, files.ca_folder); !error.empty()) return {nullptr, error};
    if (std::string error = load_revoked(native, files.crl); !error.empty()) return {nullptr, error};
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(native, remember_session);
    SSL_CTX_set_verify(native, files.verify == Verify::none ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    context->protocols_ = protocol_list(files.protocols);
    if (!context->protocols_.empty()) {
        SSL_CTX_set_alpn_protos(native, reinterpret_cast<const unsigned char*>(context->protocols_.data()),
                                static_cast<unsigned>(context->protocols_.size()));
    }
    return {context, {}};
}

}  // namespace leasehold::wire
