"""What is stored of what was sent: defaults, what is dropped, and who owns which field of it.

Each case is a file of three documents: what is sent, what a create answers, and what an apply answers. The answers were
recorded from a real control plane: `CONVERGE_RECORD=1 pytest tests/sandbox/contract/test_stored_objects.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.sandbox.contract.objects import Object, masked

CASES = sorted((Path(__file__).parent / "cases" / "stored").glob("*.yaml"))


def read(case: Path) -> list[Object]:
    return list(yaml.safe_load_all(case.read_text()))


def write(case: Path, documents: list[Object]) -> None:
    case.write_text(yaml.safe_dump_all(documents, sort_keys=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
async def test_an_object_is_stored_as_a_real_server_stores_it(api: Api, access: KubeAccess, case: Path) -> None:
    original, *expected = read(case)
    sent = {**original, "metadata": {**original["metadata"]}}
    if sent["kind"] in {"ClusterRole", "ClusterRoleBinding"}:
        sent["metadata"]["name"] += access.namespace
    applied = await api.request(
        "PATCH", await api.path_of(sent), query={"fieldManager": "applier", "dryRun": "All"}, body=sent,
        headers={"Content-Type": "application/apply-patch+yaml"},
    )  # fmt: skip
    created = await api.create(sent, fieldManager="creator", dryRun="All")
    answers: list[Object] = [masked(one, namespace=access.namespace) for one in (created, applied)]
    if os.environ.get("CONVERGE_RECORD") == "1" and access.ca:
        write(case, [original, *answers])
        return
    assert answers == expected
