// SPDX-License-Identifier: Apache-2.0
// `leasehold run`: what has to be right before a daemon starts; the serving itself is the daemon's.
#include "cmd/leasehold/commands.hpp"

#include "daemon/certificates.hpp"
#include "daemon/descriptors.hpp"
#include "daemon/server.hpp"

#include <unistd.h>

#include <iostream>
#include <memory>

namespace leasehold::cmd {
namespace {

void warn_of_few_open_files(const config::Config& config) {
    const std::string warning = daemon::too_few_descriptors(config, daemon::raise_open_files());
    if (!warning.empty()) std::cerr << "leasehold: warning: " << warning << '\n';
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
    warn_of_few_open_files(*loaded.config);
    daemon::RunOptions daemon_options;
    daemon_options.allow_root = options.allow_root;
    return daemon::run(std::make_shared<const config::Config>(std::move(*loaded.config)), daemon_options);
}

}  // namespace leasehold::cmd
