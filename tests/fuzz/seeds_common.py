# SPDX-License-Identifier: Apache-2.0
"""What both halves of seeds.py stand on: where seeds go, how the inputs of exchanges and trackers are laid out."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
BYTE_BY_BYTE, CLOSED = 0, 0
CLIENT, SERVER, RAW_CLIENT, RAW_SERVER, END, LOSE, POLICY, LONG = range(8)
GRANT, REFUSE, WAIT = range(3)


def seed(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def turns(*parts, choices=b""):
    """The input of an exchange: choices, how it is cut and ends, and the peer's turns."""
    return choices + bytes([BYTE_BY_BYTE, CLOSED]) + b"".join(struct.pack("<H", len(p)) + p for p in parts)


# Steps of a tracker's program.
def lose(kind=0, unwritten=False):
    return bytes([LOSE | kind << 3 | unwritten << 5])


def policy(how, backend=0):
    return bytes([POLICY | how << 3 | backend << 5])
