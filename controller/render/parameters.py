"""`${NAME}` in files that opt in, by a first line `# converge: parameters`.

A plain scalar that is one reference whole takes the parameter's type; inside other text, in quotes or in a key it
is text. `$$` is a dollar. Values go in after YAML is parsed, so that no value can add a field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.documents import Replace
from controller.model import Invalid, JsonValue, Position, Problem
from controller.render.request import Parameter

MARK: Final = re.compile(rb"(?:\xef\xbb\xbf)?#[ \t]*converge:[ \t]*parameters[ \t]*(?:\r?\n|$)")
_REFERENCE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<bad>\{[^}]*\}?))")


@dataclass(frozen=True, slots=True)
class Substitution:
    """Puts parameters into the scalars of files that opt in."""

    parameters: Mapping[str, Parameter]

    def replacing(self, data: bytes) -> Replace | None:
        """Give what the reader shall ask for each scalar with a `$`; None where the file did not opt in."""
        return self._replace if MARK.match(data) else None

    def in_text(self, data: bytes, path: str) -> bytes:
        """Replace in a file that is no YAML, such as a generator's. Its first line, the mark, goes."""
        mark = MARK.match(data)
        if mark is None:
            return data
        lines = data[mark.end() :].decode(errors="surrogateescape").split("\n")
        done = [self._text(line, Position(path, number)) for number, line in enumerate(lines, start=2)]
        return "\n".join(done).encode(errors="surrogateescape")

    def _replace(self, text: str, is_plain: bool, where: Position) -> JsonValue:  # noqa: FBT001  it is documents.Replace
        whole = _REFERENCE.fullmatch(text)
        if is_plain and whole is not None and whole["name"]:
            return self._value(whole["name"], where)
        return self._text(text, where)

    def _text(self, text: str, where: Position) -> str:
        def one(found: re.Match[str]) -> str:
            if found["dollar"]:
                return "$"
            if found["bad"]:
                advice = "A name has letters, digits and `_`. Write `$$` for a dollar."
                raise Invalid([Problem(where, f"${found['bad']} names no parameter", advice=advice)])
            value = self._value(found["name"], where)
            return ("true" if value else "false") if isinstance(value, bool) else str(value)

        return _REFERENCE.sub(one, text)

    def _value(self, name: str, where: Position) -> Parameter:
        if name not in self.parameters:
            advice = f"Set it under `parameters` of the environment or the application, or write $${{{name}}}."
            raise Invalid([Problem(where, f"the parameter {name} is not set", advice=advice)])
        return self.parameters[name]
