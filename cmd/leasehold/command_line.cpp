// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/command_line.hpp"

#include "cmd/leasehold/commands.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <iostream>

namespace leasehold::cmd {
namespace {

std::string footer() {
    std::string out = "Exit codes:";
    for (const Remark& exit : exit_codes())
        out += (out.back() == ':' ? " " : "; ") + std::string(exit.name) + " " + std::string(exit.about);
    return out + ".";
}

// One of "a|b|c", said so that help and completion can read it.
void words(CLI::Option* option, const std::string& list) {
    option->type_name(list)->check([list](const std::string& word) {
        return ("|" + list + "|").find("|" + word + "|") == std::string::npos || word.empty()
                   ? "\"" + word + "\" is none of " + list
                   : std::string();
    });
}

class Program {
  public:
    Program() {
        app_.footer(footer());
        app_.set_version_flag("--version", "leasehold " LEASEHOLD_VERSION, "Print the version and exit");
        app_.set_help_flag("-h,--help", "Print this help and exit");
        app_.require_subcommand(0, 1);
        add_daemon();
        add_reference();
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            // Help and version come this way too, with code 0.
            return app_.exit(error) == 0 ? exit_ok : exit_usage;
        }
        if (action_) return action_();
        return print(app_.help());
    }

    [[nodiscard]] Usage describe() const { return describe(&app_); }

  private:
    CLI::App* command(const std::string& name, const std::string& about, std::function<int()> action) {
        CLI::App* made = app_.add_subcommand(name, about);
        made->callback([this, action = std::move(action)] { action_ = action; });
        return made;
    }

    void add_config(CLI::App* to, std::string& file) {
        to->add_option("-c,--config", file, "The configuration file")->capture_default_str()->type_name("FILE");
    }

    void add_daemon() {
        CLI::App* made = command("run", "Serve clients, in the foreground, until SIGTERM",
                                 [this] { return leasehold::cmd::run(run_); });
        add_config(made, run_.config);
        made->add_flag("--allow-root", run_.allow_root, "Run although the user is root");
        made = command("check", "Read the configuration and print all its problems", [this] { return check(check_); });
        add_config(made, check_.config);
        made->add_flag("--connect", check_.connect, "Log in to every pool's server too, and report what does not fit");
    }

    void add_reference() {
        CLI::App* made = command("reference", "Print what leasehold knows of its keys, commands and metrics",
                                 [this] { return reference(reference_, describe()); });
        words(made->add_option("--format", reference_.format, "What to print")->capture_default_str(),
              "markdown|schema|example|leasehold.1|leasehold.yaml.5");
        made->add_option("-o,--output", reference_.output, "Write it there instead of to the terminal")
            ->type_name("FILE");
    }

    static Usage describe(const CLI::App* app) {
        Usage out;
        out.name = app->get_name();
        out.about = app->get_description();
        for (const CLI::Option* option : app->get_options()) {
            if (option->get_group().empty()) continue;
            if (option->get_positional()) {
                out.arguments.push_back({option->get_type_name(), option->get_required(), option->get_description()});
                continue;
            }
            Usage::Option described;
            for (const std::string& name : option->get_snames()) described.names.push_back("-" + name);
            for (const std::string& name : option->get_lnames()) described.names.push_back("--" + name);
            const bool flag = option->get_expected_max() == 0;
            if (!flag) described.value = option->get_type_name();
            described.value_optional = !flag && option->get_expected_min() == 0;
            described.fallback = option->get_default_str();
            described.about = option->get_description();
            out.options.push_back(std::move(described));
        }
        for (const CLI::App* below : app->get_subcommands({})) {
            if (!below->get_group().empty()) out.commands.push_back(describe(below));
        }
        return out;
    }

    CLI::App app_{"leasehold leases database connections to clients of PostgreSQL, MySQL and MariaDB.", "leasehold"};
    std::function<int()> action_;
    RunOptions run_;
    CheckOptions check_;
    ReferenceOptions reference_;
};

}  // namespace

int command_line(int argc, char** argv) { return Program().run(argc, argv); }

Usage describe_program() { return Program().describe(); }

}  // namespace leasehold::cmd
