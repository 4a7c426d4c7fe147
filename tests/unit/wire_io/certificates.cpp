// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/wire_io/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <unistd.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace leasehold::testing {
namespace {

void demand(bool well, const char* what) {
    if (!well) throw std::runtime_error(std::string("certificates: ") + what);
}

EVP_PKEY* make_key(const std::string& kind) {
    EVP_PKEY* key = nullptr;
    if (kind == "RSA") key = EVP_RSA_gen(2048u);
    if (kind == "ED25519") key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (key == nullptr) key = EVP_EC_gen(kind.c_str());
    demand(key != nullptr, "no key");
    return key;
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    demand(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "an extension");
    X509_EXTENSION_free(extension);
}

}  // namespace

Certificate::Certificate(const Wish& wish, const Certificate* issuer)
    : key_(make_key(wish.key)), certificate_(X509_new()) {
    static long serial = 1000;
    X509* const by = issuer != nullptr ? issuer->certificate_ : certificate_;
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), wish.valid_from);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), wish.valid_until);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    demand(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(wish.name.data()),
                                      static_cast<int>(wish.name.size()), -1, 0) == 1,
           "a name");
    X509_set_issuer_name(certificate_, X509_get_subject_name(by));
    extend(certificate_, by, NID_basic_constraints, wish.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wish.alternative.empty()) extend(certificate_, by, NID_subject_alt_name, wish.alternative);
    EVP_PKEY* const signer = issuer != nullptr ? issuer->key_ : key_;
    const EVP_MD* hash = EVP_PKEY_get_id(signer) == EVP_PKEY_ED25519 ? nullptr : EVP_get_digestbyname(wish.hash.c_str());
    demand(X509_sign(certificate_, signer, hash) > 0, "a signature");
}

Certificate::~Certificate() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
}

void Certificate::write(const std::string& cert, const std::string& key, const std::string& passphrase) const {
    std::FILE* file = std::fopen(cert.c_str(), "w");
    demand(file != nullptr && PEM_write_X509(file, certificate_) == 1, "a file");
    std::fclose(file);
    file = std::fopen(key.c_str(), "w");
    const EVP_CIPHER* cipher = passphrase.empty() ? nullptr : EVP_aes_128_cbc();
    demand(file != nullptr && PEM_write_PrivateKey(file, key_, cipher,
                                                   reinterpret_cast<const unsigned char*>(passphrase.data()),
                                                   static_cast<int>(passphrase.size()), nullptr, nullptr) == 1,
           "a key's file");
    std::fclose(file);
}

Folder::Folder() {
    std::string path = (std::filesystem::temp_directory_path() / "leasehold-tls-XXXXXX").string();
    demand(::mkdtemp(path.data()) != nullptr, "a folder");
    path_ = path;
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Folder::put(const std::string& name, const std::string& text) const {
    std::ofstream(at(name)) << text;
    return at(name);
}

}  // namespace leasehold::testing
