"""What was read before is the same as what is read anew, and nobody's but the reader's."""

from __future__ import annotations

import pytest

from controller.documents import Dialect, Document, Memory, read, spelling_of
from controller.model import Invalid

from .scalars import awkward_scalars

STYLES = """\
plain: {0}
quoted: '{0}'
blank:
tilde: ~
flow: {{a: }}
list: [1.10, 0x1F, 2024-01-15]
folded: >
  a
  b
"""


def told(value: object) -> object:
    """Give a value with the types and spellings of everything in it."""
    if isinstance(value, Document):
        return (told(value.value), value.line, value.index)
    if isinstance(value, dict):
        return {(type(key), key): told(one) for key, one in value.items()}
    if isinstance(value, list):
        return [told(one) for one in value]
    return (type(value), spelling_of(value), value)


@pytest.mark.parametrize("styled", [True, False])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_remembered_file_is_the_file(dialect: Dialect, styled: bool, seed: int) -> None:  # noqa: FBT001  it is data
    for scalar in awkward_scalars(seed, 200):
        data = STYLES.format(scalar.replace("'", "")).encode()
        memory = Memory()
        try:
            wanted = read(data, path="a.yaml", dialect=dialect, styled=styled)
        except Invalid:
            continue
        for _ in range(2):
            found = memory.read(data, path="a.yaml", dialect=dialect, styled=styled)
            assert [told(one) for one in found] == [told(one) for one in wanted]


def test_a_change_of_what_was_read_is_nobody_elses() -> None:
    memory = Memory()
    for _ in range(3):
        value = memory.read(b"a: [1]", path="a.yaml", dialect=Dialect.KUBERNETES)[0].value
        assert value == {"a": [1]}
        value["a"].append(2)


def test_dialects_and_styles_are_remembered_apart() -> None:
    memory = Memory()
    read_as = [memory.read(b"on: on", path="a", dialect=one, styled=True)[0].value for one in (*Dialect, *Dialect)]
    assert read_as == [{"true": True}, {"on": "on"}] * 2


def test_no_more_is_kept_than_was_asked_for() -> None:
    memory = Memory(4000)
    for number in range(200):
        memory.read(b"a: %d" % number, path="a.yaml", dialect=Dialect.KUBERNETES)
    assert sum(map(len, memory._kept.values())) == memory._size <= 4000


def test_a_file_that_is_wrong_is_refused_with_its_own_name_each_time() -> None:
    memory = Memory()
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(Invalid, match=name):
            memory.read(b"{", path=name, dialect=Dialect.KUBERNETES)
