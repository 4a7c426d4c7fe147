# SPDX-License-Identifier: Apache-2.0
"""What the suite may expect of PostgreSQL: everything that SQLAlchemy leaves closed until a dialect opens it, but for what
only other databases have. A test that PostgreSQL then fails is not counted: what passes directly is the measure."""
import inspect

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

OF_OTHERS = {"computed_columns_default_persisted", "computed_columns_virtual", "datetime_literals", "dbapi_lastrowid",
             "denormalized_names", "fetch_percent", "foreign_keys_reflect_as_index", "implements_get_lastrowid",
             "json_deserializer_binary", "legacy_unconditional_json_extract", "materialized_views_reflect_pk",
             "nvarchar_types", "reflect_indexes_with_ascdesc_as_expression", "reflect_table_options",
             "supports_lastrowid", "temp_table_comment_reflection", "unique_constraints_reflect_as_index",
             "unique_index_reflect_as_unique_constraints"}
LEVELS = {"default": "READ COMMITTED",
          "supported": ["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED", "AUTOCOMMIT"]}


class Requirements(SuiteRequirements):
    def get_isolation_levels(self, config):
        return LEVELS

    def get_isolation_level_values(self, config):
        return LEVELS["supported"]


for _name, _member in inspect.getmembers(SuiteRequirements, lambda member: isinstance(member, property)):
    if _name not in OF_OTHERS and "exclusions.closed()" in inspect.getsource(_member.fget):
        setattr(Requirements, _name, property(lambda self: exclusions.open()))
