// SPDX-License-Identifier: Apache-2.0
// A role that was dropped cannot be taken again by the next backend. Whoever was told so and gives its role up, or takes
// another one, needs not have it there before: the server asks by the login alone who may be what.
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {
namespace {

// Whether SET, RESET or DISCARD may begin here; few others pass.
[[nodiscard]] bool may_give_up(std::string_view sql) noexcept {
    if (sql.size() < 3) return false;
    const auto letter = [sql](std::size_t i) { return static_cast<char>(sql[i] | 0x20); };
    const char first = letter(0);
    return (first == 's' && letter(2) == 't') || first == 'r' || first == 'd' || first == '/' || first == '-' ||
           sql[0] <= ' ';
}

// The text of a Query; or of an unnamed statement that is bound and executed, and nothing else up to the Sync.
[[nodiscard]] std::string_view lone_text(std::uint8_t type, Bytes body, Bytes rest) noexcept {
    if (type == frontend::query) return wire::as_text(body).substr(0, wire::as_text(body).find('\0'));
    if (type != frontend::parse) return {};
    wire::Cursor parse(body);
    const std::string_view name = parse.cstring(), sql = parse.cstring();
    if (!parse.ok() || !name.empty() || !may_give_up(sql)) return {};
    bool executed = false;
    for (std::size_t at = 0, seen = 0;; ++seen) {
        const std::optional<Header> header = peek(rest.subspan(at));
        if (!header || !header->valid() || rest.size() - at < header->size()) return {};
        const Bytes message = rest.subspan(at, header->size());
        at += header->size();
        wire::Cursor cursor(message.subspan(header_size));
        const bool bind = header->type == frontend::bind;
        if (bind && (!cursor.cstring().empty() || !cursor.cstring().empty())) return {};
        if (header->type == frontend::sync) return executed ? sql : std::string_view();
        const bool describe = header->type == frontend::describe || header->type == frontend::close;
        executed |= header->type == frontend::execute;
        if (seen > 0 && !bind && !describe && header->type != frontend::execute) return {};
    }
}

}  // namespace

void Tracker::set_identity_aside(const Message& message, Bytes rest) {
    const bool query = message.type == frontend::query;
    if (query ? !may_give_up(wire::as_text(message.body())) : message.type != frontend::parse) return;
    const auto role = settings_.find("role"), authorization = settings_.find("session_authorization");
    if (!role && !authorization) return;
    const std::string_view sql = lone_text(message.type, message.body(), rest);
    const Digest what = digest(sql);
    bool all = what.discards;
    if (!all) {
        if (!what.only(Kind::set) && !what.only(Kind::reset)) return;
        const std::optional<Assignments> read = read_assignment(sql);
        if (!read || read->size() != 1) return;
        all = read->front().name == "session_authorization";
        if (!all && read->front().name != "role") return;
    }
    aside_.emplace();
    if (role) aside_->role = std::string(*role);
    settings_.erase("role");
    if (!all || !authorization) return;
    aside_->authorization = std::string(*settings_.find("session_authorization"));
    settings_.erase("session_authorization");
}

// Where the statement failed, or never ran, the session is who it was.
void Tracker::take_identity_back(bool failed) {
    if (failed && aside_->role) (void)settings_.set("role", *aside_->role);
    if (failed && aside_->authorization) (void)settings_.set("session_authorization", *aside_->authorization);
    if (failed) unaligned_ = true;
    aside_.reset();
}

}  // namespace leasehold::postgres
