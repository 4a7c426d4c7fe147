// SPDX-License-Identifier: Apache-2.0
#include "dialects/registry.hpp"

#include "dialects/mysql/dialect.hpp"
#include "dialects/postgres/dialect.hpp"

namespace leasehold::dialects {

const Dialect* find(std::string_view scheme) noexcept {
    static const std::unique_ptr<Dialect> postgres = leasehold::postgres::make_dialect();
    if (scheme == "postgresql" || scheme == "postgres") return postgres.get();
    static const std::unique_ptr<Dialect> mysql = leasehold::mysql::make_dialect();
    if (scheme == "mysql" || scheme == "mariadb") return mysql.get();
    return nullptr;
}

}  // namespace leasehold::dialects
