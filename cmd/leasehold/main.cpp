// SPDX-License-Identifier: Apache-2.0
// The command line: words to commands, mistakes to exit codes. What a command does is in its own file.
#include "cmd/leasehold/commands.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

namespace {

constexpr const char* default_config = "/etc/leasehold/leasehold.yaml";

constexpr const char* footer =
    "Exit codes: 0 well, 64 wrong usage, 69 a server or an address is not available, 78 wrong configuration.";

int parse_and_run(int argc, char** argv) {
    CLI::App app{"leasehold leases database connections to clients of PostgreSQL, MySQL and MariaDB.", "leasehold"};
    app.footer(footer);
    app.set_version_flag("--version", "leasehold " LEASEHOLD_VERSION, "Print the version and exit");
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.require_subcommand(0, 1);

    leasehold::cmd::CheckOptions check_options{default_config, false};
    CLI::App* check = app.add_subcommand("check", "Read the configuration and print all its problems");
    check->add_option("-c,--config", check_options.config, "The configuration file")->capture_default_str();
    check->add_flag("--connect", check_options.connect,
                    "Log in to every pool's server too, and report what does not fit");

    leasehold::cmd::RunOptions run_options{default_config, false};
    CLI::App* run = app.add_subcommand("run", "Serve clients, in the foreground, until SIGTERM");
    run->add_option("-c,--config", run_options.config, "The configuration file")->capture_default_str();
    run->add_flag("--allow-root", run_options.allow_root, "Run although the user is root");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // Help and version come this way too, with code 0.
        return app.exit(error) == 0 ? leasehold::cmd::exit_ok : leasehold::cmd::exit_usage;
    }
    if (check->parsed()) return leasehold::cmd::check(check_options);
    if (run->parsed()) return leasehold::cmd::run(run_options);
    std::cout << app.help();
    return leasehold::cmd::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return parse_and_run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "leasehold: " << error.what() << '\n';
        return leasehold::cmd::exit_unavailable;
    }
}
