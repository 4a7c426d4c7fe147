// SPDX-License-Identifier: Apache-2.0
// How the session's texts are read: by the lexer here, and by the server, which makes a literal a value when it parses
// it. Texts are shared only by sessions for which they mean the same; where a request on its way may change that, what
// is parsed behind it waits, or is nobody else's.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {
namespace {

constexpr std::string_view conforming_name = "standard_conforming_strings";

// Encodings for clients only, in which a character's second byte may look like a backslash.
[[nodiscard]] bool treacherous(std::string_view encoding) noexcept {
    constexpr std::array<std::string_view, 8> names{"SJIS",  "BIG5",           "GBK",    "UHC", "GB18030",
                                                    "JOHAB", "SHIFT_JIS_2004", "MSKANJI"};
    const auto is = [encoding](std::string_view name) { return same_name(name, encoding); };
    return std::any_of(names.begin(), names.end(), is);
}

}  // namespace

// What decides how a literal is understood when its statement is parsed, in one number. "$user" in search_path is the role.
std::uint64_t Tracker::reading() const noexcept {
    if (read_settings_.told != told_.revision() || read_settings_.own != settings_.revision())
        read_settings_ = {told_.revision(), settings_.revision(), reading_of_settings()};
    std::uint64_t mark = read_settings_.mark ^ (startup_reading_ * 0x100000001b3ull);
    if (private_reading_) mark ^= id_ * 0x9e3779b97f4a7c15ull;
    // Behind a SET of the same segment: not as anything is read before or after it.
    if (reading_scope_ > scope_done_) mark ^= (id_ + (reading_scope_ << 20)) * 0xbf58476d1ce4e5b9ull;
    return mark;
}

// Asked for with each Bind, so it is kept until a setting changes.
std::uint64_t Tracker::reading_of_settings() const noexcept {
    constexpr std::array<std::string_view, 7> names{"client_encoding", "DateStyle", "IntervalStyle",        "TimeZone",
                                                    "search_path",     "role",      "session_authorization"};
    std::uint64_t mark = 0xcbf29ce484222325ull;
    for (const std::string_view name : names) {
        // Older servers do not report search_path; and the session's authorization is told as the login's.
        const auto told = is_carriable(name) ? told_.find(name) : std::nullopt;
        const std::string_view value = (told ? told : settings_.find(name)).value_or(std::string_view());
        mark = mark * 0x100000001b3ull ^ std::hash<std::string_view>()(value);
    }
    return mark;
}

// The request that was sent last may change how texts behind it are read, by itself or by what it ends.
void Tracker::note_reading(const Digest& digest) noexcept {
    const bool sets = digest.settings || digest.locals || digest.discards;
    const bool takes_back = digest.ends || digest.rolls_back_to || digest.may_commit;
    if (sets || (reading_local_ && takes_back)) reading_scope_ = scope_open_ ? scope_ : scope_ - 1;
    reading_local_ |= sets;
}

// The server's word on what the lexer rests upon. A text that was sent before it came has been misread, maybe.
void Tracker::note_parameter(std::string_view name, std::string_view value) {
    if (same_name(name, conforming_name)) {
        const bool conforming = !same_name(value, "off");
        if (conforming != conforming_ && lease_ != nullptr && outstanding_.size() > 1) misread(conforming_name);
        conforming_ = conforming;
    }
    if (same_name(name, "client_encoding")) encoding_pins_ |= treacherous(value);
}

void Tracker::misread(std::string_view by) {
    soiled_ = true;
    pin_fresh(PinKind::setting, by);
}

// DISCARD ALL is done: what was misread is gone.
void Tracker::read_anew() noexcept {
    encoding_pins_ = treacherous(options_.startup.find("client_encoding").value_or(std::string_view()));
}

// A setting that the server reports changes in a transaction: what it was comes back if the transaction is lost.
void Tracker::remember(std::string_view name) {
    if (lease_ == nullptr || (status_ == 'I' && outstanding_.empty())) return;
    const auto known = [name](const Before& before) { return same_name(before.name, name); };
    if (std::any_of(before_.begin(), before_.end(), known)) return;
    const auto now = settings_.find(name);
    before_.push_back({std::string(name), now ? std::optional(std::string(*now)) : std::nullopt});
}

void Tracker::take_back() {
    for (const Before& before : before_) {
        if (before.value) {
            (void)settings_.set(before.name, *before.value);
        } else {
            settings_.erase(before.name);
        }
    }
    before_.clear();
}

}  // namespace leasehold::postgres
