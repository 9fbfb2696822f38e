from __future__ import annotations

import pytest

from controller.documents import ambiguities


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on", 'true to kubectl and the text "on" to kustomize'),
        ("No", "false to kubectl"),
        ("y", "true to kubectl"),
        ("2024-01-15", 'and the text "2024-01-15T00:00:00Z" to kustomize'),
    ],
)
def test_what_the_two_tools_read_differently_is_found(text: str, words: str) -> None:
    (problem,) = ambiguities(f"# {text}\na:\n- {text}\n".encode(), path="a.yaml")
    assert words in problem.what
    assert (problem.where.path, problem.where.line, problem.where.column) == ("a.yaml", 3, 3)


@pytest.mark.parametrize("text", ["'on'", '"yes"', "true", "1", "1.5", "null", "text", "~", "0777", "|\n  on\n"])
def test_what_they_read_alike_is_left_alone(text: str) -> None:
    assert ambiguities(f"a: {text}\n".encode(), path="a.yaml") == ()


def test_keys_and_later_documents_are_looked_at_too() -> None:
    found = ambiguities(b"a: 1\n---\non: [push]\n", path="a.yaml")
    assert [one.where.line for one in found] == [3]


@pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe\x00", b"{{ .Values }}: x"])
def test_what_is_no_yaml_has_none(data: bytes) -> None:
    assert ambiguities(data, path="a.yaml") == ()
