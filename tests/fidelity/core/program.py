# SPDX-License-Identifier: Apache-2.0
"""What a program is: steps of several sessions in one order, each sent whole and answered whole before the next."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """Messages of one session, in the dialect's own terms: tuples whose first item names the kind.

    `needs`: "idle" (the session itself is in no transaction), "within" (it is in one), "alone" (no other session is in
    one), "quiet" (nor has another one state that keeps a backend), "known:x" (what it has drawn of x, it has drawn while
    it held x); a step whose needs are not met is left out of both runs. `holds` and `frees`: names of state that keeps a
    backend to its session, from this step on and up to this step; "x?": where the session is
    peculiar (by what is set in it, as its own connection says); "*" frees all of it. `draws`: of what it may draw."""
    session: int
    family: str
    messages: tuple
    needs: frozenset = frozenset()
    holds: tuple = ()
    frees: tuple = ()
    draws: tuple = ()


@dataclasses.dataclass(frozen=True)
class Program:
    """`starts`: the parameters with which each session logs in, by its number. `two`: at most one session may be pinned
    and two hold a backend."""
    name: str
    starts: tuple
    steps: tuple
    two: bool = False

    def sessions(self):
        return sorted({step.session for step in self.steps})

    def with_steps(self, steps):
        return dataclasses.replace(self, steps=tuple(steps))

    def families(self):
        return sorted({step.family for step in self.steps})
