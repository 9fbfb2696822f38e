"""A step's `if`: which of a workflow's steps are carried out at all, as far as git can say.

KubeVela evaluates it when the step's turn comes. Here a step has its turn when all before it are well, and what fails
is tried again: to a condition, a step that is carried out has succeeded. One that is only for failures is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.model import ABSENT, FieldPath, JsonValue, Missing
from controller.render.oam.reporting import Report, suggestion
from controller.render.oam.values import inside
from controller.render.oam.workflow import Group, Step

ALWAYS: Final = "always"
Give = Callable[[str, FieldPath], "JsonValue | Missing"]  # the value of another component's output, by its name

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign>==|!=|<=|>=|&&|\|\||[<>!()])'
    r'|(?P<path>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\["[^"]+"\]|\[\d+\])*))'
)
_STEPS: Final = re.compile(r'([A-Za-z_][\w-]*)|\["([^"]+)"\]|\[(\d+)\]')
_CARRIED_OUT: Final[Mapping[str, JsonValue]] = {
    "phase": "succeeded", "succeeded": True, "failed": False, "failedAfterRetries": False, "timeout": False,
    "skipped": False, "reason": "", "message": "",
}  # fmt: skip
_FAILED: Final[Mapping[str, JsonValue]] = {
    **_CARRIED_OUT, "phase": "failed", "succeeded": False, "failed": True, "failedAfterRetries": True,
}  # fmt: skip
_SKIPPED: Final[Mapping[str, JsonValue]] = {**_CARRIED_OUT, "phase": "skipped", "succeeded": False, "skipped": True}
_ON_FAILURE: Final = (
    "What fails is tried again by itself; to do something then, write a hook of failures (kubernetes.md)."
)
_KNOWN: Final = (
    "A condition may ask for `context` (appName, namespace, appLabels, appAnnotations), `status.STEP` and `inputs`."
)


class _Wrong(Exception):
    """An expression that can't be told; `advice` is what to do instead."""

    def __init__(self, what: str, advice: str = "") -> None:
        self.what, self.advice = what, advice
        super().__init__(what)


@dataclass(slots=True)
class Conditions:
    """Judges the steps of one workflow, in order. `context` is KubeVela's, `give` finds inputs."""

    context: Mapping[str, Any]
    give: Give
    report: Report
    has_skipped: bool = False
    _fates: dict[str, Mapping[str, JsonValue]] = field(default_factory=dict)  # of the steps so far, by name

    def carried_out(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Give the steps without those that are not carried out: an empty group keeps their place in the order."""
        names = {one.name for one in steps}
        return tuple(self._step(one, names) for one in steps)

    def _step(self, step: Step, beside: set[str]) -> Step:
        asked: set[str] = set()
        if not self._holds(step, asked):
            self.has_skipped = True
            self._skip(step)
            return Group(name=step.name, after=step.after, path=step.path)
        self._fates[step.name] = _CARRIED_OUT
        after = tuple(dict.fromkeys((*step.after, *sorted((asked & beside) - {step.name}))))
        step = replace(step, after=after)
        return replace(step, steps=self.carried_out(step.steps)) if isinstance(step, Group) else step

    def _skip(self, step: Step) -> None:
        self._fates[step.name] = _SKIPPED
        for one in step.steps if isinstance(step, Group) else ():
            self._skip(one)

    def _holds(self, step: Step, asked: set[str]) -> bool:
        if not step.condition or step.condition == ALWAYS:
            return True
        where = (*step.path, "if")
        try:
            value = self._value(step, asked, _CARRIED_OUT)
            if not isinstance(value, bool):
                raise _Wrong(f'"{step.condition}" is neither true nor false', _KNOWN)
            if not value and self._value(step, set(), _FAILED):
                raise _Wrong(f"the step {step.name} is only for what failed before it", _ON_FAILURE)
        except _Wrong as error:
            self.report.wrong(where, error.what, error.advice)
            return True
        return value

    def _value(self, step: Step, asked: set[str], fate: Mapping[str, JsonValue]) -> JsonValue:
        return _Reader(step.condition, lambda path: self._look(path, step, asked, fate)).value()

    def _look(
        self, path: tuple[str | int, ...], step: Step, asked: set[str], carried_out: Mapping[str, JsonValue]
    ) -> JsonValue:
        shown = ".".join(map(str, path))
        match path:
            case ("context", *rest):
                return _found(self.context, rest, f"{shown} is known only in a cluster, or not at all")
            case ("inputs", str(name)):
                if name not in {one.source for one in step.inputs}:
                    raise _Wrong(f"the step {step.name} has no input {name}", "Declare it under `inputs`.")
                value = self.give(name, (*step.path, "inputs", [one.source for one in step.inputs].index(name)))
                if isinstance(value, Missing):
                    raise _Wrong(f"the value {name} is not known in git", _KNOWN)
                return value
            case ("status", str(name), str(what)) if what in _CARRIED_OUT:
                fate = self._fates.get(name)
                if fate is None:
                    advice = suggestion(name, self._fates) if self._fates else "Name a step before it."
                    raise _Wrong(f"there is no step {name} before {step.name}", advice)
                asked.add(name)
                return (carried_out if fate is _CARRIED_OUT else fate)[what]
            case _:
                raise _Wrong(f"{shown} can't be told from git", _KNOWN)


def _found(scope: Any, path: Sequence[str | int], wrong: str) -> JsonValue:
    value: Any = scope
    for one in path:
        value = inside(value, one)
    if value is ABSENT:
        raise _Wrong(wrong, _KNOWN)
    return value  # type: ignore[no-any-return]


class _Reader:
    """Reads CUE's logic of comparisons: `a == "b" && !(c || d != 1)`."""

    def __init__(self, text: str, look: Callable[[tuple[str | int, ...]], JsonValue]) -> None:
        self._text = text
        self._look = look
        self._tokens = list(self._read())
        self._at = 0

    def value(self) -> JsonValue:
        found = self._either()
        if self._at < len(self._tokens):
            raise self._unread()
        return found

    def _read(self) -> Iterator[tuple[str, str]]:
        at = 0
        while self._text[at:].strip():
            token = _TOKEN.match(self._text, at)
            if token is None or token.lastgroup is None:
                raise self._unread()
            yield token.lastgroup, token[token.lastgroup]
            at = token.end()

    def _unread(self) -> _Wrong:
        return _Wrong(f'"{self._text}" is not read', "Compare with == and !=, and join with &&, || and !.")

    def _takes(self, *signs: str) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "sign" and self._tokens[self._at][1] in signs:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def _either(self) -> JsonValue:
        found = self._both()
        while self._takes("||"):
            other = self._both()
            found = self._truth(found) or self._truth(other)
        return found

    def _both(self) -> JsonValue:
        found = self._negated()
        while self._takes("&&"):
            other = self._negated()
            found = self._truth(found) and self._truth(other)
        return found

    def _negated(self) -> JsonValue:
        return not self._truth(self._negated()) if self._takes("!") else self._compared()

    def _compared(self) -> JsonValue:
        one = self._term()
        sign = self._takes("==", "!=", "<=", ">=", "<", ">")
        if not sign:
            return one
        other = self._term()
        if sign in {"==", "!="}:
            return (one == other and isinstance(one, bool) == isinstance(other, bool)) == (sign == "==")
        if not (isinstance(one, (int, float)) and isinstance(other, (int, float))):
            raise self._unread()
        return {"<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other}[sign]

    def _term(self) -> JsonValue:
        if self._takes("("):
            found = self._either()
            if not self._takes(")"):
                raise self._unread()
            return found
        if self._at >= len(self._tokens):
            raise self._unread()
        kind, text = self._tokens[self._at]
        self._at += 1
        match kind:
            case "text":
                return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            case "number":
                return float(text) if "." in text else int(text)
            case "path" if text in {"true", "false"}:
                return text == "true"
            case "path":
                return self._look(tuple(int(one[3]) if one[3] else one[1] or one[2] for one in _STEPS.finditer(text)))
            case _:
                raise self._unread()

    def _truth(self, value: JsonValue) -> bool:
        if not isinstance(value, bool):
            raise self._unread()
        return value
