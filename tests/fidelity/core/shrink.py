# SPDX-License-Identifier: Apache-2.0
"""Makes a program that fails as small as it gets while it still fails in the same way: without whole sessions, without
runs of steps, without single steps, without start parameters, without single messages."""
import dataclasses
import time

from core.play import Unfit, compare_runs


class Shrinker:
    def __init__(self, direct, other, dialect, kind, seconds):
        self.direct, self.other, self.dialect, self.kind = direct, other, dialect, kind
        self.until = time.monotonic() + seconds
        self.trials = 0

    def fails(self, program):
        """The program cut behind its first difference if that is of the same kind, else None."""
        if not program.steps or time.monotonic() > self.until:
            return None
        self.trials += 1
        try:
            trace, found = compare_runs(program, self.direct, self.other)
        except Unfit:
            return None
        if found is None or found.kind() != self.kind:
            return None
        return program.with_steps(played.step for played in trace[:found.at + 1])

    def shrink(self, program):
        for smaller in (self.without_sessions, self.without_runs, self.without_starts, self.without_messages,
                        self.without_runs):
            program = smaller(program)
        return program

    def without_sessions(self, program):
        for number in program.sessions():
            left = [step for step in program.steps if step.session != number]
            program = self.fails(program.with_steps(left)) or program
        return program

    def without_runs(self, program):
        size = max(1, len(program.steps) // 2)
        while size:
            end = len(program.steps)
            while end > 0:
                left = program.steps[:max(0, end - size)] + program.steps[end:]
                smaller = self.fails(program.with_steps(left))
                if smaller:
                    end = min(end - size, len(smaller.steps))
                    program = smaller
                else:
                    end -= size
            size //= 2
        return program

    def without_starts(self, program):
        for number, start in enumerate(program.starts):
            for name in list(dict(start)):
                now = dict(program.starts[number])
                now.pop(name)
                starts = list(program.starts)
                starts[number] = tuple(now.items())
                program = self.fails(dataclasses.replace(program, starts=tuple(starts))) or program
        return program

    def without_messages(self, program):
        at = 0
        while at < len(program.steps):
            for messages in self.dialect.smaller(program.steps[at].messages):
                steps = list(program.steps)
                steps[at] = dataclasses.replace(steps[at], messages=tuple(messages))
                smaller = self.fails(program.with_steps(steps))
                if smaller and len(smaller.steps) == len(program.steps):
                    program = smaller
                    break
            else:
                at += 1
        return program
