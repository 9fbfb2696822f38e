from __future__ import annotations

import random

from controller.documents import Dialect, canonical, decode, locate, read, read_with_positions, write
from controller.model import ConvergeError, Invalid

from .conftest import Budget
from .running import fuzz
from .spoiling import soup, spoilt

BREAKS = [
    b"\n",
    b"\r",
    "\x85".encode(),
    "\u2028".encode(),
    "\u2029".encode(),
]  # what YAML 1.1 takes for the end of a line
GOOD = """\
apiVersion: v1
kind: List
items:
- &a {kind: ConfigMap, metadata: {name: "a", labels: {x: 'y'}}, data: {text: "a\\tb", on: "1.0"}}
- <<: *a
  data:
    script: |
      #!/bin/sh
      exit 0
    folded: >-
      one
      two
---
kind: Secret
"""


def made(source: random.Random) -> bytes:
    if source.random() < 0.5:
        return soup(source)
    text = GOOD
    for _ in range(source.randint(0, 3)):
        text = spoilt(text, source)
    return text.encode(errors="surrogatepass")


def test_any_bytes_are_read_or_refused(budget: Budget) -> None:
    def attempt(source: random.Random) -> bool:
        data, dialect = made(source), source.choice(list(Dialect))
        strict, styled = source.random() < 0.5, source.random() < 0.5
        read(data, path="a.yaml", dialect=dialect, strict=strict, styled=styled, replace=lambda *_: "x")
        return True

    fuzz(budget, attempt)


def test_what_is_read_is_written_so_that_it_reads_back_equal(budget: Budget) -> None:
    def attempt(source: random.Random) -> bool:
        for one in read(made(source), path="a.yaml", dialect=Dialect.KUBERNETES):
            again = read(write(one.value), path="b.yaml", dialect=Dialect.KUBERNETES)
            assert [each.value for each in again] == [one.value]
            assert decode(canonical(one.value)) == one.value
        return True

    fuzz(budget, attempt)


def test_positions_are_found_or_refused(budget: Budget) -> None:
    def attempt(source: random.Random) -> bool:
        data = made(source)
        lines = sum(data.count(one) for one in BREAKS) + 1
        positions = read_with_positions(data, path="a.yaml", dialect=Dialect.KUBERNETES)
        for one in positions.documents:
            assert positions.position(one.index, ("items", 0, "data", "text")).line <= lines
            try:
                locate(data, path="a.yaml", index=one.index, field=("kind",), of_key=True)
            except ConvergeError as error:
                raise AssertionError("read once, refused the second time") from error
        return True

    fuzz(budget, attempt)


def test_every_refusal_names_the_file(budget: Budget) -> None:
    def attempt(source: random.Random) -> bool:
        try:
            read(made(source), path="dir/a.yaml", dialect=Dialect.KUSTOMIZE)
        except Invalid as error:
            problems = error.problems
        else:
            return True
        assert problems
        assert all(one.where.path == "dir/a.yaml" and one.what for one in problems)
        return False

    fuzz(budget, attempt)
