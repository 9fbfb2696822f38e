"""Health rules that are data: one small file per operator under `data/`, evaluated on the live object alone.

A file lists kinds and judgements; the first judgement whose every test holds is the verdict. Where none does, the
standard conditions judge. A judgement without a test always holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from controller.documents import Dialect, read
from controller.model import Health, HealthRules, Judgement
from controller.targets.kubernetes.health.reading import Object, Verdict, is_unobserved, number, part, said, text


def judged(live: Object, judgements: Sequence[Judgement]) -> Verdict | None:
    """Give the verdict of the first judgement that holds; None for none."""
    for one in judgements:
        found = _holding(live, one)
        if found is not None:
            return (one.health, "" if one.health is Health.HEALTHY else _reason(live, one, found))
    return None


def _holding(live: Object, one: Judgement) -> Object | None:
    """Give the condition by which a judgement holds, an empty one where it needs none; None where it doesn't hold."""
    if one.absent and next(_values(live, one.absent), None) not in (None, ""):
        return None
    if one.unobserved and not is_unobserved(live):
        return None
    annotations = part(live, "metadata", "annotations")
    if one.annotation and annotations.get(one.annotation) not in one.among:
        return None
    if one.field and not any(value in one.among for value in _values(live, one.field)):
        return None
    if not one.condition:
        return {}
    generation = number(part(live, "metadata"), "generation")
    fresh = (each for each in _conditions(live, one.of) if number(each, "observedGeneration", generation) >= generation)
    return next((found for found in fresh if _matches(found, one)), None)


def _matches(found: Object, one: Judgement) -> bool:
    if text(found, "type") != one.condition or (one.status and text(found, "status") != one.status):
        return False
    if one.severity and text(found, "severity") == one.severity:
        return False
    return not one.reasons or text(found, "reason") in one.reasons


def _conditions(live: Object, where: str) -> Iterator[Object]:
    for value in _values(live, where):
        if isinstance(value, list):
            yield from (one for one in value if isinstance(one, Mapping))


def _reason(live: Object, one: Judgement, found: Object) -> str:
    values = _values(live, one.say) if one.say else ()
    spoken = next((value for value in values if isinstance(value, str) and value), "")
    return " ".join(spoken.split()) or said(found) or one.why or f"it is {one.health.lower()}"


def _values(node: Any, path: str) -> Iterator[Any]:
    """Give what stands at a path: `status.parents[*].conditions` once for each parent."""
    name, _, rest = path.partition(".")
    name, brackets, _ = name.partition("[")
    if not isinstance(node, Mapping) or name not in node:
        return
    for value in node[name] if brackets and isinstance(node[name], list) else [node[name]]:
        if rest:
            yield from _values(value, rest)
        else:
            yield value


@cache
def shipped() -> HealthRules:
    """Give the rules that come with Converge, by `Kind.group`."""
    found: dict[str, tuple[Judgement, ...]] = {}
    folder = files("controller.targets.kubernetes.health") / "data"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            found |= read_rules(file.read_bytes(), path=file.name)
    return found


def read_rules(data: bytes, *, path: str) -> HealthRules:
    """Read one rule file. Raises Invalid for what is no YAML, ValueError for what is no rule."""
    found: dict[str, tuple[Judgement, ...]] = {}
    for document in read(data, path=path, dialect=Dialect.KUBERNETES):
        value: Any = document.value
        judgements = tuple(_judgement(one) for one in value["judge"])
        found |= dict.fromkeys(value["kinds"], judgements)
    return found


def _judgement(written: Mapping[str, Any]) -> Judgement:
    value = dict(written)
    for name in ("in", "reasons"):
        if name in value:
            value["among" if name == "in" else name] = tuple(value.pop(name))
    return Judgement(**{**value, "health": Health(value["health"])})
