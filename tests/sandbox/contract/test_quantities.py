"""Quantities are stored in a form of the server's own: a client that compares must know it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.api import Api
from tests.sandbox.contract.objects import deployment

FILE = Path(__file__).parent / "cases" / "quantities.yaml"
CASES: dict[str, Any] = yaml.safe_load(FILE.read_text())


def record(sent: str, stored: str) -> None:
    head = FILE.read_text().splitlines()[0]
    known = {**yaml.safe_load(FILE.read_text()), sent: stored}
    FILE.write_text(f"{head}\n{yaml.safe_dump(known, sort_keys=False)}")


@pytest.mark.parametrize("sent", CASES)
async def test_a_quantity_is_stored_in_its_canonical_form(api: Api, sent: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"memory": sent}}
    live = await api.apply(body, dry_run=True)
    stored = live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"]
    if os.environ.get("CONVERGE_RECORD") == "1" and api.access.ca:
        record(sent, stored)
        return
    assert stored == CASES[sent]
