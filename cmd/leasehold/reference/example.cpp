// SPDX-License-Identifier: Apache-2.0
// The example file: what must stand in it is active, every other key stands commented out with its default.
#include "cmd/leasehold/reference/reference.hpp"
#include "cmd/leasehold/reference/text.hpp"

namespace leasehold::cmd {
namespace {

using config::Key;
using config::Part;

constexpr std::size_t width = 120;
constexpr std::size_t remarks_at = 35;

constexpr std::string_view head =
    R"(# leasehold's configuration: /etc/leasehold/leasehold.yaml. Try it with `leasehold check --config FILE [--connect]`.
# `man leasehold.yaml` and `leasehold reference` explain every key.
#
# What is active below is the least that works; every other key stands commented out with its default. Keep the file
# readable by root and the daemon's group only (0640, root:leasehold), or keep passwords out of it:
#   ${NAME} anywhere in a value      from the environment ($${ for a literal ${)
#   !file /path                      a file's content, without the last line's end
#   !credential name                 systemd's LoadCredential=
# What ends up within a URL must be percent-encoded (@ is %40, / is %2F, % is %25).
# Times: a number is seconds; or 250ms, 30s, 5m, 1h. Sizes: 512B, 10KiB, 64MiB. Booleans: true, false.
)";

class Example {
  public:
    std::string print() {
        out_ = head;
        for (const Key& key : config::keys(Part::top)) {
            out_ += '\n';
            comment(0, key.detail.empty() ? sentence(key.about) : std::string(key.detail));
            print(key, 0, key.required, "");
        }
        return std::move(out_);
    }

  private:
    void comment(std::size_t indent, std::string_view text) {
        for (const std::string& line : wrapped(text, width - indent - 2))
            out_ += std::string(indent, ' ') + "# " + line + '\n';
    }

    // `dash`: "- " before the first key of a list's element.
    void line(std::size_t indent, bool active, const std::string& text, std::string_view remark = {},
              std::string_view words = {}) {
        std::string line = std::string(indent, ' ') + (active ? "" : "#") + text;
        if (!remark.empty()) {
            const std::size_t column = std::max(line.size() + 1, remarks_at);
            const std::size_t room = width - column - 2;
            if (remark.size() > room && words.size() <= room && !words.empty()) remark = words;
            // A remark that has no room stands above.
            if (remark.size() > room)
                comment(indent, remark);
            else
                line += std::string(column - line.size(), ' ') + "# " + std::string(remark);
        }
        out_ += line + '\n';
    }

    void print(const Key& key, std::size_t indent, bool active, const std::string& dash) {
        const std::string name = dash + std::string(key.name) + ":";
        if (key.holds == Key::Holds::value) {
            const std::string_view value = key.example.empty() ? key.fallback : key.example;
            line(indent, active, value.empty() ? name : name + " " + std::string(value), remark(key, indent),
                 words(key));
            return;
        }
        line(indent, active, name);
        std::size_t inner = indent + 2;
        if (key.holds == Key::Holds::named) {
            const bool plain = key.sample.find(':') == std::string_view::npos;
            line(inner, active, (plain ? std::string(key.sample) : '"' + std::string(key.sample) + '"') + ":");
            inner += 2;
        }
        bool first = key.holds == Key::Holds::list;
        for (const Key& below : config::keys(key.inner)) {
            const std::size_t at = key.holds == Key::Holds::list && !first ? inner + 2 : inner;
            if (!below.detail.empty()) comment(at, below.detail);
            print(below, at, active && below.required, first ? "- " : "");
            first = false;
        }
    }

    // What stands behind a key: the words that it takes, and what it is for if that was not said above.
    static std::string remark(const Key& key, std::size_t indent) {
        if (indent == 0) return {};
        std::string out(words(key));
        if (!key.detail.empty()) return out;
        return out + (out.empty() ? "" : ": ") + std::string(key.about);
    }

    static std::string_view words(const Key& key) {
        return config::choices(key.type).empty() ? std::string_view() : key.type;
    }

    std::string out_;
};

}  // namespace

std::string reference_example() { return Example().print(); }

}  // namespace leasehold::cmd
