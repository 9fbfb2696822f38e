"""`--fuzz-seconds` and `--fuzz-seed`: how long to make bad input, and from which seed.

Every run begins elsewhere, so that the suite goes on searching; the header prints the seed, and so does what fails.
`CONVERGE_SEED` with a number begins there.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fixtures.seeds import VARIABLE

SECONDS = 30.0
GRACE_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one fuzz test works, in seconds, and the seed of its first input."""

    seconds: float
    seed: int


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-seconds", type=float, default=SECONDS, help="Seconds of bad input, in all.")
    group.addoption("--fuzz-seed", type=int, default=None, help="The seed to begin with.")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed. Where a run names no path these options are not parsed: the defaults hold then."""
    told = getattr(config, "workerinput", {}).get("fuzz_seed")
    asked = config.getoption("fuzz_seed", default=None)
    config.option.fuzz_seed = next((one for one in (asked, told) if one is not None), _default())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["fuzz_seed"] = node.config.option.fuzz_seed


def pytest_report_header(config: pytest.Config) -> str:
    return f"fuzz: --fuzz-seed {config.option.fuzz_seed}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for one in _fuzzers(items):
        one.add_marker(pytest.mark.slow)
        one.add_marker(pytest.mark.timeout(_seconds(config) + GRACE_SECONDS))


@pytest.fixture
def budget(request: pytest.FixtureRequest) -> Budget:
    """Give this test its share of the time."""
    return Budget(_seconds(request.config) / len(_fuzzers(request.session.items)), request.config.option.fuzz_seed)


def _seconds(config: pytest.Config) -> float:
    return float(config.getoption("fuzz_seconds", default=SECONDS))


def _fuzzers(items: list[pytest.Item]) -> list[pytest.Item]:
    return [one for one in items if "budget" in getattr(one, "fixturenames", ())]


def _default() -> int:
    told = os.environ.get(VARIABLE, "")
    return int(told) if told.isdigit() else secrets.randbelow(1 << 32)
