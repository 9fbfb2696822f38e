"""What each parameter of a trait comes to, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from .applications import CASES, from_yaml, objects_of, rendered

TABLE = from_yaml((CASES / "trait-parameters.yaml").read_text())


@pytest.mark.parametrize("case", TABLE, ids=lambda one: one["name"])
def test_a_parameter_comes_to_its_fields(case: dict[str, Any]) -> None:
    properties = {"image": "web:1", **case.get("properties", {})}
    component = {"name": "web", "type": case.get("component", "webservice"), "properties": properties}
    found = rendered(component | {"traits": case["traits"]})
    assert found.warnings == ()
    by_kind = {one.body["kind"]: one.body for one in objects_of(found).values()}
    for kind, fields in case["fields"].items():
        if fields is None:
            assert kind not in by_kind
            continue
        got = {path: field_of(by_kind[kind], path) for path in fields}
        assert got == fields


def field_of(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = body.get(step) if isinstance(body, dict) else None
    return body
