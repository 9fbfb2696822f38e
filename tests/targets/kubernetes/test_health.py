"""Health per kind: a table each, and what a real control plane makes of a few of them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.model import Health
from controller.targets.kubernetes.health import RULES, health
from controller.targets.kubernetes.health.rules import read_rules
from tests.cluster.access import KubeAccess
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.observing import observing

FOLDER = Path(__file__).with_name("cases") / "health"
TABLES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
CASES = [
    pytest.param({**case["object"], **table["kind"]}, case, id=f"{name}: {case['name']}")
    for name, table in TABLES.items()
    for case in table["cases"]
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["metadata", "spec", "status", "conditions", "type", "reason", "phase", "replicas", "deletionTimestamp",
             "containerStatuses", "state", "waiting", "finalizers", "loadBalancer"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize(("live", "case"), CASES)
def test_health(live: dict[str, Any], case: dict[str, Any]) -> None:
    assert health(live) == (Health(case["health"]), case.get("reason", ""))


def test_every_operator_that_rules_ship_for_has_cases() -> None:
    told = {f"{table['kind']['kind']}.{table['kind']['apiVersion'].rpartition('/')[0]}" for table in TABLES.values()}
    folder = files("controller.targets.kubernetes.health") / "data"
    untold = [one.name for one in folder.iterdir() if not told & set(read_rules(one.read_bytes(), path=one.name))]
    assert untold == []


def test_every_rule_has_its_cases() -> None:
    told = {(table["kind"]["apiVersion"].rpartition("/")[0], table["kind"]["kind"]) for table in TABLES.values()}
    assert set(RULES) - told == {("", "ReplicationController")}  # judged by ReplicaSet's rule


@given(st.sampled_from(sorted(RULES)), JSON, JSON, JSON)
def test_no_object_is_too_strange_to_be_judged(rule: tuple[str, str], metadata: Any, spec: Any, status: Any) -> None:
    group, kind = rule
    live = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind}
    state, reason = health({**live, "metadata": metadata, "spec": spec, "status": status})
    assert isinstance(state, Health)
    assert (reason == "") is (state is Health.HEALTHY)
    assert "\n" not in reason


@pytest.mark.cluster
async def test_a_deployment_becomes_healthy_by_its_events(cluster: KubeAccess) -> None:
    pod = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "w", "image": "example.com/w:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "w"}}, "template": pod}
    async with observing(cluster) as observer:
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}
        applied = await observer.apply(body)
        assert applied.health is Health.PROGRESSING
        await eventually(lambda: (one := observer.member("w")) and one.health is Health.HEALTHY)
        assert observer.woken
        member = observer.member("w")
        assert member is not None
        assert not member.is_suspect
