from __future__ import annotations

from typing import Any

import pytest

from controller.model import ABSENT, Element, format_path, parse_path
from controller.render import resolve, value_at

POD: dict[str, Any] = {
    "containers": [
        {"name": "init", "args": ["-v", "8"]},
        {"name": "web", "ports": [{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 443}]},
    ],
    "volumes": {"x": [{"key": "a"}, 7, "b"]},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("containers[web].name", "web"),
        ("containers[1].name", "web"),
        ("containers[web].ports[80,UDP].protocol", "UDP"),
        ("containers[web].ports[443,TCP].containerPort", 443),
        ("containers[web].ports[443].containerPort", 443),
        ("containers[web].ports[80,TCP]", ABSENT),
        ("containers[init].args[-v]", "-v"),
        ("volumes.x[a].key", "a"),
        ("volumes.x[b]", "b"),
        ("volumes.x[7]", 7),
        ("volumes.x[none]", ABSENT),
        ("volumes[0]", ABSENT),
        ("volumes.x.y", ABSENT),
    ],
)
def test_a_path_of_text_leads_where_a_person_means(text: str, value: object) -> None:
    path = resolve(POD, parse_path(text))
    assert value_at(POD, path) == value
    if not isinstance(value, type(ABSENT)) and "443,TCP" not in text:
        assert format_path(path) == text


def test_an_element_knows_the_names_of_its_keys() -> None:
    path = resolve(POD, parse_path("containers[web].ports[80,UDP]"))
    assert path == (
        "containers",
        Element((("name", "web"),)),
        "ports",
        Element((("containerPort", 80), ("protocol", "UDP"))),
    )
