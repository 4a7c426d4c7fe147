// SPDX-License-Identifier: Apache-2.0
#include "dialects/registry.hpp"

#ifndef LEASEHOLD_WITHOUT_MYSQL
#include "dialects/mysql/dialect.hpp"
#endif
#include "dialects/postgres/dialect.hpp"

namespace leasehold::dialects {

const Dialect* find(std::string_view scheme) noexcept {
    static const std::unique_ptr<Dialect> postgres = leasehold::postgres::make_dialect();
    if (scheme == "postgresql" || scheme == "postgres") return postgres.get();
#ifndef LEASEHOLD_WITHOUT_MYSQL
    static const std::unique_ptr<Dialect> mysql = leasehold::mysql::make_dialect();
    if (scheme == "mysql" || scheme == "mariadb") return mysql.get();
#endif
    return nullptr;
}

}  // namespace leasehold::dialects
