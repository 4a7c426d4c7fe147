# SPDX-License-Identifier: Apache-2.0
"""What the core asks of a dialect: programs of seeds, their messages as text, and messages made smaller."""
from mysql import families  # noqa: F401: fills the list
from mysql.messages import smaller, text  # noqa: F401
from mysql.weave import FAMILIES
from mysql.weave import generate as _generate


class Dialect:
    """Of one server: families may have statements that only one of the two knows."""
    smaller, text = staticmethod(smaller), staticmethod(text)

    def __init__(self, flavour):
        self.flavour = flavour

    @staticmethod
    def names():
        return sorted(FAMILIES)

    def generate(self, seed, two=False, only=None, plain=False):
        return _generate(self.flavour, seed, two, only, plain)

    def clean(self, two):
        """The families without known differences."""
        return [name for name in self.names() if name not in (OPEN_WITH_TWO if two else OPEN)]


# What differs through leasehold today, by name: see README.md.
OPEN = {"found", "multi", "warnings", "functions", "logins", "one_shot", "variables_within", "late_reports"}
OPEN_WITH_TWO = OPEN | {"sql_prepared"}  # pinned too long
