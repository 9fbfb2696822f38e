"""What Converge itself tells of the kinds that it knows: allow-lists, one data file per kind in `models/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from controller.documents import Dialect, read
from controller.model import FactPath, KindModel, KindModels, Reference, Selector, parse_fact_path

Said = Mapping[str, Any]  # a model as its file says it
_ANY, _POD = "_any", "_pod"


def model_of(group_kind: str, own: KindModels) -> KindModel:
    """Give the model of a kind, such as `Deployment.apps`: the platform's own, or ours, or what every kind has."""
    found = own.get(group_kind)
    return found if found is not None else _known().get(group_kind, _known()[_ANY])


def known_attributes(group_kind: str, said: Said) -> Mapping[str, str]:
    """Name the attributes that are told of a kind anyhow, a model of its own being added, with their paths."""
    ours = _raw().get(group_kind, {}) if is_known(group_kind) else {}
    found = {**_raw()[_ANY]["attributes"], **ours.get("attributes", {})}
    pod = said.get("pod", ours.get("pod"))
    if isinstance(pod, str):
        prefix = "" if pod == "." else f"{pod}."
        found |= {name: f"{prefix}{path}" for name, path in _raw()[_POD]["attributes"].items() if name not in found}
    return found


def is_known(group_kind: str) -> bool:
    """Tell whether a kind has a model of ours."""
    return group_kind in _raw() and group_kind not in (_ANY, _POD)


def extended(group_kind: str, said: Said) -> KindModel:
    """Add a platform's own model of a kind to ours; of a kind that we do not know, to what every kind has."""
    ours = _raw().get(group_kind, {}) if is_known(group_kind) else {}
    whole = {
        **ours,
        **{name: said[name] for name in ("pod",) if name in said},
        "attributes": {**ours.get("attributes", {}), **said.get("attributes", {})},
        "relations": [*ours.get("relations", ()), *said.get("relations", ())],
        "selectors": [*ours.get("selectors", ()), *said.get("selectors", ())],
    }
    added = _model(whole)
    # What a pod template is, we know only of our own kinds: of others the path to it is theirs.
    unguarded = model_of(group_kind, {}).attributes.keys()
    return KindModel(
        attributes=added.attributes,
        references=added.references,
        selectors=added.selectors,
        pod=added.pod,
        guarded=frozenset(added.attributes.keys() - unguarded),
    )


@cache
def _raw() -> Mapping[str, Said]:
    files = {one.name: one for one in resources.files(__package__).joinpath("models").iterdir()}
    raw: dict[str, Any] = {
        name.removesuffix(".yaml"): read(file.read_bytes(), path=name, dialect=Dialect.KUBERNETES)[0].value
        for name, file in files.items()
        if name.endswith(".yaml")
    }
    return MappingProxyType(raw)


@cache
def _known() -> KindModels:
    """Read every model of ours. One file is one kind; `_any` is added to each, `_pod` to those that have pods."""
    return MappingProxyType({kind: _model(value) for kind, value in _raw().items()})


def _model(value: Said) -> KindModel:
    raw = _raw()
    pod = parse_fact_path(value["pod"]) if "pod" in value else None
    parts: list[tuple[Said, FactPath]] = [(value, ())]
    if value is not raw[_ANY]:
        parts.append((raw[_ANY], ()))
    if pod is not None:
        parts.append((raw[_POD], pod))
    attributes = {
        name: (*prefix, *parse_fact_path(text))
        for part, prefix in reversed(parts)
        for name, text in part.get("attributes", {}).items()
    }
    return KindModel(
        attributes=dict(sorted(attributes.items())),
        references=tuple(_reference(one, prefix) for part, prefix in parts for one in part.get("relations", ())),
        selectors=tuple(_selector(one) for one in value.get("selectors", ())),
        pod=pod,
    )


def _reference(value: Mapping[str, str], prefix: FactPath) -> Reference:
    def path(name: str) -> FactPath | None:
        return (*prefix, *parse_fact_path(value[name])) if name in value else None

    return Reference(value["type"], value.get("to", ""), path("name"), path("reference"))


def _selector(value: Mapping[str, str]) -> Selector:
    is_plain = "labels" in value
    return Selector(value["type"], parse_fact_path(value["labels" if is_plain else "selector"]), is_plain)
