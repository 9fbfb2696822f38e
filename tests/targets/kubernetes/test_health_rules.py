"""Health rules of a user's own, and the objects that they are held against."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.config import Validator, read_platform, schemas
from controller.model import Health, MemoryTree
from controller.targets.kubernetes import check_fixtures
from controller.targets.kubernetes.health import health

RULE = b"""
kinds: [Widget.example.com]
judge:
- {health: Degraded, field: status.phase, in: [Broken], say: status.why}
- {health: Healthy, field: status.phase, in: [Done]}
- {health: Progressing, why: it is being made}
---
kinds: [Deployment.apps]
judge:
- {health: Suspended, annotation: example.com/paused, in: ["yes"]}
"""
SHIPPED = sorted(
    one.name for one in (files("controller.targets.kubernetes.health") / "data").iterdir() if one.name.endswith(".yaml")
)


def tree(**fixtures: bytes) -> MemoryTree:
    platform = {"apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "acme"},
                "spec": {"installation": "3c9e0f0a-6d0e"}}  # fmt: skip
    return MemoryTree({
        "converge.yaml": yaml.safe_dump(platform).encode(),
        "health/widgets.yaml": RULE,
        **{f"health/widgets/{name}.yaml": body for name, body in fixtures.items()},
    })  # fmt: skip


def widget(**status: Any) -> bytes:
    return yaml.safe_dump({"apiVersion": "example.com/v1", "kind": "Widget", "status": status}).encode()


def problems(**fixtures: bytes) -> list[str]:
    found = tree(**{name.replace("_", "-"): body for name, body in fixtures.items()})
    return [str(one) for one in check_fixtures(found, read_platform(found).health)]


def test_objects_that_are_what_their_name_says_are_no_problem() -> None:
    assert problems(healthy=widget(phase="Done"), degraded_no_room=widget(phase="Broken"), progressing=widget()) == []


def test_an_object_that_is_judged_otherwise_is_told_with_the_reason() -> None:
    (found,) = problems(healthy_at_last=widget(phase="Broken", why="no room"))
    assert found.startswith("health/widgets/healthy-at-last.yaml:1: is judged Degraded (no room).")


def test_a_name_that_is_nearly_a_health_is_told_which() -> None:
    (found,) = problems(helthy=widget(phase="Done"))
    assert "Begin it with healthy." in found


def test_an_object_that_no_rule_speaks_of_is_told_what_is_near() -> None:
    (found,) = problems(healthy=widget(phase="Done").replace(b"Widget", b"Wigdet"))
    assert 'no rule speaks of "Wigdet.example.com". Did you mean Widget.example.com?' in found


def test_a_rule_goes_before_what_is_known_of_a_kind_and_where_it_is_silent_that_judges() -> None:
    rules = read_platform(tree()).health
    live: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 1}, "spec": {}}
    assert health(live, rules) == health(live)
    paused = {**live, "metadata": {"annotations": {"example.com/paused": "yes"}}}
    assert health(paused, rules)[0] is Health.SUSPENDED


@pytest.mark.parametrize("name", SHIPPED)
def test_our_own_rules_have_the_form_that_users_write(name: str) -> None:
    folder = Path(str(files("controller.targets.kubernetes.health") / "data"))
    for document in yaml.safe_load_all((folder / name).read_bytes()):
        assert Validator(schemas()["HealthRule"]).flaws(document) == ()
