// SPDX-License-Identifier: Apache-2.0
// `leasehold run`: what has to be right before a daemon starts; the serving itself is the daemon's.
#include "cmd/leasehold/commands.hpp"

#include "daemon/certificates.hpp"
#include "daemon/server.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace leasehold::cmd {
namespace {

// Listeners, event descriptors, control connections, log.
constexpr std::uint64_t other_descriptors = 64;

std::uint64_t descriptors_needed(const config::Config& config) {
    std::uint64_t backends = 0;
    for (const config::Pool& pool : config.pools) {
        backends +=
            static_cast<std::uint64_t>(pool.pool_size) + static_cast<std::uint64_t>(std::max(0, pool.max_overflow));
    }
    return static_cast<std::uint64_t>(config.limits.max_clients) + backends + other_descriptors;
}

void raise_open_files(const config::Config& config) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const std::uint64_t needed = descriptors_needed(config);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed) {
        rlimit raised = limit;
        raised.rlim_cur = raised.rlim_max == RLIM_INFINITY ? static_cast<rlim_t>(needed) : raised.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) return;
    std::cerr << "leasehold: warning: at most " << limit.rlim_cur << " files may be open, and max_clients "
              << config.limits.max_clients << " with its backends needs " << needed << "; set LimitNOFILE=" << needed
              << " in the unit (or `ulimit -Hn " << needed << "`), or lower limits.max_clients\n";
}

}  // namespace

int run(const RunOptions& options) {
    if (::geteuid() == 0 && !options.allow_root) {
        std::cerr << "leasehold: will not run as root: it needs no privilege; start it as another user:\n"
                     "  runuser -u USER -- leasehold run --config "
                  << options.config
                  << "\n"
                     "or give --allow-root if it must be\n";
        return exit_usage;
    }
    config::Loaded loaded =
        config::load_file(options.config, config::Secrets::system(), daemon::check_tls_files, daemon::check_url_files);
    print_problems(loaded);
    if (!loaded.config) return exit_configuration;
    raise_open_files(*loaded.config);
    daemon::RunOptions daemon_options;
    daemon_options.allow_root = options.allow_root;
    return daemon::run(std::make_shared<const config::Config>(std::move(*loaded.config)), daemon_options);
}

}  // namespace leasehold::cmd
