"""Which resources a patch, a replacement or a plug-in speaks of (api/types/selector.go, and label selectors)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from controller.model import Stalled
from controller.render.kustomize.identity import Gvk, ResId
from controller.render.kustomize.resource import Resource

Requirement = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """Regular expressions for the parts of an id, and two label selectors; empty parts match anything."""

    id: ResId
    annotations: str = ""
    labels: str = ""

    def compiled(self) -> Callable[[Resource], bool]:
        group, version, kind = (_anchored(part) for part in self.id.gvk)
        name, namespace = _anchored(self.id.name), _anchored(self.id.namespace)
        by_labels, by_annotations = parse_selector(self.labels), parse_selector(self.annotations)

        def matches(one: Resource) -> bool:
            now = one.id
            if kind and not kind(now.gvk.kind):
                return False
            if (group and not group(now.gvk.group)) or (version and not version(now.gvk.version)):
                return False
            if name or namespace:
                first = one.original_id
                if namespace and not namespace(first.effective_namespace) and not namespace(now.effective_namespace):
                    return False
                if name and not name(first.name) and not name(now.name):
                    return False
            return _all(by_labels, one.labels) and _all(by_annotations, one.annotations)

        return matches


def selector_of(config: Mapping[str, Any]) -> Selector:
    """Make a selector of a decoded `target` or `select`."""
    return Selector(res_id_of(config), config["annotationSelector"], config["labelSelector"])


def res_id_of(config: Mapping[str, Any]) -> ResId:
    return ResId(Gvk(config["group"], config["version"], config["kind"]), config["name"], config["namespace"])


def _all(requirements: tuple[Requirement, ...], values: Mapping[str, str]) -> bool:
    return all(one(values) for one in requirements)


def _anchored(pattern: str) -> Callable[[str], Any] | None:
    return compile_go(f"^(?:{pattern})$").search if pattern else None


@lru_cache(maxsize=1024)
def compile_go(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression of Go's: `$` is the very end, classes are ASCII's.

    Raises Stalled for one that is wrong, and for look-around and back references, which Go does not know.
    """
    if re.search(r"\(\?(?:[=!]|<[=!])|(?<!\\)(?:\\\\)*\\[1-9]", pattern):
        raise Stalled(f'"{pattern}" is no regular expression here: look-around and back references are not known')
    python = re.sub(r"(?<!\\)((?:\\\\)*)\$(?=\)|$|\|)", r"\1\\Z", pattern.replace(r"\z", r"\Z"))
    try:
        return re.compile(python, re.ASCII)
    except re.error as error:
        raise Stalled(f'"{pattern}" is no regular expression: {error}') from error


_REQUIREMENT = re.compile(
    r"\s*(?:"
    r"(?P<key>[^\s,!=<>()]+)\s*(?P<op>==?|!=|<|>)\s*(?P<value>[^\s,()=!<>]*)"
    r"|(?P<setkey>[^\s,!=<>()]+)\s+(?P<setop>in|notin)\s*\(\s*(?P<values>[^()]*)\)"
    r"|!\s*(?P<absent>[^\s,!=<>()]+)"
    r"|(?P<present>[^\s,!=<>()]+)"
    r")\s*(?:,|$)"
)


@lru_cache(maxsize=1024)
def parse_selector(text: str) -> tuple[Requirement, ...]:
    """Parse `a=b,c!=d,e in (f, g),!h`. Raises Stalled for what is none."""
    found: list[Requirement] = []
    at = 0
    while at < len(text):
        match = _REQUIREMENT.match(text, at)
        if match is None:
            raise Stalled(f'"{text}" is no label selector')
        found.append(_requirement(match))
        at = match.end()
    return tuple(found)


def _requirement(match: re.Match[str]) -> Requirement:
    part = match.groupdict()
    if part["op"]:
        return _comparison(part["key"], part["op"], part["value"])
    if part["setop"]:
        key, values = part["setkey"], {one.strip() for one in part["values"].split(",")}
        if part["setop"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: key not in labels or labels[key] not in values
    if part["absent"]:
        absent = part["absent"]
        return lambda labels: absent not in labels
    present = part["present"]
    return lambda labels: present in labels


def _comparison(key: str, operator: str, value: str) -> Requirement:
    if operator in {"=", "=="}:
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value

    def compares(labels: Mapping[str, str]) -> bool:
        try:
            mine, other = int(labels[key]), int(value)
        except (KeyError, ValueError):
            return False
        return mine > other if operator == ">" else mine < other

    return compares
