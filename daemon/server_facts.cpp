// SPDX-License-Identifier: Apache-2.0
#include "daemon/server_facts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace leasehold::daemon {
namespace {

constexpr std::string_view head = "leasehold servers 1";
constexpr std::size_t longest_file = 4 * 1024 * 1024;
constexpr std::size_t most_servers = 10000;

// Guards against halves and strangers, not against forgers: those who may write here are ourselves.
std::uint64_t sum_of(std::string_view text) noexcept {
    std::uint64_t sum = 14695981039346656037ull;
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return sum;
}

std::string escaped(std::string_view text) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 0x20 && byte < 0x7f && c != '%' && c != '=') {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::string> unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const std::size_t at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

template <class T>
bool number(std::string_view text, T& value) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

// "name version capabilities charset status parameter=value ..."
bool parse_line(std::string_view line, ServerFactsByName& facts) {
    const std::vector<std::string_view> fields = split(line, ' ');
    if (fields.size() < 5) return false;
    dialects::ServerFacts made;
    const std::optional<std::string> name = unescaped(fields[0]), version = unescaped(fields[1]);
    if (!name || name->empty() || !version) return false;
    made.version = *version;
    if (!number(fields[2], made.capabilities) || !number(fields[3], made.charset) || !number(fields[4], made.status))
        return false;
    for (std::size_t i = 5; i < fields.size(); ++i) {
        const std::size_t equals = fields[i].find('=');
        if (equals == std::string_view::npos) return false;
        auto key = unescaped(fields[i].substr(0, equals)), value = unescaped(fields[i].substr(equals + 1));
        if (!key || !value) return false;
        made.parameters.emplace_back(std::move(*key), std::move(*value));
    }
    facts[*name] = std::make_shared<const dialects::ServerFacts>(std::move(made));
    return facts.size() <= most_servers;
}

std::string error_of(const std::string& path) { return path + ": " + std::strerror(errno); }

class Descriptor {
  public:
    explicit Descriptor(int number) noexcept : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return number_; }

  private:
    int number_;
};

}  // namespace

std::string render_facts(const ServerFactsByName& facts) {
    std::string out(head);
    out += '\n';
    for (const auto& [name, said] : facts) {
        out += escaped(name) + ' ' + escaped(said->version) + ' ' + std::to_string(said->capabilities) + ' ' +
               std::to_string(said->charset) + ' ' + std::to_string(said->status);
        for (const auto& [key, value] : said->parameters) out += ' ' + escaped(key) + '=' + escaped(value);
        out += '\n';
    }
    return out + "sum " + std::to_string(sum_of(out)) + '\n';
}

std::optional<ServerFactsByName> parse_facts(std::string_view text) {
    if (!text.ends_with('\n')) return std::nullopt;
    text.remove_suffix(1);
    const std::size_t last = text.rfind('\n');
    if (last == std::string_view::npos || !text.substr(last + 1).starts_with("sum ")) return std::nullopt;
    std::uint64_t sum = 0;
    if (!number(text.substr(last + 5), sum) || sum != sum_of(text.substr(0, last + 1))) return std::nullopt;
    const std::vector<std::string_view> lines = split(text.substr(0, last), '\n');
    if (lines.front() != head) return std::nullopt;
    ServerFactsByName facts;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        if (!parse_line(lines[i], facts)) return std::nullopt;
    }
    return facts;
}

FactsRead read_facts(const std::string& path) {
    FactsRead result;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.get() < 0) {
        if (errno != ENOENT) result.problem = error_of(path);
        return result;
    }
    struct stat status {};
    const bool ours = ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                      (status.st_uid == ::geteuid() || status.st_uid == 0) && (status.st_mode & S_IWOTH) == 0;
    if (!ours || static_cast<std::uint64_t>(status.st_size) > longest_file) {
        result.problem = path + ": is no file of leasehold's own";
        return result;
    }
    std::string text;
    char piece[16 * 1024];
    for (;;) {
        const ssize_t got = ::read(file.get(), piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) result.problem = error_of(path);
        if (got <= 0 || text.size() > longest_file) break;
        text.append(piece, static_cast<std::size_t>(got));
    }
    if (!result.problem.empty()) return result;
    std::optional<ServerFactsByName> facts = parse_facts(text);
    if (facts)
        result.facts = std::move(*facts);
    else
        result.problem = path + ": is broken, or of another version";
    return result;
}

std::string write_facts(const std::string& path, const std::string& text) {
    const std::string next = path + ".new";
    {
        (void)::unlink(next.c_str());
        const Descriptor file(::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.get() < 0) return error_of(next);
        std::string_view rest = text;
        while (!rest.empty()) {
            const ssize_t put = ::write(file.get(), rest.data(), rest.size());
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return error_of(next);
            rest.remove_prefix(static_cast<std::size_t>(put));
        }
        if (::fsync(file.get()) != 0) return error_of(next);
    }
    if (::rename(next.c_str(), path.c_str()) != 0) return error_of(path);
    return {};
}

std::string server_name(const config::Url& url) {
    std::string out(url.family());
    for (std::size_t i = 0; i < url.hosts.size(); ++i) out += (i == 0 ? " " : ",") + config::to_string(url.hosts[i]);
    return out;
}

std::string facts_path() {
    const char* given = std::getenv("STATE_DIRECTORY");
    const std::string_view folders = given == nullptr ? std::string_view() : std::string_view(given);
    const std::string_view folder = folders.substr(0, folders.find(':'));
    return folder.starts_with('/') ? std::string(folder) + "/servers" : std::string();
}

}  // namespace leasehold::daemon
