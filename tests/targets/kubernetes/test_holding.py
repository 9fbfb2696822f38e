"""Leaving a field as it is."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model import Element, FieldPath
from controller.targets.kubernetes.holding import hold

PORT = Element((("containerPort", 80), ("protocol", "TCP")))
OURS = {
    "manager": "converge",
    "operation": "Apply",
    "fieldsV1": {"f:data": {"f:mine": {}}},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("data", "taken"), {"data": {"mine": "1"}, "ports": [{"containerPort": 80, "name": "a"}], "set": ["x", "y"]}),
        (
            ("data", "mine"),
            {
                "data": {"mine": "live", "taken": "1"},
                "ports": [{"containerPort": 80, "name": "a"}],
                "set": ["x", "y"],
            },
        ),
        (
            ("ports", PORT, "name"),
            {"data": {"mine": "1", "taken": "1"}, "ports": [{"containerPort": 80}], "set": ["x", "y"]},
        ),
        (("ports", PORT), {"data": {"mine": "1", "taken": "1"}, "ports": [], "set": ["x", "y"]}),
        (
            ("set", Element((("", "x"),))),
            {
                "data": {"mine": "1", "taken": "1"},
                "ports": [{"containerPort": 80, "name": "a"}],
                "set": ["y"],
            },
        ),
        (
            ("data", "absent", "deeper"),
            {
                "data": {"mine": "1", "taken": "1"},
                "ports": [{"containerPort": 80, "name": "a"}],
                "set": ["x", "y"],
            },
        ),
    ],
)
def test_a_taken_field_is_left_out_and_one_that_is_still_ours_keeps_its_live_value(
    path: FieldPath, expected: dict[str, Any]
) -> None:
    body = {
        "data": {"mine": "1", "taken": "1"},
        "ports": [{"containerPort": 80, "name": "a"}],
        "set": ["x", "y"],
    }
    live = {"data": {"mine": "live", "taken": "theirs"}}
    hold(body, [path], live, [OURS])
    assert body == expected
