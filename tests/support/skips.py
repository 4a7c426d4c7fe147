# SPDX-License-Identifier: Apache-2.0
"""What cannot be tested here is said loudly: in the test's own line, and in a line before the summary of tests/run."""
import os

import pytest


def skip_loudly(what, why, required=None):
    """Skips the running test or fixture, or fails it if the environment variable named by `required` is set."""
    line = f"{what}: {why}"
    told = os.environ.get("LEASEHOLD_NOT_TESTED")
    if told:
        with open(told, "a") as file:
            file.write(line.replace("\n", " ") + "\n")
    if required and os.environ.get(required):
        pytest.fail(f"required by {required}, but cannot be had: {line}", pytrace=False)
    pytest.skip(f"SKIPPED, loudly: {line}")
