"""Values that a render takes in of what other targets of its application give out. Pure: they are needs like others.

What is not known yet stands as a symbol. What is sensitive stands as a mark until all is drafted, so that what is told
on the way is never the value; then marks are replaced in the `stringData` of Secrets, and refused everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from controller.documents import canonical, decode
from controller.model import (
    Invalid,
    JsonValue,
    Position,
    Problem,
    Secret,
    Stalled,
    Taken,
    TargetName,
    Unknown,
    format_path,
)
from controller.render.encrypted import places
from controller.render.needs import NOT_GIVEN, Prepared, TakenOutput
from controller.render.request import Draft

if TYPE_CHECKING:
    from controller.model import FieldPath
    from controller.render.oam.reporting import Report

_INTO: Final = "Let a Secret of a k8s-objects component take it in, under stringData, and refer to that."


class Symbol(str):
    """Text in the place of a value that nobody gives out yet. `of` names it."""

    __slots__ = ("of",)
    of: str

    def __new__(cls, of: str) -> Self:
        made = super().__new__(cls, f"{Unknown()}: {of}")
        made.of = of
        return made


class Taking:
    """Owned by one render. `needs` are outputs that nobody was asked for, `takes` what was taken in."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._marks: dict[str, tuple[TakenOutput, str]] = {}
        self._plain: set[str] = set()  # texts of values that are not sensitive
        self.needs: dict[TakenOutput, None] = {}
        self.takes: dict[Taken, None] = {}

    def value(self, target: TargetName, output: str) -> JsonValue:
        """Give a value as it may stand in objects until they are settled."""
        need = TakenOutput(target, output)
        found = self._prepared.get(need.digest)
        if isinstance(found, Stalled):
            raise found
        if found is None:
            self.needs[need] = None
            return Symbol(str(need))
        self.takes[Taken(target, output, found != NOT_GIVEN)] = None
        if found == NOT_GIVEN:
            return Symbol(str(need))
        if not isinstance(found, Secret):
            plain: JsonValue = decode(found)
            self._plain.add(text_of(plain))
            return plain
        mark = f"convergeoutput{need.digest.rpartition(':')[2][:24]}"
        self._marks[mark] = (need, text_of(decode(found.reveal())))
        return mark

    def holds(self, text: str) -> bool:
        """Tell whether a mark stands in a text."""
        return any(mark in text for mark in self._marks)

    def gave(self, text: str) -> bool:
        """Tell whether a text was taken in, or will be: it stands in no file."""
        return self.holds(text) or text in self._plain or text.startswith(str(Unknown()))

    def refuse(self, values: Any, report: Report, path: FieldPath) -> None:
        """Tell of sensitive values that go where they can't be followed: through a template."""
        for place in places(values, self.holds) if self._marks else ():
            report.wrong((*path, *place), "a sensitive output goes into a Secret, and not through a chart", _INTO)

    def settle(self, drafts: Iterable[Draft], locate: Callable[[Draft, tuple[str | int, ...]], Position]) -> None:
        """Put sensitive values in their marks' places. Raises Invalid for those outside of a Secret's stringData."""
        if not self._marks:
            return
        problems: list[Problem] = []
        for draft in drafts:
            body = draft.value
            values = body.get("stringData")
            if body.get("kind") == "Secret" and body.get("apiVersion") == "v1" and isinstance(values, dict):
                body["stringData"] = {name: self._clear(one) for name, one in values.items()}
                body = {name: one for name, one in body.items() if name != "stringData"}
            for path in places(body, self.holds):
                where = locate(draft, tuple(one for one in path if isinstance(one, str | int)))
                name = (body.get("metadata") or {}).get("name", "")
                into = f"{body.get('kind', '')} {name}"
                what = f"{self._named(body, path)} is sensitive, and here in {into} it is no value of a Secret"
                problems.append(Problem(where, what, format_path(path), _INTO))
        if problems:
            raise Invalid(problems)

    def _clear(self, value: Any) -> Any:
        if isinstance(value, str):
            for mark, (_, text) in self._marks.items():
                value = value.replace(mark, text)
        return value

    def _named(self, body: Any, path: FieldPath) -> str:
        for step in path:
            body = body.get(step, step) if isinstance(body, dict) else body[step]
        found = (str(need) for mark, (need, _) in self._marks.items() if mark in str(body) or mark in str(path[-1]))
        return next(found, "an output")


def text_of(value: JsonValue) -> str:
    """Give a value as a Secret or a ConfigMap holds it: what is no text is JSON."""
    return value if isinstance(value, str) else canonical(value).decode()
