"""The order in which components are applied: by `dependsOn`, and by the workflow's single steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.render.oam.application import Component
from controller.render.oam.workflow import ApplyComponents, Group, Step


def waves_of(components: Sequence[Component], steps: Sequence[Step]) -> Mapping[str, int]:
    """Give each component its wave, from 0: after those that it depends on, takes values from, or has steps behind.

    A circle of dependencies is cut where it closes, as there is no order that would please it.
    """
    by_name = {one.name: one for one in components}
    givers = {output.name: one.name for one in components for output in one.outputs}
    stepped = _step_waves(steps)
    waves: dict[str, int] = {}

    def wave(name: str, above: frozenset[str]) -> int:
        if name not in waves:
            given = (givers.get(one.source, "") for one in by_name[name].inputs)
            depends = [one for one in (*by_name[name].depends_on, *given) if one in by_name and one not in above]
            below = [wave(one, above | {name}) + 1 for one in depends]
            waves[name] = max([stepped.get(name, 0), *below])
        return waves[name]

    for one in components:
        wave(one.name, frozenset({one.name}))
    return waves


def _step_waves(steps: Sequence[Step]) -> dict[str, int]:
    """Number the steps by the longest way to them; a group's steps count as the group."""
    numbers: dict[str, int] = {}
    found: dict[str, int] = {}
    for step in steps:
        numbers[step.name] = max((numbers.get(name, -1) + 1 for name in step.after), default=0)
        for one in step.steps if isinstance(step, Group) else (step,):
            if isinstance(one, ApplyComponents):
                for name in one.components:
                    found.setdefault(name, numbers[step.name])
    return found
