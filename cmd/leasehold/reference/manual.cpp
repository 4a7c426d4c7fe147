// SPDX-License-Identifier: Apache-2.0
// The manual pages leasehold(1) and leasehold.yaml(5), in man(7)'s macros.
#include "cmd/leasehold/reference/reference.hpp"
#include "cmd/leasehold/reference/text.hpp"

#include <cctype>

namespace leasehold::cmd {
namespace {

using config::Key;

// Text that roff shall print as it is: hyphens that can be copied, no line that looks like a request.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '\x01': out += "\\-"; break;  // the dash of the section NAME
            case '\\': out += "\\e"; break;
            case '-': out += "\\-"; break;
            case '^': out += "\\(ha"; break;
            case '~': out += "\\(ti"; break;
            case '`': out += "\\(ga"; break;
            case '\'': out += "\\(aq"; break;
            default: out += c;
        }
    }
    return out.starts_with('.') ? "\\&" + out : out;
}

std::string capitals(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

class Page {
  public:
    Page(std::string_view name, int section, std::string_view about) {
        out_ = ".\\\" Printed by `leasehold reference`; do not edit.\n.TH " + capitals(name) + " " +
               std::to_string(section) + " \"\" \"leasehold " LEASEHOLD_VERSION "\"\n";
        title("NAME");
        text(std::string(name) + " \x01 " + std::string(about));
    }

    Page& title(std::string_view text) { return raw(".SH " + std::string(text)); }
    Page& subtitle(std::string_view text) { return raw(".SS " + quoted(text)); }
    // Sentences, a line of the source each where they are long.
    Page& text(std::string_view text) {
        for (const std::string& line : wrapped(text, 72)) raw(roff(line));
        return *this;
    }
    Page& paragraph(std::string_view words) { return raw(".PP").text(words); }
    Page& item(std::string_view tag, std::string_view about) { return raw(".TP").raw(".B " + quoted(tag)).text(about); }
    Page& example(std::string_view lines) {
        raw(".nf").raw(".RS 4");
        while (!lines.empty()) {
            const std::size_t end = lines.find('\n');
            raw(roff(lines.substr(0, end)));
            lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        }
        return raw(".RE").raw(".fi");
    }
    Page& raw(const std::string& line) {
        out_ += line + "\n";
        return *this;
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    static std::string quoted(std::string_view text) { return "\"" + replaced(roff(text), "\"", "\"\"") + "\""; }
    std::string out_;
};

std::string names(const Usage::Option& option) {
    std::string out;
    for (const std::string& name : option.names) out += (out.empty() ? "" : ", ") + name;
    if (!option.value.empty()) out += option.value_optional ? " [" + option.value + "]" : " " + option.value;
    return out;
}

std::string synopsis(const Usage& command) {
    std::string out = "leasehold " + command.name;
    for (const Usage::Argument& argument : command.arguments)
        out += argument.required ? " " + argument.value : " [" + argument.value + "]";
    return out + (command.options.empty() ? "" : " [options]");
}

void print_options(Page& page, const Usage& command) {
    for (const Usage::Option& option : command.options) {
        std::string about = sentence(option.about);
        if (!option.fallback.empty()) about += " Default: " + option.fallback + ".";
        page.item(names(option), about);
    }
}

void print(Page& page, std::span<const Remark> remarks) {
    for (const Remark& remark : remarks) page.item(remark.name, sentence(remark.about));
}

std::string facts(const Key& key) {
    std::string out = "Type: " + std::string(key.type);
    if (const std::string limits = range(key); !limits.empty()) out += " (" + limits + ")";
    out += ". ";
    if (key.required) out += "Must be given. ";
    if (!key.fallback.empty()) out += "Default: " + std::string(key.fallback) + ". ";
    return out + (key.reloadable ? "Taken up by a reload." : "Needs a restart.");
}

void print_keys(Page& page, const Section& section) {
    page.subtitle(section.path.empty() ? "Top level" : section.path);
    if (section.key != nullptr && !section.key->detail.empty()) page.text(section.key->detail);
    for (const Key& key : config::keys(section.part)) {
        const bool below = key.holds != Key::Holds::value && section.part == config::Part::top;
        page.item(key.name, key.detail.empty() || below ? sentence(key.about) : std::string(key.detail));
        page.raw(".IP").text(facts(key));
    }
}

}  // namespace

std::string reference_program_manual(const Usage& program) {
    Page page("leasehold", 1, "leases database connections to clients of PostgreSQL, MySQL and MariaDB");
    page.title("SYNOPSIS").raw(".B leasehold").raw(".I command").raw("[options]");
    page.title("DESCRIPTION")
        .text(
            "leasehold stands between applications and databases, lets many clients share few server connections, and "
            "takes a connection back only when the transaction on it has ended.")
        .paragraph(
            "The daemon is started by `leasehold run`, usually as leasehold.service. The commands that look at it "
            "and steer it reach it over its control socket, a unix socket: root and the daemon's own user may "
            "do everything, everybody else whom the socket's mode lets in (the group leasehold) may look.");
    page.title("COMMANDS");
    for (const Usage& command : program.commands) {
        page.subtitle(synopsis(command)).text(sentence(command.about));
        for (const Usage::Argument& argument : command.arguments) page.item(argument.value, sentence(argument.about));
        print_options(page, command);
    }
    page.title("OPTIONS");
    print_options(page, program);
    page.title("EXIT STATUS");
    print(page, exit_codes());
    page.title("SIGNALS").text("What the daemon does:");
    print(page, signals());
    page.title("ENVIRONMENT");
    print(page, environment());
    page.title("FILES");
    print(page, files());
    page.title("SEE ALSO").raw(".BR leasehold.yaml (5),").raw(".BR systemctl (1),").raw(".BR psql (1)");
    return page.take();
}

std::string reference_file_manual() {
    Page page("leasehold.yaml", 5, "the configuration of leasehold");
    page.title("SYNOPSIS").raw(".I /etc/leasehold/leasehold.yaml");
    page.title("DESCRIPTION")
        .text(
            "One YAML file. A key that it does not have keeps its default; a key that is unknown or stands twice is "
            "an error. `leasehold check` prints all problems of a file with line and key, and changes nothing.")
        .paragraph(
            "A reload (SIGHUP, systemctl reload leasehold, leasehold reload) takes up all of a file or nothing of "
            "it. Which keys need a restart is said with each.");
    page.subtitle("Values");
    for (const config::ValueType& type : config::value_types())
        page.item(type.type, sentence(replaced(std::string(type.about), "`", "")));
    page.subtitle("Secrets").text(
        "Keep the file readable by root and the daemon's group only (chmod 0640, chown root:leasehold), or keep "
        "passwords out of it. What ends up within a URL must be percent-encoded.");
    page.item("${NAME}", "Anywhere in a value: from the environment ($${ for a literal ${).")
        .item("!file PATH", "A file's content, without the last line's end.")
        .item("!credential NAME", "A credential that systemd's LoadCredential= gives.");
    page.title("KEYS");
    for (const Section& section : sections()) print_keys(page, section);
    page.title("EXAMPLE").example(
        "listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  orders:\n"
        "    url: postgresql://app:secret@db.internal:5432/orders\n    pool_size: 5\n    max_overflow: 10\n"
        "admin: {users: [app]}");
    page.title("SEE ALSO").raw(".BR leasehold (1)");
    return page.take();
}

}  // namespace leasehold::cmd
