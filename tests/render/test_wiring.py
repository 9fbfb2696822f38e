"""Declared inputs, in the objects that take them."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model import CommitId, Input, Invalid, Origin, RepositoryName, Secret, TargetName, Unknown, parse_path
from controller.render import Wire
from controller.render.request import Draft
from controller.render.wiring import connect

WHERE = Origin(RepositoryName("platform"), "environments/prod.yaml", 7, CommitId("b" * 40))


def wire(to: str, field: str, value: Any) -> Wire:
    kind, _, name = to.partition("/")
    return Wire(
        Input(target=TargetName("cloud"), output="x", kind=kind, name=name, path=parse_path(field), origin=WHERE), value
    )


def draft(kind: str, **fields: Any) -> Draft:
    return Draft({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, **fields}, WHERE)


@pytest.mark.parametrize(
    ("kind", "field", "value", "path", "stored"),
    [
        ("ConfigMap", "data.URL", "u", ("data", "URL"), "u"),
        ("ConfigMap", "data.PORTS", [80, 443], ("data", "PORTS"), "[80,443]"),
        ("Secret", "data.KEY", Secret('"k"'), ("stringData", "KEY"), "k"),
        ("Deployment", "spec.replicas", 3, ("spec", "replicas"), 3),
        ("ConfigMap", "data.URL", Unknown(), ("data", "URL"), "(known after apply): cloud.x"),
    ],
    ids=["text", "a_list_as_text", "a_secret", "a_number", "not_known_yet"],
)
def test_a_value_is_set(kind: str, field: str, value: Any, path: tuple[str, ...], stored: Any) -> None:
    one = draft(kind)
    connect([one], [wire(f"{kind}/a", field, value)])
    found: Any = one.value
    for step in path:
        found = found[step]
    assert found == stored


def test_a_variable_of_a_container_is_added_by_its_name() -> None:
    one = draft("Deployment", spec={"containers": [{"name": "web", "env": [{"name": "A", "value": "1"}]}]})
    connect([one], [wire("Deployment/a", "spec.containers[web].env[B].value", "2")])
    assert one.value["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


@pytest.mark.parametrize(
    ("to", "field", "value", "said"),
    [
        ("ConfigMap/b", "data.X", "x", "there is no ConfigMap b"),
        ("ConfigMap/a", "data.X", Secret('"x"'), "is sensitive"),
        ("ConfigMap/a", "kind.x", "x", "leads to no field"),
    ],
    ids=["nobody_takes_it", "a_secret_in_the_open", "no_field"],
)
def test_a_wire_to_nowhere_says_where_it_is_written(to: str, field: str, value: Any, said: str) -> None:
    with pytest.raises(Invalid) as raised:
        connect([draft("ConfigMap")], [wire(to, field, value)])
    assert str(raised.value).startswith("environments/prod.yaml:7: ")
    assert said in str(raised.value)
