// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/hosts.hpp"

namespace leasehold::mysql {

Role role_of(std::string_view word) noexcept {
    if (word == "primary") return Role::primary;
    return word == "replica" ? Role::replica : Role::any;
}

// Since MariaDB 12 the variable has more values than two: each of the others refuses writers.
bool fits_role(Role wanted, std::string_view read_only) noexcept {
    const bool writable = read_only == "0" || read_only == "OFF";
    switch (wanted) {
        case Role::any: return true;
        case Role::primary: return writable;
        case Role::replica: return !read_only.empty() && !writable;
    }
    return false;
}

std::string_view unfit_because(Role wanted) noexcept {
    switch (wanted) {
        case Role::any: break;
        case Role::primary: return "the server is read-only (role=primary)";
        case Role::replica: return "the server is not read-only (role=replica)";
    }
    return {};
}

}  // namespace leasehold::mysql
