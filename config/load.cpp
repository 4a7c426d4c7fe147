// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include "config/parts.hpp"
#include "config/password_kind.hpp"
#include "config/pending.hpp"
#include "config/validate.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace leasehold::config {
namespace {

constexpr std::size_t largest_file = 16 * 1024 * 1024;

struct Read {
    Loaded loaded;
    bool clear_password = false;
};

void check_tls_files(const Config& config, const TlsCheck& check, Findings& findings) {
    for (std::size_t i = 0; check && i < config.listen.size(); ++i) {
        const Listen& listen = config.listen[i];
        if (listen.tls.mode == TlsMode::disable || listen.host.starts_with('/')) continue;
        if (listen.tls.cert.empty() || listen.tls.key.empty()) continue;  // has been reported
        for (TlsFinding& found : check(listen.tls)) {
            const std::string key = "listen[" + std::to_string(i) + "].tls." + found.key;
            if (found.error) {
                findings.error(key, std::move(found.message), std::move(found.suggestion));
            } else {
                findings.warning(key, std::move(found.message), std::move(found.suggestion));
            }
        }
    }
}

void check_url_files(const Config& config, const UrlFilesCheck& check, Findings& findings) {
    for (const Pool& pool : config.pools) {
        if (!check || pool.url.hosts.empty()) continue;
        std::string wrong = check(pool.url);
        if (!wrong.empty()) findings.error("pools." + printable(pool.name) + ".url", std::move(wrong));
    }
}

Read read(const std::string& text, const std::string& name, const Secrets& secrets, const TlsCheck& check_tls,
          const UrlFilesCheck& check_url) {
    Findings findings(name);
    Reader reader(text, secrets, findings);
    Read out;
    if (const auto root = reader.document()) {
        Config config;
        config.file = name;
        Section top(reader, *root, Part::top);
        read_listen(top, config);
        if (const Value* workers = top.find("workers");
            workers != nullptr && !(workers->node.IsScalar() && workers->node.Scalar() == "auto")) {
            top.count("workers", config.workers);
        }
        read_pools(top, config);
        read_users(top, config);
        read_admin(top, config);
        read_log(top, config);
        read_limits(top, config);
        top.duration("drain_timeout", config.drain_timeout);
        read_servers(top, config);
        validate(config, findings);
        check_tls_files(config, check_tls, findings);
        check_url_files(config, check_url, findings);
        report_pending(config, findings);
        out.clear_password = holds_clear_password(root->node);
        if (!findings.failed()) out.loaded.config = std::move(config);
    }
    out.loaded.problems = findings.take();
    return out;
}

Loaded unreadable(const std::string& path, int error) {
    std::string suggestion;
    if (error == ENOENT) suggestion = "write it, or name another file by --config";
    if (error == EACCES || error == EPERM) {
        suggestion = "let user id " + std::to_string(::geteuid()) +
                     " read it, for example: chgrp leasehold FILE && chmod 0640 FILE";
    }
    if (error == EISDIR) suggestion = "name a file in it by --config";
    Loaded out;
    out.unreadable = true;
    out.problems.push_back({Problem::Severity::error, path, 0, 0, "",
                            std::string("cannot be read: ") + std::strerror(error), std::move(suggestion)});
    return out;
}

// Credentials in the URL or in `password`, as plain text of the file.
bool literal(const YAML::Node& node) {
    if (!node.IsScalar()) return false;
    const std::string& tag = node.Tag();
    return tag != "!file" && tag != "!credential" && !node.Scalar().empty() &&
           node.Scalar().find("${") == std::string::npos;
}

template <class Visit>
void each(const YAML::Node& map, std::string_view name, Visit visit) {
    if (!map.IsMap()) return;
    for (const auto& pair : map) {
        if (pair.first.IsScalar() && pair.first.Scalar() == name) visit(pair.second);
    }
}

}  // namespace

bool holds_clear_password(const YAML::Node& root) {
    bool found = false;
    const auto password = [&](const YAML::Node& node) {
        found = found || (literal(node) && password_kind(node.Scalar()) == PasswordKind::clear_text);
    };
    const auto url = [&](const YAML::Node& node) {
        if (!literal(node)) return;
        const auto parsed = parse_url(node.Scalar());
        found = found || !parsed.url || (parsed.url->password && !parsed.url->password->empty());
    };
    each(root, "pools", [&](const YAML::Node& pools) {
        if (!pools.IsMap()) return;
        for (const auto& pool : pools) each(pool.second, "url", url);
    });
    each(root, "users", [&](const YAML::Node& users) {
        if (!users.IsSequence()) return;
        for (const auto& user : users) each(user, "password", password);
    });
    return found;
}

Loaded load_text(const std::string& text, const std::string& name, const Secrets& secrets, const TlsCheck& check_tls,
                 const UrlFilesCheck& check_url) {
    return read(text, name, secrets, check_tls, check_url).loaded;
}

Loaded load_file(const std::string& path, const Secrets& secrets, const TlsCheck& check_tls,
                 const UrlFilesCheck& check_url) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return unreadable(path, errno);
    if (S_ISDIR(status.st_mode)) return unreadable(path, EISDIR);
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) return unreadable(path, errno != 0 ? errno : EIO);
    std::string text;
    char block[16 * 1024];
    while (in.read(block, sizeof block) || in.gcount() > 0) {
        text.append(block, static_cast<std::size_t>(in.gcount()));
        if (text.size() > largest_file) return unreadable(path, EFBIG);
    }
    if (in.bad()) return unreadable(path, EIO);
    Read out = read(text, path, secrets, check_tls, check_url);
    if (out.clear_password && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
        Problem problem{Problem::Severity::warning,
                        path,
                        0,
                        0,
                        "",
                        "holds a password and can be read by everybody on this machine",
                        "chmod 0640 " + path + " && chown root:leasehold " + path};
        out.loaded.problems.insert(out.loaded.problems.begin(), std::move(problem));
    }
    return std::move(out.loaded);
}

}  // namespace leasehold::config
