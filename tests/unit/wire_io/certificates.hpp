// SPDX-License-Identifier: Apache-2.0
// Certificates made while a test runs, in a folder that goes with it.
#pragma once

#include <memory>
#include <string>

struct x509_st;
struct evp_pkey_st;

namespace leasehold::testing {

struct Wish {
    std::string name = "server.test";     // the common name; may hold any byte
    std::string alternative;              // "DNS:db.test,IP:127.0.0.1"; empty: none
    bool authority = false;               // may sign others
    int valid_from = -3600;               // seconds from now
    int valid_until = 3600;
    std::string key = "P-256";            // or "ED25519", "RSA"
    std::string hash = "SHA256";
};
[[nodiscard]] inline Wish named(std::string name, std::string alternative = {}) {
    Wish wish;
    wish.name = std::move(name);
    wish.alternative = std::move(alternative);
    return wish;
}
[[nodiscard]] inline Wish authority_named(std::string name) {
    Wish wish = named(std::move(name));
    wish.authority = true;
    return wish;
}

class Certificate {
  public:
    // Signed by `issuer`; null: by itself.
    Certificate(const Wish& wish, const Certificate* issuer);
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;
    ~Certificate();
    void write(const std::string& cert, const std::string& key, const std::string& passphrase = {}) const;
    [[nodiscard]] x509_st* native() const noexcept { return certificate_; }

  private:
    evp_pkey_st* key_;
    x509_st* certificate_;
};

class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] std::string put(const std::string& name, const std::string& text) const;

  private:
    std::string path_;
};

}  // namespace leasehold::testing
