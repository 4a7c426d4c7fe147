# SPDX-License-Identifier: Apache-2.0
"""What the core asks of a dialect: programs of seeds, their messages as text, and messages made smaller."""
from postgres import families  # noqa: F401: fills the list
from postgres.messages import smaller, text  # noqa: F401
from postgres.weave import FAMILIES, generate  # noqa: F401


def names():
    return sorted(FAMILIES)
