"""Names on the target: short enough, unique, and as the ApplySet convention says."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import ApplicationName, EnvironmentName, InstallationId, ObjectKey, PlacementRef, TargetName
from controller.targets.kubernetes.labels import (
    SYSTEM_NAMESPACE,
    Owner,
    applyset_id,
    installation_selector,
    member_labels,
    parent_key,
    read_owner,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api

NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.:]{0,30}[a-z0-9])?", fullmatch=True)
KIND = st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True)
PLACEMENTS = st.builds(PlacementRef, NAME.map(EnvironmentName), NAME.map(ApplicationName), NAME.map(TargetName))
KEYS = st.builds(ObjectKey, st.one_of(st.just(""), NAME), KIND, st.one_of(st.just(""), NAME), NAME)
VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@given(NAME, PLACEMENTS, KEYS)
def test_an_owner_reads_back_as_it_was_written(installation: str, placement: PlacementRef, key: ObjectKey) -> None:
    owner = Owner(InstallationId(installation), placement, key)
    assert read_owner(owner.annotation()) == owner


@pytest.mark.parametrize(
    "text", ["", "a", "a b c", "a dev/shop@hz Kind", "a devshop@hz Kind ns/n", "a b/c@d K n", "a b c d e"]
)
def test_what_is_no_owner_reads_as_none(text: str) -> None:
    assert read_owner(text) is None


@given(st.text(min_size=1), PLACEMENTS)
def test_labels_and_names_keep_to_what_kubernetes_takes(installation: str, placement: PlacementRef) -> None:
    who = InstallationId(installation)
    for value in member_labels(who, placement).values():
        assert VALUE.fullmatch(value)
    assert VALUE.fullmatch(installation_selector(who).partition("=")[2])
    key = parent_key(who, placement)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", key.name)
    assert len(key.name) <= 253
    assert key.namespace == SYSTEM_NAMESPACE


@given(PLACEMENTS, PLACEMENTS)
def test_each_placement_of_each_installation_has_its_own_parent(one: PlacementRef, other: PlacementRef) -> None:
    here, there = InstallationId("here"), InstallationId("there")
    assert (parent_key(here, one) == parent_key(here, other)) is (one == other)
    assert parent_key(here, one) != parent_key(there, one)


@pytest.mark.cluster
async def test_kubectl_derives_the_same_applyset_id(cluster: KubeAccess, api: Api, tmp_path: Path) -> None:
    """`kubectl apply --prune --applyset` writes a parent of its own, by the same convention."""
    environment = {
        **os.environ, "KUBECTL_APPLYSET": "true", "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        "kubectl", "-n", cluster.namespace, "apply", "--prune", "--applyset=parent", "-f", "-",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )  # fmt: skip
    async with asyncio.timeout(60):
        said, _ = await process.communicate(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: member}\n")
    assert process.returncode == 0, said
    written = await api.get("v1", "Secret", "parent")
    key = ObjectKey("", "Secret", cluster.namespace, "parent")
    assert written["metadata"]["labels"]["applyset.kubernetes.io/id"] == applyset_id(key)
