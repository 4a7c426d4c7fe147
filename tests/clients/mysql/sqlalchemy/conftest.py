# SPDX-License-Identifier: Apache-2.0
"""Makes SQLAlchemy's own test suite for dialects run here, as a dialect of a third party would."""
import pytest
import sqlalchemy

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402,F401,F403


def pytest_report_header():
    return f"SQLAlchemy {sqlalchemy.__version__}"
