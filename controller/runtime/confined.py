"""The program that `Confinement` starts children with: it gives up rights for good, then becomes the child.

It runs alone (`python -I -S confined.py`) and imports nothing of ours: starting it costs some fifteen milliseconds.
Landlock's numbers are those of the kernel's `include/uapi/linux/landlock.h`.
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterator

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
VERSION = 1  # a flag of CREATE_RULESET: tell the version instead
PATH_BENEATH = 1  # the kind of ADD_RULE
ALL_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many rights a version knows; 16 from the fifth on
NETWORK_FROM, SCOPES_FROM = 4, 6  # versions
SCOPES = 0b11  # no signal to, and no abstract socket of, a process outside
FILE_RIGHTS = 0b1100000000000111  # those that a rule of a single file may give: execute, write, read, truncate, ioctl
NO_NEW_PRIVILEGES, DROP_CAPABILITY = 38, 24  # of prctl
LAST_CAPABILITY = 40

libc = ctypes.CDLL(None, use_errno=True)


class Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Give the version of Landlock that the kernel has; less than 1 where it has none."""
    return int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION)))


def visible(hidden: list[str], opened: list[str]) -> Iterator[str]:
    """Give paths that together hold everything but what is hidden, and what is opened below that."""
    yield from (one for one in opened if os.path.lexists(one))
    ancestors = {""}
    for one in hidden:
        parts = one.strip("/").split("/")
        ancestors |= {"/" + "/".join(parts[:count]) if count else "" for count in range(len(parts))}
    for folder in sorted(ancestors):
        try:
            names = os.listdir(folder or "/")  # noqa: PTH208 - pathlib costs as much as all the rest
        except OSError:
            continue
        paths = (f"{folder}/{name}" for name in names)
        yield from (one for one in paths if one not in hidden and one not in ancestors)


def block_devices() -> list[str]:
    """Find the disks: root reads them without any capability, and a disk holds every file."""
    try:
        return [one.path for one in os.scandir("/dev") if stat.S_ISBLK(one.stat(follow_symlinks=False).st_mode)]
    except OSError:
        return []


def confine(hidden: list[str], opened: list[str]) -> None:
    """Raise OSError where the kernel refuses."""
    known = version()
    rights = (1 << ALL_RIGHTS.get(known, 16)) - 1
    size = 8 if known < NETWORK_FROM else 16 if known < SCOPES_FROM else 24
    ruleset = _checked(CREATE_RULESET, ctypes.byref(Ruleset(rights, 0, SCOPES)), ctypes.c_size_t(size), 0)
    for path in visible(hidden, opened):
        _allow(ruleset, path, rights)
    if os.geteuid() == 0:
        for capability in range(LAST_CAPABILITY + 1):
            libc.prctl(DROP_CAPABILITY, capability, 0, 0, 0)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _checked(RESTRICT_SELF, ctypes.c_int(ruleset), 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it went away since, or nobody may go there
        return
    try:
        kind = os.fstat(place).st_mode
        if stat.S_ISLNK(kind):  # where it leads is judged where it leads
            return
        allowed = rights if stat.S_ISDIR(kind) else rights & FILE_RIGHTS
        _checked(ADD_RULE, ctypes.c_int(ruleset), PATH_BENEATH, ctypes.byref(Beneath(allowed, place)), 0)
    finally:
        os.close(place)


def _checked(number: int, *arguments: object) -> int:
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock, call {number}")
    return result


def main(arguments: list[str]) -> None:
    """`HIDDEN... : OPENED... -- PROGRAM...`, all paths absolute and without links."""
    middle, end = arguments.index(":"), arguments.index("--")
    program = arguments[end + 1 :]
    try:
        confine(arguments[:middle] + block_devices(), arguments[middle + 1 : end])
    except OSError as error:
        sys.exit(f"the run can't be confined: {error}")
    try:
        os.execvp(program[0], program)  # noqa: S606 - there is no shell
    except OSError as error:
        sys.exit(f"{program[0]} can't be started: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
