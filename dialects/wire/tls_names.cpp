// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/tls_names.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>

namespace leasehold::wire {
namespace {

bool is_address(const std::string& host) {
    in_addr parsed{};
    return host.find(':') != std::string::npos || ::inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool has_address_name(const X509* certificate) {
    auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i)
        found = found || sk_GENERAL_NAME_value(names, i)->type == GEN_IPADD;
    GENERAL_NAMES_free(names);
    return found;
}

// As libpq has it: a certificate that lists no address at all may bear one as if it were a name.
int accept_address_as_name(int verified, X509_STORE_CTX* store) {
    if (verified == 1 || X509_STORE_CTX_get_error(store) != X509_V_ERR_IP_ADDRESS_MISMATCH) return verified;
    const auto* connection =
        static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const auto* party = static_cast<const TlsParty*>(SSL_get_app_data(connection));
    X509* certificate = X509_STORE_CTX_get0_cert(store);
    if (has_address_name(certificate)) return 0;
    if (X509_check_host(certificate, party->host.data(), party->host.size(), X509_CHECK_FLAG_NO_WILDCARDS, nullptr) != 1)
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

std::string common_name(const X509* certificate) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* text = nullptr;
    const int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    std::string name;
    if (length > 0) name.assign(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
    OPENSSL_free(text);
    if (name.find('\0') != std::string::npos) name.clear();  // "admin\0.evil.example" is nobody
    return name;
}

// RFC 5929 section 4.1: hashed with the hash of the certificate's own signature, or a better one.
std::vector<std::uint8_t> end_point(X509* certificate) {
    int hash = NID_undef;
    if (X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1 || hash == NID_undef) return {};
    const bool weak = hash == NID_md5 || hash == NID_sha1;
    const EVP_MD* digest = weak ? EVP_sha256() : EVP_get_digestbynid(hash);
    if (digest == nullptr) return {};
    std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
    unsigned length = 0;
    if (X509_digest(certificate, digest, value.data(), &length) != 1) return {};
    return {value.begin(), value.begin() + length};
}

}  // namespace

bool name_server(ssl_st* connection, const TlsParty& party) {
    const bool address = is_address(party.host);
    if (party.send_name && !address && !party.host.empty() && party.host.size() <= 255)
        (void)SSL_set_tlsext_host_name(connection, const_cast<char*>(party.host.c_str()));
    if (party.context->verify() != TlsContext::Verify::full) return true;
    if (party.host.empty() || party.host.find('\0') != std::string::npos) return false;
    if (address) {
        SSL_set_verify(connection, SSL_VERIFY_PEER, accept_address_as_name);
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), party.host.c_str()) == 1;
    }
    SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(connection, party.host.c_str()) == 1;
}

TlsFacts facts_of(ssl_st* connection, const TlsParty& party) {
    const bool server = party.context->role() == TlsContext::Role::server;
    TlsFacts facts;
    facts.version = SSL_get_version(connection);
    facts.cipher = SSL_get_cipher_name(connection);
    const unsigned char* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(connection, &protocol, &length);
    if (length > 0) facts.protocol.assign(reinterpret_cast<const char*>(protocol), length);
    X509* peer = SSL_get0_peer_certificate(connection);
    const bool asked = SSL_get_verify_mode(connection) != SSL_VERIFY_NONE;
    facts.peer_certified = peer != nullptr && asked && SSL_get_verify_result(connection) == X509_V_OK;
    if (peer != nullptr && facts.peer_certified) facts.peer_name = common_name(peer);
    const char* name = server ? SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name) : nullptr;
    if (name != nullptr) facts.server_name = name;
    if (X509* certificate = server ? SSL_get_certificate(connection) : peer) facts.server_end_point = end_point(certificate);
    facts.resumed = SSL_session_reused(connection) == 1;
    ERR_clear_error();
    return facts;
}

std::string reason_of(ssl_st* connection, unsigned long code) {
    const char* reason = ERR_reason_error_string(code);
    std::string text = reason != nullptr ? reason : "the TLS handshake failed";
    const long verified = SSL_get_verify_result(connection);
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
        text += std::string(": ") + X509_verify_cert_error_string(verified);
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        const auto* party = static_cast<const TlsParty*>(SSL_get_app_data(connection));
        text += ": the server's certificate is not for \"" + party->host + "\"";
    }
    return text;
}

}  // namespace leasehold::wire
