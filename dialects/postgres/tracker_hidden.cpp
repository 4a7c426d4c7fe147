// SPDX-License-Identifier: Apache-2.0
// What functions do to a session that no text tells: whoever calls one that is not known to be harmless has its backend
// asked at the next boundary, and what is found is the session's own, as on a connection of its own. Its next lessee
// meets none of it: a backend that was suspected is reset.
#include "dialects/postgres/tracker.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

void add_once(std::vector<std::string>& to, std::string_view name) {
    if (to.size() < Hidden::most && std::ranges::find(to, name) == to.end()) to.emplace_back(name);
}

[[nodiscard]] bool is_ascii(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// "f, s.g"
[[nodiscard]] std::string listed(const std::vector<std::string>& names) {
    constexpr std::size_t most = 3;
    std::string all;
    for (std::size_t i = 0; i < names.size() && i < most; ++i) all += (i > 0 ? ", " : "") + names[i];
    if (names.size() > most) all += ", ...";
    return all;
}

}  // namespace

void Tracker::read_called(Digest& digest, std::string_view sql) const {
    Calls found = read_calls(sql, conforming_);
    digest.calls = !found.functions.empty() || found.more;
    if (digest.calls) digest.called = std::make_shared<const Calls>(std::move(found));
}

// Beside DO and CALL, which are always looked at.
void Tracker::look_for_hidden(const Digest& digest) {
    hidden_.sets |= digest.settings || digest.locals || digest.discards || digest.savepoints;
    // What sets and resets may be what a function has set.
    const bool sets = digest.settings || digest.discards;
    hidden_.undone |= sets || digest.rolls_back_to || (digest.ends && digest.last == Kind::rollback);
    if (digest.routines) {
        hidden_.routines = true;
        wire::KnownFunctions::replaced();
    }
    if (!options_.functions) return;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_audit")) return;
#endif
    if (hidden_.suspects.functions.empty()) hidden_.undone = sets || (digest.ends && digest.last == Kind::rollback);
    using Look = wire::KnownFunctions::Look;
    bool due = false;
    const auto suspect = [&](std::string_view name) {
        const Look look = digest.unseen ? Look::always : options_.functions->due(name);
        if (look == Look::none) return;
        due = true;
        if (look == Look::always) hidden_.sure = hidden_.untrusted = true;
        if (!name.empty()) add_once(hidden_.suspects.functions, name);
    };
    if (digest.calls && !digest.called) suspect({});
    if (digest.called) {
        for (const std::string& name : digest.called->functions) suspect(name);
        if (due || options_.functions->all()) {
            for (const std::string& name : digest.called->customs) add_once(hidden_.suspects.customs, name);
        }
    }
    if (due) {
        soiled_ = lease_->seeded = true;  // what random() goes on from no audit shows
        own_schema_ = SchemaClock::tick_alone();
        own_schema_changing_ = true;
    }
    if (options_.functions->all()) hidden_.sure = true;
    if (due || options_.functions->all()) pin_fresh(PinKind::function, {});
}

// The server reports it, and nothing that the session sent in this lease has set anything.
void Tracker::unannounced(std::string_view name) {
    const bool identity = name == "is_superuser" || name == "session_authorization";
    if (hidden_.sets || outstanding_.empty() || !options_.functions || !(identity || is_carriable(name))) return;
    if (!identity) add_once(hidden_.unannounced, name);
    soiled_ = hidden_.sure = true;
    hidden_.untrusted |= identity;  // of other settings the report itself is kept
    pin_fresh(PinKind::function, {});
}

// State that is gone with its backend, for all that anybody knows: made outside of the transaction in progress by
// something that nobody has looked at yet, and that is not trusted.
std::string Tracker::unseen_loss() const {
    if (!pins_.settled(PinKind::function) || !hidden_.untrusted) return {};
    const std::string by = listed(hidden_.suspects.functions);
    return "what " + (by.empty() ? std::string("a function") : by) + " may have set, locked or made";
}

void Tracker::leak(std::string_view kind, std::string_view what) {
    if (hidden_.leaks.size() >= Hidden::most) return;
    hidden_.leaks.push_back({std::string(kind), std::string(what), listed(hidden_.suspects.functions),
                             mask(pins_.statement(), Transcript::max_bytes, conforming_)});
}

// The answer to an audit. What a text told of is in the pins and the settings already. What is found by a sample may be
// another session's, made when nobody looked: it is taken away, unless the session is pinned anyway.
void Tracker::take_over(const Found& found) {
    const bool own = hidden_.sure || !options_.functions || (pins_.kinds() & bit(PinKind::unseen)) != 0;
    for (const std::string& name : hidden_.unannounced) leak("setting", name);
    std::string uncarried;
    for (const FoundSetting& setting : found.settings) {
        leak("setting", setting.name);
        if (own && !adopt(setting) && uncarried.empty()) uncarried = setting.name;
    }
    const auto hidden = static_cast<std::uint16_t>(found.kinds() & ~pins_.kinds());
    for (unsigned i = 0; i < 16; ++i) {
        const auto kind = static_cast<PinKind>(i + 1);
        if ((hidden >> i & 1u) != 0) leak(describe_pin(kind, {}), {});
    }
    const bool clean = found.settings.empty() && hidden == 0 && hidden_.unannounced.empty();
    const bool proven = !hidden_.undone && !hidden_.adopted && found.kinds() == 0;
    if (!clean) soiled_ = true;
    if (options_.functions && (!clean || proven)) {
        for (const std::string& name : hidden_.suspects.functions) options_.functions->judge(name, clean);
    }
    Found kept = found;
    if (!own) kept.only(pins_.kinds());
    pins_.audited(kept, uncarried);
    hidden_.answered();
}

// It becomes a setting of the session's, which the next backend is given as well. False: none could be.
bool Tracker::adopt(const FoundSetting& setting) {
    hidden_.adopted = true;
    if (decides_reading(setting.name)) private_reading_ = true;
    if (setting.reset) {
        lease_->held.erase(setting.name);
        settings_.erase(setting.name);
        if (const auto began = options_.startup.find(setting.name)) {
            (void)settings_.set(setting.name, *began);
            unaligned_ = true;
        }
        return true;
    }
    const Assignment made{.name = setting.name, .value = setting.value};
    if (!repeatable(made) || too_long(made) || !is_ascii(made.value)) return false;
    if (!superuser_ && wants_privilege(made.name)) return false;  // it was, maybe, the function's owner's
    if (settings_.size() >= options_.max_settings && !settings_.contains(made.name)) return false;
    return settings_.set(made.name, made.value) && lease_->held.set(made.name, made.value);
}

}  // namespace leasehold::postgres
