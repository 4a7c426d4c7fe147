// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/arguments.hpp"

#include "config/units.hpp"

#include <charconv>
#include <span>

namespace leasehold::daemon::admin {
namespace {

constexpr std::size_t longest_name = 60;

std::string quoted(std::string_view text) {
    std::string result = "\"" + std::string(text.substr(0, longest_name));
    return result + (text.size() > longest_name ? "...\"" : "\"");
}

bool is_name(const Token& token) { return token.kind != Token::Kind::symbol; }

// "0.5" and "-1" are several tokens.
std::string joined(std::span<const Token> tokens) {
    std::string text;
    for (const Token& token : tokens) text += token.text;
    return text;
}

Answer needs_quotes(const std::string& command, std::span<const Token> arguments) {
    return usage(command, "\"" + command + " " + joined(arguments).substr(0, longest_name) +
                              "\" is more than a name; a pool's name with other signs than letters, digits and _ "
                              "stands in quotes: " +
                              command + " \"my-pool\"");
}

}  // namespace

Answer usage(const std::string& command, std::string problem) {
    Answer answer = Answer::failed("42601", 1064, std::move(problem));
    answer.error->hint = "SHOW HELP explains " + command + ".";
    return answer;
}

Read<std::string> read_pool(const std::string& command, const std::vector<Token>& arguments, Needs needs) {
    if (arguments.empty()) {
        if (needs == Needs::nothing) return {};
        return {{}, usage(command, command + " wants a pool's name; SHOW POOLS lists them")};
    }
    if (arguments.size() > 1 || !is_name(arguments.front())) return {{}, needs_quotes(command, arguments)};
    if (arguments.front().text.empty()) return {{}, usage(command, "a pool's name is not empty")};
    return {arguments.front().text, {}};
}

Read<Limited> read_limited(const std::string& command, const std::vector<Token>& arguments) {
    const std::span<const Token> all(arguments);
    std::size_t at = 0;
    Limited read;
    const bool named = !all.empty() && !(all.size() > 1 && all.front().is("TIMEOUT"));
    if (named) {
        const Read<std::string> pool = read_pool(command, {all.front()}, Needs::pool);
        if (pool.error) return {{}, pool.error};
        read.pool = pool.value;
        at = 1;
    }
    const bool worded = at < all.size() && all[at].is("TIMEOUT");
    if (worded) ++at;
    if (at == all.size()) {
        if (worded) return {{}, usage(command, "TIMEOUT wants a limit: " + command + " TIMEOUT 30s")};
        return {read, {}};
    }
    if (all[at].kind == Token::Kind::symbol && !worded) return {{}, needs_quotes(command, all)};
    const std::string text = joined(all.subspan(at));
    const auto limit = config::parse_duration(text);
    if (!limit.value) {
        return {{},
                usage(command, quoted(text) + " is no limit: write 0, 30s, 5m, 500ms" +
                                   (limit.message.empty() ? "" : " (" + limit.message + ")"))};
    }
    read.limit = *limit.value;
    return {read, {}};
}

Read<std::uint64_t> read_session(const std::string& command, const std::vector<Token>& arguments) {
    const std::string text = joined(arguments);
    std::uint64_t id = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (arguments.size() == 1 && failed == std::errc() && end == text.data() + text.size() && id > 0) return {id, {}};
    return {0, usage(command, command + " wants a session's id, as SHOW CLIENTS shows it in the column id" +
                                  (text.empty() ? "" : "; " + quoted(text) + " is none"))};
}

Read<Shutdown> read_shutdown(const std::vector<Token>& arguments) {
    if (arguments.empty()) return {Shutdown::drain, {}};
    if (arguments.size() == 1) {
        if (arguments.front().is("NOW")) return {Shutdown::now, {}};
        if (arguments.front().is("WAIT_FOR_SERVERS")) return {Shutdown::wait_for_servers, {}};
        if (arguments.front().is("WAIT_FOR_CLIENTS")) return {Shutdown::wait_for_clients, {}};
    }
    return {{},
            usage("SHUTDOWN", "SHUTDOWN takes one of NOW, WAIT_FOR_SERVERS, WAIT_FOR_CLIENTS, or nothing, not " +
                                  quoted(joined(arguments)))};
}

std::optional<Answer> read_nothing(const std::string& command, const std::vector<Token>& arguments) {
    if (arguments.empty()) return std::nullopt;
    return usage(command, command + " takes no argument");
}

}  // namespace leasehold::daemon::admin
