"""Files that SOPS encrypted: told from others, read in the clear, and where their values end up.

Rendering has no key. A file's clear text is a need (`Decryption`), done by the sops binary. While one is missing the
render goes on with marks in the values' places, so that it can name all that it needs at once. The same marks say
afterwards where the values went: they may land in Secrets, and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from controller.documents import Dialect, read, write
from controller.model import FieldPath, Invalid, Position, RepositoryName, Secret, Stalled
from controller.render.needs import Decryption, Needed, Prepared, results_of

CIPHER: Final = b"ENC[AES256_GCM,"
_TOKEN: Final = re.compile(r"ENC\[AES256_GCM,[^\]]*\]")
_MARK: Final = re.compile(r"convergesops[0-9a-f]{24}")
_DOTENV_MAC: Final = re.compile(rb"^sops_mac=", re.MULTILINE)
_INI_SECTION: Final = re.compile(rb"^\[sops\]\s*$", re.MULTILINE)
_STRUCTURED: Final = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
HEAD: Final = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
LONG_ENOUGH: Final = 8  # characters from which on a value that is found elsewhere is no coincidence


def format_of(path: str, data: bytes) -> str:
    """Say as what sops encrypted a file: yaml, json, dotenv, ini, binary; "" where it did not."""
    if CIPHER not in data:
        return ""
    if _DOTENV_MAC.search(data):
        return "dotenv"
    if _INI_SECTION.search(data):
        return "ini"
    ending = "." + path.rpartition(".")[2]
    try:
        documents = read(data, path=path, dialect=Dialect.KUBERNETES)
    except (Invalid, Stalled):
        return ""
    if not any(_is_metadata(one.value) for one in documents):
        return ""
    known = _STRUCTURED.get(ending, "")
    first = documents[0].value
    is_whole = len(documents) == 1 and isinstance(first, dict) and first.keys() == {"data", "sops"}
    return known or ("binary" if is_whole else "json" if data.lstrip().startswith(b"{") else "yaml")


def _is_metadata(value: Any) -> bool:
    found = value.get("sops") if isinstance(value, dict) else None
    return isinstance(found, dict) and "mac" in found


def mark_of(token: str) -> str:
    """Give the mark that stands for an encrypted value: letters and digits, so that every encoding leaves it whole."""
    return f"convergesops{sha256(token.encode()).hexdigest()[:24]}"


def marked(path: str, data: bytes, kind: str, clear: bytes = b"") -> bytes:
    """Give an encrypted file with marks in the places of its values, and without what sops added.

    What says what a manifest is (`HEAD`) is taken from the clear text, where that is known: whoever encrypts a whole
    file encrypts that too.
    """
    if kind in {"dotenv", "ini"}:
        text = data.decode(errors="replace")
        if kind == "ini":
            text = re.split(r"(?m)^\[sops\]\s*$", text)[0]
        lines = [one for one in text.splitlines() if not one.startswith(("sops_", "#ENC["))]
        return "\n".join(_TOKEN.sub(lambda found: mark_of(found[0]), one) for one in lines).encode() + b"\n"
    documents = [_without_metadata(one.value) for one in read(data, path=path, dialect=Dialect.KUBERNETES)]
    if clear and kind != "binary":
        clears = [one.value for one in read(clear, path=path, dialect=Dialect.KUBERNETES)]
        documents = [_with_head(one, other) for one, other in zip(documents, clears, strict=False)]
    if kind == "binary" and isinstance(documents[0], dict):
        return str(documents[0]["data"]).encode()
    return b"---\n".join(write(one) for one in documents)


def _without_metadata(value: Any) -> Any:
    if isinstance(value, dict):
        value = {name: one for name, one in value.items() if name != "sops" or not _is_metadata(value)}
    return _marked_value(value)


def _with_head(value: Any, clear: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(clear, dict) or not {"apiVersion", "kind"} <= clear.keys():
        return value
    return {name: clear.get(name) if name in HEAD else one for name, one in value.items()}


def _marked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _marked_value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_marked_value(one) for one in value]
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return mark_of(value)
    return value


def clear_values(path: str, data: bytes, clear: bytes, kind: str) -> Iterator[str]:
    """Give the values of an encrypted file that its clear text tells, as text."""
    if kind == "binary":
        yield clear.decode(errors="replace")
        return
    if kind in {"dotenv", "ini"}:
        for line in clear.decode(errors="replace").splitlines():
            yield line.partition("=")[2].strip()
        return
    documents = read(data, path=path, dialect=Dialect.KUBERNETES)
    clears = read(clear, path=path, dialect=Dialect.KUBERNETES)
    for one, other in zip(documents, clears, strict=False):
        yield from _clear_values(one.value, other.value)


def _clear_values(value: Any, clear: Any) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(clear, dict):
        for name, one in value.items():
            yield from _clear_values(one, clear.get(name))
    elif isinstance(value, list) and isinstance(clear, list):
        for one, other in zip(value, clear, strict=False):
            yield from _clear_values(one, other)
    elif isinstance(value, str) and _TOKEN.fullmatch(value) and clear is not None:
        yield clear if isinstance(clear, str) else str(clear)


@dataclass(frozen=True, slots=True)
class EncryptedFile:
    """A file as it stands in git."""

    path: str
    data: bytes
    kind: str

    def need(self, credential: str) -> Decryption:
        return Decryption(data=self.data, format=self.kind, credential=credential, where=Position(self.path, 1))


@dataclass(slots=True)
class Decipherer:
    """Reads encrypted files for one render. With `only_marks`, and while a file's clear text is missing, by marks."""

    prepared: Prepared
    credential: str
    only_marks: bool = False
    files: dict[tuple[RepositoryName, str], EncryptedFile] = field(default_factory=dict)
    missing: list[Decryption] = field(default_factory=list)

    def read(self, repository: RepositoryName, path: str, data: bytes) -> bytes:
        """Give a file in the clear, or with marks; as it is where it is not encrypted."""
        kind = format_of(path, data)
        if not kind:
            return data
        file = self.files.setdefault((repository, path), EncryptedFile(path, data, kind))
        need = file.need(self.credential)
        clear = self.prepared.get(need.digest)
        if isinstance(clear, Secret) and not self.only_marks:
            return clear.reveal()
        if clear is None:
            self.missing.append(need)
        return marked(path, data, kind, clear.reveal() if isinstance(clear, Secret) else b"")

    def settle(self) -> None:
        """Raise Needed with every file that was read without its clear text, and what is wrong with any of them."""
        if self.missing:
            raise Needed(self.missing)
        results_of([file.need(self.credential) for file in self.files.values()], self.prepared)

    def values(self) -> frozenset[str]:
        """Give every value that was decrypted."""
        found: set[str] = set()
        for file in self.files.values():
            clear = self.prepared.get(file.need(self.credential).digest)
            if isinstance(clear, Secret):
                found.update(clear_values(file.path, file.data, clear.reveal(), file.kind))
        return frozenset(found)


Look = Callable[[str], bool]  # whether a text holds what must not stand there


def is_marked(text: str) -> bool:
    """Tell whether a mark stands in a text, also in its base64."""
    return bool(marks_in(text))


def marks_in(text: str) -> list[str]:
    found = _MARK.findall(text)
    return found or _MARK.findall(_decoded(text))


def token_places(text: str, marks: Collection[str]) -> Iterator[int]:
    """Find where the values that some marks stand for are written, in characters."""
    for found in _TOKEN.finditer(text):
        if mark_of(found[0]) in marks:
            yield found.start()


def holds_one_of(values: Iterable[str]) -> Look:
    """Look for values themselves, where no marks can tell; those that are long enough to mean something."""
    long = [one for one in values if len(one) >= LONG_ENOUGH]

    def look(text: str) -> bool:
        plain = _decoded(text)
        return any(one in text or one in plain for one in long)

    return look


def _decoded(text: str) -> str:
    if len(text) % 4 or len(text) < 4:
        return ""
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def places(value: Any, look: Look, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Find the fields in which something stands."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            if look(str(name)):
                yield (*path, str(name))
            yield from places(one, look, (*path, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, look, (*path, number))
    elif isinstance(value, str) and look(value):
        yield path
