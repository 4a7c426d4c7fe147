// SPDX-License-Identifier: Apache-2.0
#include "daemon/reference.hpp"

#include "daemon/admin/console.hpp"
#include "daemon/admin/records.hpp"
#include "daemon/admin/stats.hpp"
#include "daemon/commands.hpp"
#include "daemon/show.hpp"

namespace leasehold::daemon {

ConsoleReference console_reference() {
    metrics::Registry registry(1);
    admin::QuarantineRecords records;
    const admin::Averages averages;
    Shared shared(registry);
    admin::Tables tables;
    admin::Console console(tables);
    register_tables(tables, shared, records, registry, averages);
    Commands commands(shared);
    commands.register_in(console);
    ConsoleReference out;
    for (const auto& table : tables.list()) {
        std::string columns;
        for (const auto& column : table->columns) columns += (columns.empty() ? "" : ", ") + column.name;
        out.tables.push_back({table->name, std::string(to_string(table->permission)), table->description, columns});
    }
    // HELP is answered at once: it asks no worker.
    console.execute("SHOW HELP", admin::Permission::administer, [&out](const admin::Answer& answer) {
        for (const auto& row : answer.result.rows) {
            const std::string usage = row.at(0).value_or("");
            if (!usage.starts_with("SHOW "))
                out.commands.push_back({usage, row.at(1).value_or(""), row.at(2).value_or("")});
        }
    });
    return out;
}

}  // namespace leasehold::daemon
