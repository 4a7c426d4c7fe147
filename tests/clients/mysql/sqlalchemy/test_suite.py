# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy's tests of a dialect."""
from sqlalchemy.testing.suite import *  # noqa: F401,F403
