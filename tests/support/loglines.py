# SPDX-License-Identifier: Apache-2.0
"""Reading the log of a daemon that writes JSON: its lines by event."""
import json

from processes import wait_until


def lines(daemon, event):
    """The fields of each line of one event, in order; the log is JSON."""
    return [item for item in all_lines(daemon) if item["event"] == event]


def all_lines(daemon):
    # What is said of the file before there is a log begins with the file's name.
    return [json.loads(item) for item in daemon.log_text().splitlines(keepends=True) if item[0] != "/" and item[-1] == "\n"]


def last(daemon, event, number):
    """Waits for so many lines of an event; the last ones."""
    wait_until(lambda: len(lines(daemon, event)) >= number, 10, f"{number} lines of {event}")
    return lines(daemon, event)[-number:]


def line(daemon, event, **wanted):
    """Waits for the one line of this event whose fields are these."""
    def search():
        found = [item for item in lines(daemon, event) if all(item.get(key) == value for key, value in wanted.items())]
        assert len(found) < 2, found
        return found
    return wait_until(search, 10, f"{event} {wanted} in the log")[0]
