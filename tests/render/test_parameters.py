from __future__ import annotations

import pytest

from controller.model import Invalid

from .requests import bodies, rendered

HEAD = "# converge: parameters\napiVersion: x.io/v1\nkind: X\nmetadata: {name: a}\n"
VALUES = {"COUNT": 3, "RATIO": 0.5, "ON": True, "NAME": "web: [1]", "NUMERIC": "12"}


def spec(text: str, head: str = HEAD) -> object:
    return bodies(rendered({"deploy/a.yaml": f"{head}spec: {text}\n"}, parameters=VALUES))[0]["spec"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${COUNT}", 3),
        ('"${COUNT}"', "3"),
        ("${RATIO}", 0.5),
        ("${ON}", True),
        ("x-${ON}", "x-true"),
        ("${COUNT}${COUNT}", "33"),
        ("${NUMERIC}", "12"),
        ("${NAME}", "web: [1]"),
        ("$${COUNT} $$ $HOME $(x)", "${COUNT} $ $HOME $(x)"),
        ("{'${NAME}': 1}", {"web: [1]": 1}),
        ("|\n  a ${COUNT}\n", "a 3\n"),
    ],
)
def test_parameters_go_in_typed(text: str, value: object) -> None:
    assert spec(text) == value


def test_a_file_that_does_not_opt_in_stays_as_it_is() -> None:
    assert spec("${COUNT}", head=HEAD.partition("\n")[2]) == "${COUNT}"


@pytest.mark.parametrize(
    ("text", "says"), [("${NONE}", "the parameter NONE is not set"), ("${a-b}", "names no parameter")]
)
def test_what_is_not_set_is_refused_with_file_and_line(text: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        spec(f"\n  a: {text}")
    assert "deploy/a.yaml:6: " in str(caught.value)
    assert says in str(caught.value)
