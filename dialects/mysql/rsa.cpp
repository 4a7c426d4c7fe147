// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/rsa.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

namespace leasehold::mysql {
namespace {

constexpr int least_bits = 1024;
constexpr int most_bits = 8192;
constexpr unsigned own_bits = 2048;

struct Free {
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Free>;

// Without it libcrypto would ask at the terminal for the password of an encrypted key.
int no_passphrase(char*, int, int, void*) { return 0; }

// The salt over and over.
void mask(std::string& text, const Salt& salt) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(static_cast<std::uint8_t>(text[i]) ^ salt[i % salt.size()]);
    }
}

Key public_key(std::string_view pem) {
    const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    Key key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
    if (!key || EVP_PKEY_is_a(key.get(), "RSA") != 1) return nullptr;
    const int bits = EVP_PKEY_get_bits(key.get());
    return bits >= least_bits && bits <= most_bits ? std::move(key) : nullptr;
}

}  // namespace

std::optional<std::string> rsa_encrypt(std::string_view pem, std::string_view password, const Salt& salt) {
    const Key key = public_key(pem);
    const Context context(key ? EVP_PKEY_CTX_new(key.get(), nullptr) : nullptr);
    std::string masked(password);
    masked += '\0';
    mask(masked, salt);
    std::string made(key ? static_cast<std::size_t>(EVP_PKEY_get_size(key.get())) : 0, '\0');
    std::size_t size = made.size();
    const bool ok = context && EVP_PKEY_encrypt_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
                    EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(made.data()), &size,
                                     reinterpret_cast<const unsigned char*>(masked.data()), masked.size()) == 1;
    OPENSSL_cleanse(masked.data(), masked.size());
    ERR_clear_error();
    if (!ok) return std::nullopt;
    made.resize(size);
    return made;
}

void RsaKey::Free::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }

RsaKey RsaKey::make() {
    RsaKey made;
    made.key_.reset(EVP_RSA_gen(own_bits));
    const std::unique_ptr<BIO, mysql::Free> bio(BIO_new(BIO_s_mem()));
    char* text = nullptr;
    if (made.key_ && bio && PEM_write_bio_PUBKEY(bio.get(), made.key_.get()) == 1) {
        const long size = BIO_get_mem_data(bio.get(), &text);
        made.pem_.assign(text, static_cast<std::size_t>(size));
    }
    ERR_clear_error();
    return made;
}

std::optional<std::string> RsaKey::decrypt(std::string_view encrypted, const Salt& salt) const {
    const Context context(key_ ? EVP_PKEY_CTX_new(key_.get(), nullptr) : nullptr);
    std::string made(key_ ? static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())) : 0, '\0');
    std::size_t size = made.size();
    const bool ok = context && EVP_PKEY_decrypt_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
                    EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(made.data()), &size,
                                     reinterpret_cast<const unsigned char*>(encrypted.data()), encrypted.size()) == 1;
    ERR_clear_error();
    if (!ok) return std::nullopt;
    made.resize(size);
    mask(made, salt);
    if (made.empty() || made.find('\0') != made.size() - 1) return std::nullopt;
    made.pop_back();
    return made;
}

const RsaKey& own_rsa_key() {
    static const RsaKey key = RsaKey::make();
    return key;
}

}  // namespace leasehold::mysql
