// SPDX-License-Identifier: Apache-2.0
#include "config/reader.hpp"

#include "config/secrets.hpp"

#include <yaml-cpp/eventhandler.h>

#include <set>
#include <sstream>

namespace leasehold::config {
namespace {

std::string_view kind(const YAML::Node& node) {
    if (node.IsMap()) return "a map";
    if (node.IsSequence()) return "a list";
    if (node.IsScalar()) return "a single value";
    return "nothing";
}

std::string_view line_of(std::string_view text, int line) {
    for (int i = 1; i < line; ++i) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    return text.substr(0, text.find('\n'));
}

// What usually is meant when YAML's own message says little.
std::string syntax_suggestion(std::string_view line, std::string_view message) {
    if (line.find('\t') != std::string_view::npos) return "indent by spaces, not tabs";
    if (line.find('{') != std::string_view::npos && line.find("${") != std::string_view::npos)
        return "within { } quote it: \"${NAME}\"";
    if (line.find("[:") != std::string_view::npos || line.find("::") != std::string_view::npos)
        return "quote an IPv6 address: \"[::1]:6432\"";
    if (message.find("anchor") != std::string_view::npos || message.find("alias") != std::string_view::npos)
        return "quote it: '*'";
    if (message.find("unknown token") != std::string_view::npos) return "quote values that begin with @ or `";
    if (message.find("map value") != std::string_view::npos)
        return "check the indentation; quote values that hold \": \"";
    return {};
}

// Sees where a document begins, and its content; nothing else.
class DocumentStart final : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark& mark) override { begin = content = mark; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { see(mark); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { see(mark); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
        see(mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        see(mark);
    }
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
        see(mark);
    }
    void OnMapEnd() override {}

    YAML::Mark begin, content;

  private:
    void see(const YAML::Mark& mark) {
        if (content.pos == begin.pos) content = mark;
    }
};

// A second document, if there is one. YAML::LoadAll would never come to an end of a text like ",": the parser makes one
// empty document after the other of what it cannot use.
std::optional<DocumentStart> second_document(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    DocumentStart start;
    if (!parser.HandleNextDocument(start) || !parser.HandleNextDocument(start)) return std::nullopt;
    return start;
}

std::string element_key(const std::string& parent, const std::string& name) {
    return parent.empty() ? printable(name) : parent + "." + printable(name);
}

}  // namespace

Place place_of(const YAML::Node& node) {
    const YAML::Mark mark = node.Mark();
    return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1};
}

void Reader::syntax_error(const YAML::Exception& error) {
    const Place place = error.mark.is_null() ? Place{} : Place{error.mark.line + 1, error.mark.column + 1};
    findings_.error(place, "", "no valid YAML: " + printable(error.msg),
                    syntax_suggestion(line_of(text_, place.line), error.msg));
}

std::optional<Value> Reader::document() {
    YAML::Node root;
    try {
        if (const auto second = second_document(std::string(text_))) {
            const Place place{second->content.line + 1, second->content.column + 1};
            if (line_of(text_, second->begin.line + 1).starts_with("---")) {
                findings_.error(place, "", "a second YAML document", "remove the line ---");
            } else {
                findings_.error(place, "", "no valid YAML: what begins here belongs to nothing");
            }
            return std::nullopt;
        }
        root = YAML::Load(std::string(text_));
    } catch (const YAML::Exception& error) {
        syntax_error(error);
        return std::nullopt;
    }
    if (!root.IsDefined() || root.IsNull()) {
        findings_.error(Place{}, "", "the file says nothing", "begin with listen: and pools:");
        return std::nullopt;
    }
    return Value{root, "", place_of(root)};
}

// yaml-cpp takes the end of the file for the end of a quoted value.
bool Reader::unterminated(const YAML::Node& node) const {
    const YAML::Mark mark = node.Mark();
    if (mark.is_null() || mark.pos < 0 || static_cast<std::size_t>(mark.pos) >= text_.size()) return false;
    std::size_t at = static_cast<std::size_t>(mark.pos);
    const char quote = text_[at];
    if (quote != '\'' && quote != '"') return false;
    while (++at < text_.size()) {
        if (quote == '"' && text_[at] == '\\')
            ++at;
        else if (text_[at] == quote)
            return false;  // a doubled one ends it early, which proves just as much
    }
    return true;
}

std::optional<Scalar> Reader::tagged(const Value& value) {
    const std::string& tag = value.node.Tag();
    const std::string& name = value.node.Scalar();
    const bool file = tag == "!file";
    const auto& lookup = file ? secrets_.file : secrets_.credential;
    const Expanded expanded = expand(name, secrets_);
    for (const std::string& message : expanded.errors) findings_.error(value.place, value.key, message);
    if (!expanded.errors.empty()) return std::nullopt;
    std::string path = expanded.text;
    // Relative to the configuration, wherever the daemon was started from.
    if (file && !path.empty() && !path.starts_with('/')) {
        const std::size_t slash = findings_.file().rfind('/');
        if (slash != std::string::npos) path.insert(0, findings_.file(), 0, slash + 1);
    }
    if (auto text = lookup && !path.empty() ? lookup(path) : std::nullopt) return Scalar{std::move(*text), true, true};
    if (file) {
        findings_.error(value.place, value.key, "the file " + shown(path) + " cannot be read",
                        "it must exist and be readable by the daemon's user");
    } else {
        findings_.error(value.place, value.key, "there is no credential " + shown(path),
                        "give it by LoadCredential= in the unit, or set CREDENTIALS_DIRECTORY");
    }
    return std::nullopt;
}

std::optional<Scalar> Reader::scalar(const Value& value) {
    const YAML::Node& node = value.node;
    if (node.IsNull()) {
        findings_.error(value.place, value.key, "has no value", "give it one, or remove the line to have the default");
        return std::nullopt;
    }
    if (!node.IsScalar()) {
        findings_.error(value.place, value.key, "is " + std::string(kind(node)) + ", not a single value");
        return std::nullopt;
    }
    const std::string& tag = node.Tag();
    if (tag == "!file" || tag == "!credential") return tagged(value);
    const bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!quoted && tag != "?" && !tag.empty()) {
        findings_.error(value.place, value.key, "unknown tag " + shown(tag), "the tags are !file and !credential");
        return std::nullopt;
    }
    if (quoted && unterminated(node)) {
        findings_.error(value.place, value.key, "the quotation mark is not closed");
        return std::nullopt;
    }
    Expanded expanded = expand(node.Scalar(), secrets_);
    for (const std::string& message : expanded.errors) findings_.error(value.place, value.key, message);
    if (!expanded.errors.empty()) return std::nullopt;
    return Scalar{std::move(expanded.text), quoted, expanded.secret};
}

std::vector<Value> Reader::sequence(const Value& value) {
    std::vector<Value> out;
    if (value.node.IsNull()) return out;
    if (!value.node.IsSequence()) {
        findings_.error(value.place, value.key, "is " + std::string(kind(value.node)) + ", not a list", "write [a, b]");
        return out;
    }
    for (const YAML::Node& node : value.node) {
        const std::string key = value.key + "[" + std::to_string(out.size()) + "]";
        const Place place = node.IsNull() ? value.place : place_of(node);
        findings_.seen(key, place);
        out.push_back({node, key, place});
    }
    return out;
}

std::vector<std::pair<std::string, Value>> Reader::mapping(const Value& value) {
    std::vector<std::pair<std::string, Value>> out;
    if (value.node.IsNull()) return out;
    if (!value.node.IsMap()) {
        findings_.error(value.place, value.key, "is " + std::string(kind(value.node)) + ", not a map",
                        "write key: value");
        return out;
    }
    std::set<std::string> names;
    for (const auto& pair : value.node) {
        // A null has the place of whatever comes next.
        const YAML::Node& placed = pair.first.IsNull() && !pair.second.IsNull() ? pair.second : pair.first;
        const Place key_place = place_of(placed);
        if (!pair.first.IsScalar()) {
            findings_.error(key_place, value.key, "a key is " + std::string(kind(pair.first)) + ", not a word",
                            "quote it");
            continue;
        }
        const std::string name = pair.first.Scalar();
        const std::string key = element_key(value.key, name);
        if (!names.insert(name).second) {
            findings_.error(key_place, key,
                            "stands twice; the first is on line " + std::to_string(findings_.place(key).line));
            continue;
        }
        findings_.seen(key, key_place);
        out.push_back(
            {name,
             {pair.second, key, pair.second.IsNull() || pair.second.IsMap() ? key_place : place_of(pair.second)}});
    }
    return out;
}

}  // namespace leasehold::config
