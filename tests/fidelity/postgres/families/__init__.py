# SPDX-License-Identifier: Apache-2.0
"""The families: what sessions do that a pooler may get wrong. Importing this package registers them all."""
from postgres.families import flow, hidden, locks, objects, prepared, settings  # noqa: F401
