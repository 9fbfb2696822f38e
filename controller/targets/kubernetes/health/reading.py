"""Typed looks into a live object, which may hold anything: what has the wrong type reads as not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from controller.model import Health

Object: TypeAlias = Mapping[str, Any]
Verdict: TypeAlias = tuple[Health, str]  # the reason is one line, "" when healthy

HEALTHY: Verdict = (Health.HEALTHY, "")


def part(value: Object, *path: str) -> Object:
    """Give a mapping inside an object, an empty one where there is none."""
    current: Any = value
    for step in path:
        current = current.get(step) if isinstance(current, Mapping) else None
    return current if isinstance(current, Mapping) else {}


def number(value: Object, name: str, default: int = 0) -> int:
    found = value.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def text(value: Object, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def items(value: Object, name: str) -> tuple[Object, ...]:
    """Give the mappings of a list."""
    found = value.get(name)
    return tuple(one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()


def conditions(live: Object) -> Mapping[str, Object]:
    """Give `status.conditions` by type."""
    return {text(one, "type"): one for one in items(part(live, "status"), "conditions")}


def said(condition: Object, default: str = "") -> str:
    """Give a condition's message in one line, else its reason."""
    message = " ".join(text(condition, "message").split())
    return message or text(condition, "reason") or default


def is_unobserved(live: Object) -> bool:
    """Tell whether the controller of an object has not yet looked at its newest generation."""
    return number(part(live, "status"), "observedGeneration") < number(part(live, "metadata"), "generation")


def progressing(reason: str) -> Verdict:
    return (Health.PROGRESSING, reason)


def degraded(reason: str) -> Verdict:
    return (Health.DEGRADED, reason)


UNOBSERVED: Verdict = progressing("its controller has not seen the newest generation yet")
