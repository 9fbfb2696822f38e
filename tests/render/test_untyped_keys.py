"""Keys that kustomize sets without a type: one that YAML takes for a number or a boolean can't be printed."""

from __future__ import annotations

import pytest

from controller.model import MemoryTree, Stalled
from controller.render import build

CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {'1': a}\n"
KEYS = ["1", "true", "1.5", "null", "~", "2020-01-01", "0x1F", ".5"]
FIELDS = [
    "labels: [{pairs: {'KEY': x}}]",
    "commonLabels: {'KEY': x}",
    "commonAnnotations: {'KEY': x}",
    "configMapGenerator: [{name: g, literals: ['KEY=x'], options: {disableNameSuffixHash: true}}]",
    "secretGenerator: [{name: g, literals: ['KEY=x']}]",
    "configMapGenerator: [{name: g, literals: [a=x], options: {labels: {'KEY': x}}}]",
]


def kustomized(text: str) -> bytes:
    files = {"a/kustomization.yaml": f"resources: [x.yaml]\n{text}\n".encode(), "a/x.yaml": CONFIG_MAP}
    return build(MemoryTree(files), "a")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_key_that_is_no_string_is_refused(field: str, key: str) -> None:
    with pytest.raises(Stalled, match="is not a string"):
        kustomized(field.replace("KEY", key))


@pytest.mark.parametrize("key", ["on", "y", "a", "1a", "a.1"])
@pytest.mark.parametrize("field", FIELDS)
def test_any_other_key_is_set(field: str, key: str) -> None:
    assert f"{key}: ".encode() in kustomized(field.replace("KEY", key)).replace(b'"', b"")


def test_a_key_in_quotes_stays_one_where_nothing_sets_it() -> None:
    assert b'"1": a' in kustomized("labels: [{pairs: {a: b}}]")
    with pytest.raises(Stalled, match="the key 1 is not a string"):
        kustomized("configMapGenerator: [{name: x, behavior: merge, literals: [b=c]}]")
