// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/command_line.hpp"

#include "cmd/leasehold/commands.hpp"
#include "cmd/leasehold/completion/completion.hpp"
#include "cmd/leasehold/control/control.hpp"
#include "cmd/leasehold/control/daemon.hpp"

#include "config/units.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
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
        add_looking();
        add_steering();
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
        auto* connect = made->add_flag("--connect", check_.connect,
                                       "Log in to every pool's server too, and report what does not fit");
        made->add_flag("--json", check_.json, "For programs: one object with all problems")->excludes(connect);
    }

    // Where the daemon is, for each command that asks it.
    void add_where(CLI::App* to) {
        CLI::Option* file = to->add_option("-c,--config", where_.config,
                                           "The configuration whose admin.socket names the control socket");
        file->capture_default_str()->type_name("FILE");
        file->each([this](const std::string&) { where_.config_given = true; });
        to->add_option("--socket", where_.socket, "The daemon's control socket")->type_name("PATH")->excludes(file);
    }

    CLI::App* asking(const std::string& name, const std::string& about, std::function<int()> action) {
        CLI::App* made = command(name, about, std::move(action));
        add_where(made);
        return made;
    }

    // "30s" to milliseconds; `least` of them.
    static CLI::Option* add_duration(CLI::App* to, const std::string& names, Patience& out, const std::string& about,
                                     std::chrono::milliseconds least) {
        return to
            ->add_option_function<std::string>(
                names,
                [&out, least](const std::string& text) {
                    const auto parsed = config::parse_duration(text);
                    if (!parsed.value)
                        throw CLI::ValidationError("\"" + text + "\" " + parsed.message, parsed.suggestion);
                    out = std::max(*parsed.value, least);
                },
                about)
            ->type_name("DURATION");
    }

    void add_looking() {
        CLI::App* made = asking("status", "Say whether it is up, what its pools do and who waits", [this] {
            return status({where_, json_});
        });
        made->add_flag("--json", json_, "For programs: one object");
        made = asking("show", "Show a table of the daemon: pools, clients, servers, ... (`leasehold tables`)", [this] {
            return show({where_, word_, json_, every_});
        });
        made->add_option("table", word_, "Which table")->required()->type_name("TABLE");
        made->add_flag("--json", json_, "For programs: an array with an object for each row, one line");
        add_duration(made, "-w,--watch", every_, "Show it again and again, every 2s or as given, until Ctrl-C",
                     std::chrono::milliseconds(100))
            ->expected(0, 1)
            ->default_str("2s");
        made = asking("tables", "Tell which tables there are", [this] { return tables(where_, json_); });
        made->add_flag("--json", json_, "For programs, with the names of the columns");
    }

    void add_steering() {
        CLI::App* made = of_pool("pause", "PAUSE", "Give no new leases, and answer when no server connection is left",
                                 "Which pool; all by default", false);
        add_duration(made, "--timeout", timeout_, "How long sessions may keep their connection before they are ended",
                     std::chrono::milliseconds(0));
        of_pool("resume", "RESUME", "End a pause", "Which pool; all by default", false);
        of_pool("reconnect", "RECONNECT", "Replace server connections, those in use when they come back",
                "Which pool; all by default", false);
        of_pool("wait-close", "WAIT_CLOSE", "Wait until the connections from before a reconnect or reload are closed",
                "Which pool; all by default", false);
        of_pool("disable", "DISABLE", "Admit no new client of a pool", "Which pool", true);
        of_pool("enable", "ENABLE", "Admit clients of a pool again", "Which pool", true);
        made = asking("kill", "End all sessions of a pool at once, and pause it", [this] { return kill(); });
        made->add_option("pool", word_, "Which pool")->type_name("POOL");
        made->add_flag("--all", all_, "All pools");
        made = asking("kill-client", "End one session",
                      [this] { return leasehold::cmd::command(where_, "KILL_CLIENT " + word_, {}); });
        made->add_option("id", word_, "Its id, from `leasehold show clients`")
            ->required()
            ->type_name("ID")
            ->check([](const std::string& id) {
                return id.find_first_not_of("0123456789") == std::string::npos ? std::string()
                                                                               : "\"" + id + "\" is no id";
            });
        asking("reload", "Read the configuration again: all of it, or nothing where something is wrong",
               [this] { return leasehold::cmd::command(where_, "RELOAD", {}); });
        made = asking("shutdown", "End the daemon: running transactions may end within drain_timeout",
                      [this] { return leasehold::cmd::command(where_, "SHUTDOWN" + how_, answer_time); });
        auto* now = made->add_flag_callback(
            "--now", [this] { how_ = " NOW"; }, "At once");
        auto* servers = made->add_flag_callback(
            "--wait-for-servers", [this] { how_ = " WAIT_FOR_SERVERS"; }, "When the last transaction is over");
        auto* clients = made->add_flag_callback(
            "--wait-for-clients", [this] { how_ = " WAIT_FOR_CLIENTS"; }, "When the last client has gone");
        now->excludes(servers)->excludes(clients);
        servers->excludes(clients);
    }

    CLI::App* of_pool(const std::string& name, const std::string& verb, const std::string& about,
                      const std::string& which, bool required) {
        CLI::App* made = asking(name, about, [this, verb] {
            std::string text = verb + (word_.empty() ? "" : " " + console_word(word_));
            if (timeout_) text += " TIMEOUT " + config::render_duration(*timeout_);
            // What it waits for is bounded by the daemon.
            return leasehold::cmd::command(where_, text, {});
        });
        made->add_option("pool", word_, which)->required(required)->type_name("POOL");
        return made;
    }

    int kill() {
        if (word_.empty() == !all_) {
            std::cerr << "leasehold: name the pool whose sessions shall be ended, or give --all\n";
            return exit_usage;
        }
        return leasehold::cmd::command(where_, all_ ? "KILL" : "KILL " + console_word(word_), {});
    }

    int completion() {
        const Usage program = describe();
        if (names_ == "tables" || names_ == "pools") {
            std::string out;
            for (const std::string& name : names_ == "tables" ? names_of_tables(where_) : names_of_pools(where_))
                out += name + "\n";
            return print(out);
        }
        if (word_ == "bash") return print(bash_completion(program));
        if (word_ == "zsh") return print(zsh_completion(program));
        if (word_ == "fish") return print(fish_completion(program));
        std::cerr << "leasehold: name the shell: bash, zsh or fish\n";
        return exit_usage;
    }

    int help() {
        if (word_.empty()) return print(app_.help());
        for (const CLI::App* named : app_.get_subcommands([](const CLI::App*) { return true; })) {
            if (named->get_name() == word_) return print(named->help("leasehold"));
        }
        std::cerr << "leasehold: there is no command \"" << word_ << "\"; `leasehold help` lists them\n";
        return exit_usage;
    }

    void add_reference() {
        CLI::App* made = command("reference", "Print what leasehold knows of its keys, commands and metrics",
                                 [this] { return reference(reference_, describe()); });
        words(made->add_option("--format", reference_.format, "What to print")->capture_default_str(),
              "markdown|schema|example|leasehold.1|leasehold.yaml.5");
        made->add_option("-o,--output", reference_.output, "Write it there instead of to the terminal")
            ->type_name("FILE");
        made = command("completion", "Print the script that completes commands in a shell",
                       [this] { return completion(); });
        words(made->add_option("shell", word_, "For which shell"), "bash|zsh|fish");
        made->add_option("--names", names_, "The running daemon's tables or pools")->group("");
        made->add_option("-c,--config", where_.config, "")->group("")->each([this](const std::string&) {
            where_.config_given = true;
        });
        made->add_option("--socket", where_.socket, "")->group("");
        made = command("help", "Print this help, or that of a command", [this] { return help(); });
        made->add_option("command", word_, "Which command")->type_name("COMMAND");
    }

    static Usage describe(const CLI::App* app) {
        Usage out;
        out.name = app->get_name();
        out.about = app->get_description();
        for (const CLI::Option* option : app->get_options()) {
            if (option->get_group().empty() || (app->get_parent() != nullptr && option == app->get_help_ptr()))
                continue;
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
    // Of the one command that is given.
    Whereabouts where_{"", default_config, false};
    std::string word_, names_, how_;
    bool json_ = false, all_ = false;
    Patience every_, timeout_;
};

}  // namespace

int command_line(int argc, char** argv) { return Program().run(argc, argv); }

Usage describe_program() { return Program().describe(); }

}  // namespace leasehold::cmd
