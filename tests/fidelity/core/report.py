# SPDX-License-Identifier: Apache-2.0
"""What a run tells: how often each family was tried, and of each difference the smallest program that shows it."""
import collections


def _clip(value, most=600):
    text = str(value)
    return text if len(text) <= most else text[:most] + f"... ({len(text)} characters)"


def _apart(expected, got):
    """What is equal in two tables of the same aspect says nothing."""
    if not expected or not got or expected[0] != got[0] or not isinstance(expected[1], dict):
        return expected, got
    names = [n for n in {**expected[1], **got[1]} if expected[1].get(n) != got[1].get(n)]
    names = names if expected[0] != "error" else list({**expected[1], **got[1]})
    return tuple((item[0], {n: item[1][n] for n in names if n in item[1]}) for item in (expected, got))


def reproduction(program, difference, dialect):
    """A program as text: a line for each session's start that is not plain, and one for each step."""
    lines = []
    for number in program.sessions():
        if program.starts[number]:
            start = " ".join(f"{name}={value!r}" for name, value in program.starts[number])
            lines.append(f"  s{number} starts with {start}")
    for step in program.steps:
        lines.append(f"  s{step.session} {dialect.text(step.messages)}")
    expected, got = _apart(difference.expected, difference.got)
    lines.append(f"    directly {_clip(expected)}")
    lines.append(f"    through  {_clip(got)}")
    return "\n".join(lines)


class Report:
    """Collects what happened, and prints it."""

    def __init__(self, dialect):
        self.dialect = dialect
        self.programs = self.steps = self.unfit = 0
        self.families = collections.Counter()
        self.differences = collections.Counter()   # by the families that the smallest program is made of
        self.told = {}
        self.texts = []  # of what was told
        self.shortest = None

    def played(self, trace):
        self.programs += 1
        self.steps += len(trace)
        self.shortest = min(self.shortest or len(trace), len(trace))
        self.families.update({played.step.family for played in trace})

    def differs(self, label, smallest, difference):
        """Prints the difference unless its like was told before."""
        families = "+".join(smallest.families())
        self.differences[families] += 1
        like = (families, difference.kind())
        self.told[like] = self.told.get(like, 0) + 1
        if self.told[like] <= 2:
            self.texts.append(f"{label}: {difference.aspect} differ in {families}\n"
                              + reproduction(smallest, difference, self.dialect))
            print("\n" + self.texts[-1], flush=True)

    def summary(self):
        lines = [f"{self.programs} programs, {self.steps} steps (at least {self.shortest} each), {self.unfit} unfit",
                 "families, by programs: " + ", ".join(f"{n} {c}" for n, c in sorted(self.families.items()))]
        found = ", ".join(f"{n} {c}" for n, c in self.differences.most_common())
        lines.append(f"differences: {sum(self.differences.values())}" + (f" ({found})" if found else ""))
        return "\n".join(lines)
