"""The program of a render worker: requests in on stdin, what came of them out on stdout, until stdin ends.

It is run by its path and not as a part of `controller.engine`, whose door brings everything that a controller has.
A frame is a length of four bytes and a pickle; both ends are this program.
"""

from __future__ import annotations

import pickle
import struct
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from controller.model import Tree

LENGTH: Final = struct.Struct(">I")


def read_frame(stream: BinaryIO) -> Any:
    """Read one value; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))  # noqa: S301  both ends are ours


def frame_of(value: Any) -> bytes:
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def main() -> None:
    from controller.model import ConvergeError  # noqa: PLC0415  the parent imports this module for its frames
    from controller.render import NOWHERE, Needed, render  # noqa: PLC0415

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whoever prints does not spoil a frame
    held: dict[str, tuple[bytes, Tree]] = {}
    surroundings = NOWHERE  # those that were sent last: they come where they are others
    while (asked := read_frame(requests)) is not None:
        request, others = asked
        surroundings = surroundings if others is None else others
        trees = {name: _held(held, getattr(request, name)) for name in ("application", "platform")}
        try:
            answer: Any = render(replace(request, surroundings=surroundings, **trees))
        except (ConvergeError, Needed) as error:
            answer = error
        except Exception:  # noqa: BLE001  a bug is the parent's to show, in this placement's run
            answer = traceback.format_exc()
        answers.write(frame_of(answer))
        answers.flush()


def _held(held: dict[str, tuple[bytes, Tree]], tree: Tree) -> Tree:
    """Give the tree that was read before, with all that it knows and its open reader, where it is the same one."""
    mark = pickle.dumps(tree)
    if held.get(tree.repository, (b"", tree))[0] != mark:
        held[tree.repository] = (mark, tree)
    return held[tree.repository][1]


if __name__ == "__main__":
    main()
