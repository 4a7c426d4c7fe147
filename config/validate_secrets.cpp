// SPDX-License-Identifier: Apache-2.0
// Passwords that are what a server keeps in place of one: of the other database's kind, or with nobody to bring what
// logs in to the server.
#include "config/validate.hpp"

#include "config/password_kind.hpp"

#include <algorithm>

namespace leasehold::config {
namespace {

struct Form {
    std::string_view family;  // whose servers keep it; empty: clear text, or none
    std::string_view name;
    bool needs_login = false;  // alone it logs in to no server: a client's login has to bring the rest
};

Form form_of(std::string_view password) {
    switch (password_kind(password)) {
        case PasswordKind::scram_verifier: return {"postgresql", "a SCRAM verifier", true};
        case PasswordKind::native_hash: return {"mysql", "a mysql_native_password hash", true};
        case PasswordKind::sha2_hash: return {"mysql", "a caching_sha2_password hash", true};
        case PasswordKind::none:
        case PasswordKind::clear_text: break;
    }
    const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    const bool md5 =
        password.size() == 35 && password.starts_with("md5") && std::ranges::all_of(password.substr(3), digit);
    return md5 ? Form{"postgresql", "an md5 hash", false} : Form{};
}

std::string_view product(std::string_view family) { return family == "mysql" ? "MySQL" : "PostgreSQL"; }

std::string is_of(const Form& form, std::string_view other) {
    return std::string("is ") + std::string(form.name) + ", which is " + std::string(product(form.family)) +
           "'s: for " + std::string(other) + " it is a password like any other";
}
constexpr std::string_view give_the_right = "give the password itself, or the hash that this pool's server keeps";

bool asks_for_passwords(const Listen& listen) {
    switch (listen.auth) {
        case AuthMethod::cert:
        case AuthMethod::peer:
        case AuthMethod::trust: return false;
        case AuthMethod::automatic: return over_tcp(listen) || listen.dialect == "mysql";
        case AuthMethod::scram:
        case AuthMethod::md5:
        case AuthMethod::cleartext: break;
    }
    return true;
}

// Some listener serves the pool, and none of those that do asks for a password.
bool nobody_shows_one(const Config& config, const Pool& pool) {
    const auto served = [&](const Listen& listen) { return serves(listen, pool); };
    return std::ranges::any_of(config.listen, served) && std::ranges::none_of(config.listen, [&](const Listen& listen) {
               return served(listen) && asks_for_passwords(listen);
           });
}

void check_pools_own(const Config& config, const Pool& pool, Findings& findings) {
    const Form form = form_of(pool.url.password.value_or(""));
    if (form.family.empty() || pool.url.dialect.empty()) return;
    if (form.family != pool.url.family()) {
        findings.warning(pool_key(pool, "url"), "its password " + is_of(form, product(pool.url.family())),
                         std::string(give_the_right));
        return;
    }
    if (!form.needs_login) return;
    const std::string why = "its password is " + std::string(form.name) +
                            ", which logs in to no server until a client has shown the password";
    if (nobody_shows_one(config, pool)) {
        findings.warning(pool_key(pool, "url"), why + ", and none of this pool's listeners asks for one",
                         "give the password itself, or a listener that asks for passwords");
    } else if (pool.min_idle > 0) {
        findings.warning(pool_key(pool, "min_idle"),
                         "has no effect before the first login: the URL's password is " + std::string(form.name),
                         "give the URL the password itself");
    }
}

void check_user(const Config& config, std::size_t index, Findings& findings) {
    const User& user = config.users[index];
    const std::string key = element("users", index);
    const auto allowed = [&](const Pool& pool) { return user.pools.empty() || names(user.pools, pool); };
    const Form form = form_of(user.password);
    bool any = false, fits = false, shown_somewhere = false;
    const Pool* misfit = nullptr;
    for (const Pool& pool : config.pools) {
        if (!allowed(pool) || pool.url.dialect.empty()) continue;
        any = true;
        const Form own = form_of(pool.url.password.value_or(""));
        if (user.as_pool && own.needs_login && own.family == pool.url.family() && pool.url.user != user.name) {
            findings.warning(key + ".as",
                             "shares the URL's user of pool " + shown(pool.name) + ", whose password is " +
                                 std::string(own.name) + ": nobody is served before that user has logged in",
                             "give the URL the password itself");
        }
        if (form.family == pool.url.family()) {
            fits = true;
            shown_somewhere = shown_somewhere || !nobody_shows_one(config, pool);
        } else if (misfit == nullptr) {
            misfit = &pool;
        }
    }
    if (!any || form.family.empty()) return;
    // Without `pools` a user is everybody's, and its password need not be: who names one means it.
    if (misfit != nullptr && (!fits || !user.pools.empty())) {
        findings.warning(key + ".password", is_of(form, "the pool " + shown(misfit->name)),
                         std::string(give_the_right));
    } else if (fits && !shown_somewhere && form.needs_login && !user.as_pool) {
        findings.warning(key + ".password",
                         "is " + std::string(form.name) +
                             ", which logs in to no server until a client has shown the password, and none of this "
                             "user's listeners asks for one",
                         "give the password itself, or a listener that asks for passwords");
    }
}

}  // namespace

void check_secrets(const Config& config, Findings& findings) {
    for (const Pool& pool : config.pools) check_pools_own(config, pool, findings);
    for (std::size_t i = 0; i < config.users.size(); ++i) check_user(config, i, findings);
}

}  // namespace leasehold::config
