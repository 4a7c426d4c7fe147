# SPDX-License-Identifier: Apache-2.0
"""One run: program after program, each difference shrunk and told."""
import time

from core.play import Unfit, compare_runs
from core.report import Report
from core.shrink import Shrinker


class Trial:
    """`direct` and `through`: where programs are played. `shrink`: seconds spent on making a difference small."""

    def __init__(self, dialect, direct, through, two=False, only=None, shrink=30, plain=False):
        self.dialect, self.direct, self.through = dialect, direct, through
        self.two, self.only, self.seconds, self.plain = two, only, shrink, plain
        self.report = Report(dialect)

    def run(self, first, count=None, seconds=None):
        """Programs of the seeds from `first` on: so many, or for so long. Returns the Report."""
        until = time.monotonic() + (seconds or 0)
        seed = first
        while seed < first + count if count else time.monotonic() < until:
            self.one(seed)
            seed += 1
        return self.report

    def one(self, seed):
        """The first difference of a seed's program, or None."""
        program = self.dialect.generate(seed, self.two, self.only, self.plain)
        try:
            trace, found = compare_runs(program, self.direct, self.through)
        except Unfit as why:
            self.report.unfit += 1
            print(why, flush=True)
            return None
        self.report.played(trace)
        if found is None:
            return None
        smallest = program.with_steps(played.step for played in trace[:found.at + 1])
        if self.seconds:
            smallest, found = self._shrunk(smallest, found)
        self.report.differs(program.name + (" two" if self.two else ""), smallest, found)
        return found

    def _shrunk(self, program, found):
        shrinker = Shrinker(self.direct, self.through, self.dialect, found.kind(), self.seconds)
        smallest = shrinker.shrink(program)
        try:
            again = compare_runs(smallest, self.direct, self.through)[1]
        except Unfit:
            again = None
        if again is None:
            print(f"{program.name}: the difference did not come back when the program was played again", flush=True)
        return smallest, again or found
