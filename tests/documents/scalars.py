"""Scalars that YAML readers disagree about, made anew with each seed."""

from __future__ import annotations

import random

AWKWARD = """
y Y yes Yes yEs on ON oN n no NO off Off true True tRue null Null ~ <<
false FALSE NULL .5 -.5 .nan1 inf nan = 1e3 1234e56
53e5753 1_000 -1_000 1e 0 -0 +0 00 0_ _0 1. . +.5 1.e3 9223372036854775807 9223372036854775808 18446744073709551615
18446744073709551616 -9223372036854775808 -9223372036854775809 +18446744073709551615 1e21 1e20 1.5e19 1e-7 0.000001
1.7976931348623157e308 1e309 4.9e-324 0x8000000000000000 0xFFFFFFFFFFFFFFFFF 0777 -0777 08 0o8
190:20:30 1:00 .7_3 0b-11 0o-7
""".split()  # noqa: SIM905
PREFIXES = ["0x", "0o", "0b", "-0x", "+0", "-0b", "0b-", "0o-", "-0o", "", "+", "-", ".", "0X", "0B", "0O"]
TIMES = ["", "T10:11:12Z", " 1:2:3", "t1:2:3.450+08:00", "T10:11:12", "T24:00:00Z", " 10:11:12.5", "T1:2:3,5Z"]


def awkward_scalars(seed: int, count: int) -> list[str]:
    source = random.Random(seed)
    made = {_scalar(source) for _ in range(count)} | set(AWKWARD)
    return sorted(one for one in made if _stays_a_scalar(one))


def _stays_a_scalar(text: str) -> bool:
    return bool(text) and text not in {"-", "?", "..."} and not text.endswith(":") and ": " not in text


def _scalar(source: random.Random) -> str:
    def some(alphabet: str, most: int) -> str:
        return "".join(source.choice(alphabet) for _ in range(source.randint(1, most)))

    match source.randrange(5):
        case 0:
            return some("0123456789_.eE+-xXob:", 9)
        case 1:
            return source.choice(PREFIXES) + some("01234567_89afe.+-", 8)
        case 2:
            day = f"{source.randint(999, 10000)}-{source.randint(0, 13)}-{source.randint(0, 32)}"
            return day + source.choice(TIMES)
        case 3:
            middle = source.choice([".", "e", "", "e+", "e-", "_", ".e"])
            return source.choice(["", "-", "+"]) + some("0123456789", 22) + middle + some("0123456789", 4)
        case _:
            return some("01._eE-+", 7)
