# SPDX-License-Identifier: Apache-2.0
"""Two lists of what came back, compared item by item. What is not to be compared never gets into the lists."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Difference:
    """`at`: index in the trace. `aspect`: what kind of thing differs first (rows, error, parameters ...)."""
    at: int
    family: str
    aspect: str
    expected: object
    got: object

    def kind(self):
        """What stays the same while a program is made smaller: the aspect, and the names of errors."""
        return (self.aspect, _name(self.expected), _name(self.got))


def _name(item):
    """An error by its SQLSTATE or number, anything else by its aspect."""
    if item is None:
        return None
    aspect, value = item
    return (aspect, value.get("C") or value.get("code")) if aspect == "error" else aspect


def difference(expected, got):
    """(aspect, the expected item, the item that came) of the first difference; None if there is none."""
    for at in range(max(len(expected), len(got))):
        mine = expected[at] if at < len(expected) else None
        theirs = got[at] if at < len(got) else None
        if mine != theirs:
            return (mine or theirs)[0], mine, theirs
    return None
