"""How healthy a live object is, said as data: rules by kind, of which the first judgement that holds counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from controller.model.status import Health

CONDITIONS: Final = "status.conditions"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One line of a rule file; without a test it always holds."""

    health: Health
    absent: str = ""  # holds where this field is not there
    field: str = ""  # holds where this field has one of the values of `among`; a path, `[*]` for every element
    among: tuple[Any, ...] = ()  # `in` in the file
    annotation: str = ""  # holds where this annotation has one of the values of `among`
    condition: str = ""  # holds where a condition of this type has this status, and one of these reasons
    status: str = ""
    severity: str = ""  # that a condition must not have
    reasons: tuple[str, ...] = ()
    of: str = CONDITIONS  # where the conditions are
    unobserved: bool = False  # holds where the controller has not seen the newest generation
    say: str = ""  # the field that says why
    why: str = ""  # what to say where nothing does


HealthRules: TypeAlias = Mapping[str, tuple[Judgement, ...]]  # by `Kind.group`, of the core group by `Kind`
NO_RULES: Final[HealthRules] = MappingProxyType({})
