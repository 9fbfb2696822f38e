"""Prefixes, suffixes and hashes of names (api/internal/builtins at v0.18.0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.configuration import Specs
from controller.render.kustomize.edits import Edit
from controller.render.kustomize.identity import Gvk
from controller.render.kustomize.nodes import MISSING, is_scalar, resolved, restyled, text_of, to_json
from controller.render.kustomize.nodes import assign as assign_node
from controller.render.kustomize.paths import FieldsByKind, Setter, visit
from controller.render.kustomize.resource import PREFIXES, SUFFIXES, Resource

_KEPT: Final = (
    Gvk("", "", "CustomResourceDefinition"),
    Gvk("apiregistration.k8s.io", "", "APIService"),
    Gvk("", "", "Namespace"),
)
_NAME: Final = "metadata/name"


def prefixing(prefix: str, specs: Specs) -> Edit:
    return _adding(specs, PREFIXES, prefix, lambda text: prefix + text)


def suffixing(suffix: str, specs: Specs) -> Edit:
    return _adding(specs, SUFFIXES, suffix, lambda text: text + suffix)


def _adding(specs: Specs, note: str, affix: str, changed: Callable[[str], str]) -> Edit:
    setter = _changing(changed)
    fields = FieldsByKind(specs)

    @cache
    def is_kept(gvk: Gvk) -> bool:
        return any(gvk.is_selected(kept) for kept in _KEPT)

    def change(one: Resource) -> None:
        first = one.original_gvk
        if is_kept(first):
            return
        mine = fields.of(one.gvk)
        for spec in fields.of(first):
            if spec.path == _NAME:
                one.append_note(note, affix)
                if affix:
                    one.store_previous_id()
            if spec in mine:
                visit(one.value, spec, setter, str)

    return Edit(change)


def _changing(changed: Callable[[str], str]) -> Setter:
    def set_changed(container: Any, key: Any) -> None:
        set_plain(container, key, changed(text_of(container[key])))

    return set_changed


def set_plain(container: Any, key: Any, text: str) -> None:
    """Set a scalar's text without a type (kyaml SetScalar): its style stays, and YAML decides what it is."""
    old = container[key]
    if not is_scalar(old):
        raise Stalled(f"{key}: a mapping or a list, where one value is wanted")
    assign_node(container, key, restyled(old, resolved(text)))


def add_hash(one: Resource) -> None:
    """Append the hash of a generated ConfigMap or Secret to its name."""
    suffix = hash_of(one)
    one.store_previous_id()
    one.set_name(f"{one.name}-{suffix}")


def hash_of(one: Resource) -> str:
    """Hash what a ConfigMap or Secret holds (api/hasher/hasher.go). Its name is no part of it: the field is empty."""
    if one.kind == "ConfigMap":
        content = {"kind": "ConfigMap", "name": "", "data": _field(one, "data")}
        extra = "binaryData"
    elif one.kind == "Secret":
        content = {"kind": "Secret", "type": _field(one, "type"), "name": "", "data": _field(one, "data")}
        extra = "stringData"
    else:
        return _encoded(_go_json(to_json(one.value)))
    more = _field(one, extra)
    if isinstance(more, dict):
        content[extra] = more
    return _encoded(_go_json(content))


def _field(one: Resource, name: str) -> Any:
    value = one.value.get(name, MISSING)
    if value is MISSING:
        return ""
    return to_json(value) if isinstance(value, dict | list) else text_of(value)


def _go_json(value: Any) -> str:
    """Write JSON as Go does: sorted keys, no spaces, and what HTML could misread escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for char, escaped in _ESCAPED.items():
        text = text.replace(char, escaped)
    return text.replace("\\b", "\\u0008").replace("\\f", "\\u000c") if "\\" in text else text


_ESCAPED: Final = {
    "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029",
}  # fmt: skip


def _encoded(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return digest.translate(str.maketrans("013ae", "ghkmt"))
