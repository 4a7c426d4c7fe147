// SPDX-License-Identifier: Apache-2.0
#include "daemon/certificates.hpp"

#include "daemon/listener.hpp"
#include "dialects/registry.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>

namespace leasehold::daemon {
namespace {

using config::TlsMode;

wire::TlsContext::ServerFiles files_of(const config::Tls& tls) {
    wire::TlsContext::ServerFiles files;
    files.cert = tls.cert;
    files.key = tls.key;
    files.client_ca = tls.client_ca;
    files.client_must = tls.mode >= TlsMode::verify_ca;
    return files;
}

bool offers_tls(const config::Listen& listen) {
    return listen.tls.mode != TlsMode::disable && !listen.host.starts_with('/');
}

struct Named {
    std::string_view key;
    const std::string& path;
};

std::string unreadable(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::strerror(errno);
    if (S_ISDIR(status.st_mode)) return std::strerror(EISDIR);
    if (::access(path.c_str(), R_OK) != 0) return std::strerror(errno);
    return {};
}

}  // namespace

std::vector<config::TlsFinding> check_tls_files(const config::Tls& tls) {
    std::vector<config::TlsFinding> found;
    const std::array<Named, 3> named{{{"cert", tls.cert}, {"key", tls.key}, {"client_ca", tls.client_ca}}};
    for (const auto& [key, path] : named) {
        if (path.empty()) continue;
        const std::string why = unreadable(path);
        if (!why.empty()) found.push_back({std::string(key), path + " cannot be read: " + why, {}, true});
    }
    if (!found.empty()) return found;
    const wire::TlsContext::Loaded loaded = wire::TlsContext::server(files_of(tls));
    if (!loaded.context) {
        // The file that the message names is the one to be put right; a key that fits no certificate names both.
        std::string_view guilty = "cert";
        for (const auto& [key, path] : named) {
            if (!path.empty() && loaded.error.starts_with(path)) guilty = key;
        }
        found.push_back({std::string(guilty), loaded.error, {}, true});
    }
    struct stat status {};
    if (::stat(tls.key.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
        found.push_back(
            {"key", tls.key + " can be read by everybody on this machine", "chmod o-rwx " + tls.key, false});
    }
    return found;
}

std::string check_url_files(const config::Url& url) {
    const config::TlsFiles named = url.tls_files();
    if (!named.any()) return {};
    wire::TlsContext::ClientFiles files;
    files.ca = named.ca;
    files.ca_folder = named.ca_folder;
    files.crl = named.crl;
    files.cert = named.cert;
    files.key = named.key;
    if (!files.ca.empty() || !files.ca_folder.empty()) files.verify = wire::TlsContext::Verify::ca;
    return wire::TlsContext::client(files).error;
}

std::vector<Certificates::Reading> Certificates::load(const config::Config& config) {
    std::vector<Reading> readings;
    for (const config::Listen& listen : config.listen) {
        if (!offers_tls(listen)) continue;
        wire::TlsContext::ServerFiles files = files_of(listen.tls);
        const dialects::Dialect* dialect = dialects::find(listen.dialect);
        if (dialect != nullptr) files.protocols = dialect->tls_protocols();
        wire::TlsContext::Loaded loaded = wire::TlsContext::server(files);
        readings.push_back({&listen, address_of(listen), std::move(loaded.error), std::move(loaded.context)});
    }
    return readings;
}

void Certificates::use(const std::vector<Reading>& readings) {
    std::map<std::string, std::shared_ptr<const wire::TlsContext>> next;
    const std::lock_guard lock(mutex_);
    for (const Reading& reading : readings) {
        next[reading.address] = reading.context ? reading.context : contexts_[reading.address];
    }
    contexts_.swap(next);
}

std::vector<Certificates::Reading> Certificates::read(const config::Config& config) {
    std::vector<Reading> readings = load(config);
    use(readings);
    return readings;
}

std::shared_ptr<const wire::TlsContext> Certificates::of(const config::Listen& listen) const {
    const std::string address = address_of(listen);
    const std::lock_guard lock(mutex_);
    const auto found = contexts_.find(address);
    return found == contexts_.end() ? nullptr : found->second;
}

}  // namespace leasehold::daemon
