// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/table.hpp"

#include <stdexcept>

namespace leasehold::daemon::admin {

std::string_view to_string(Permission permission) noexcept {
    return permission == Permission::administer ? "administer" : "read";
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return result;
}

void Tables::add(Table table) {
    std::string name = upper(table.name);
    table.name = name;
    const std::lock_guard lock(mutex_);
    const auto [at, added] = tables_.try_emplace(std::move(name), std::make_shared<const Table>(std::move(table)));
    if (!added) throw std::logic_error("two tables of one name: " + at->first);
}

std::shared_ptr<const Table> Tables::find(std::string_view name) const {
    const std::string key = upper(name);
    const std::lock_guard lock(mutex_);
    const auto at = tables_.find(key);
    return at == tables_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<const Table>> Tables::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<const Table>> result;
    for (const auto& [name, table] : tables_) result.push_back(table);
    return result;
}

}  // namespace leasehold::daemon::admin
