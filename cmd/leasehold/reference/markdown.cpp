// SPDX-License-Identifier: Apache-2.0
// docs/reference.md: all keys, commands, exit codes; what the console and the metrics know, from their own tables.
#include "cmd/leasehold/reference/reference.hpp"
#include "cmd/leasehold/reference/text.hpp"

#include "daemon/metrics/catalog.hpp"
#include "daemon/reference.hpp"

namespace leasehold::cmd {
namespace {

using config::Key;

// Within a table's cell.
std::string cell(std::string_view text) {
    return replaced(replaced(replaced(std::string(text), "|", "\\|"), "<", "&lt;"), "*", "\\*");
}

std::string code(std::string_view text) {
    return text.empty() ? "" : "`" + replaced(std::string(text), "|", "\\|") + "`";
}

// The heading's name on the page, as the usual renderers make it.
std::string anchor(std::string_view heading) {
    std::string out;
    for (const char c : heading) {
        if (c == ' ') out += '-';
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-') out += c;
        if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::string heading(const Section& section) { return section.path.empty() ? "Top level" : section.path; }

std::string type(const Key& key) {
    std::string out = cell(key.type);
    if (key.holds != Key::Holds::value) {
        for (const Section& below : sections()) {
            if (below.key == &key) return "[" + out + "](#" + anchor(heading(below)) + ")";
        }
    }
    if (const std::string limits = range(key); !limits.empty()) out += ", " + limits;
    return out;
}

std::string keys_of(const Section& section) {
    std::string out = "\n### " + heading(section) + "\n";
    if (section.key != nullptr && !section.key->detail.empty()) {
        for (const std::string& line : wrapped(section.key->detail, 120)) out += line + "\n";
        out += "\n";
    }
    out += "| key | type | default | changed by | |\n|---|---|---|---|---|\n";
    for (const Key& key : config::keys(section.part)) {
        const std::string fallback = key.required ? "must be given" : code(key.fallback);
        const bool above = key.detail.empty() || key.holds != Key::Holds::value;
        const std::string about = cell(above ? key.about : key.detail);
        out += "| `" + std::string(key.name) + "` | " + type(key) + " | " + fallback + " | " +
               (key.reloadable ? "reload" : "**restart**") + " | " + about + " |\n";
    }
    return out;
}

std::string configuration() {
    std::string out =
        "\n## Configuration\n"
        "`leasehold check` knows these keys and no others. *reload*: SIGHUP, `systemctl reload leasehold` or "
        "`leasehold\n"
        "reload` takes a change up; all of a file, or nothing of it. "
        "[systemd/leasehold.yaml](../systemd/leasehold.yaml) "
        "shows each key\nwith its default; [leasehold.schema.json](leasehold.schema.json) is for editors: "
        "`# yaml-language-server: $schema=PATH`, with\n`!file scalar` and `!credential scalar` among its custom "
        "tags.\n";
    for (const Section& section : sections()) out += keys_of(section);
    out += "\n### Types\n| type | |\n|---|---|\n";
    for (const config::ValueType& type : config::value_types())
        out += "| " + cell(type.type) + " | " + replaced(std::string(type.about), "|", "\\|") + " |\n";
    out +=
        "| a \\| b | one of these words |\n"
        "\n`${NAME}` anywhere in a value is taken from the environment (`$${` for a literal `${`), `!file /path` is a "
        "file's content,\n`!credential name` what systemd's `LoadCredential=` gives. Values from there are never "
        "shown.\n";
    return out;
}

std::string option_names(const Usage::Option& option) {
    std::string out;
    for (const std::string& name : option.names) out += (out.empty() ? "" : ", ") + name;
    if (!option.value.empty()) out += option.value_optional ? " [" + option.value + "]" : " " + option.value;
    return out;
}

std::string command_line(const Usage& program) {
    std::string out = "\n## Command line\n";
    for (const Usage& command : program.commands) {
        out += "\n### leasehold " + command.name + "\n" + sentence(command.about) + "\n\n";
        if (command.arguments.empty() && command.options.empty()) continue;
        out += "| | |\n|---|---|\n";
        for (const Usage::Argument& argument : command.arguments)
            out += "| " + code(argument.required ? argument.value : "[" + argument.value + "]") + " | " +
                   cell(argument.about) + " |\n";
        for (const Usage::Option& option : command.options) {
            out += "| " + code(option_names(option)) + " | " + cell(option.about) +
                   (option.fallback.empty() ? "" : "; " + code(option.fallback)) + " |\n";
        }
    }
    const auto table = [&](std::string_view title, std::span<const Remark> remarks) {
        out += "\n### " + std::string(title) + "\n| | |\n|---|---|\n";
        for (const Remark& remark : remarks) out += "| " + code(remark.name) + " | " + cell(remark.about) + " |\n";
    };
    table("Exit codes", exit_codes());
    table("Signals", signals());
    table("Environment", environment());
    table("Files", files());
    return out;
}

std::string console() {
    const daemon::ConsoleReference known = daemon::console_reference();
    std::string out =
        "\n## Console\n"
        "A database of the name `admin.database` on every PostgreSQL listener, and `leasehold show` and its like over "
        "the "
        "control\nsocket. *read*: everybody named in `admin.users` or `admin.stats_users`, and whoever may use the "
        "socket; "
        "*administer*: those of\n`admin.users`, and over the socket root and the daemon's own user. Names are in any "
        "case.\n";
    if (!known.commands.empty()) out += "\n### Commands\n| command | permission | |\n|---|---|---|\n";
    for (const auto& command : known.commands)
        out += "| " + code(command.usage) + " | " + command.permission + " | " + cell(command.about) + " |\n";
    out += "\n### Tables\n| SHOW | permission | | columns |\n|---|---|---|---|\n";
    for (const auto& table : known.tables)
        out += "| " + code(table.name) + " | " + table.permission + " | " + cell(table.about) + " | " +
               cell(table.columns) + " |\n";
    return out;
}

std::string_view word(daemon::metrics::Type type) {
    switch (type) {
        case daemon::metrics::Type::counter: return "counter";
        case daemon::metrics::Type::gauge: return "gauge";
        case daemon::metrics::Type::histogram: return "histogram";
    }
    return "";
}

std::string metrics() {
    std::string out =
        "\n## Metrics\n`/metrics` on `admin.http`, in Prometheus' text format.\n\n"
        "| metric | type | labels | |\n|---|---|---|---|\n";
    for (const daemon::metrics::Metric& metric : daemon::metrics::catalog) {
        out += "| " + code(metric.name) + " | " + std::string(word(metric.type)) + " | " + cell(metric.labels) + " | " +
               cell(metric.help) + " |\n";
    }
    return out;
}

}  // namespace

std::string reference_markdown(const Usage& program) {
    return "# Reference\n"
           "Printed by `leasehold reference`, from what the program itself works with; do not edit.\n" +
           configuration() + command_line(program) + console() + metrics();
}

}  // namespace leasehold::cmd
